"""What speaks against a version: features, calibration, or a champion that is better."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from relimit.data.errors import ModelError
from relimit.models import load_model
from relimit.training.evidence import A_BETTER, weigh_evidence
from relimit.training.registry import RegisteredVersion, resolve_model, version_at_alias
from relimit.training.tested import FINGERPRINT, read_tested
from relimit.training.tracking import open_client, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION: Final = "champion"
SLOPE_LIMITS: Final = (0.75, 1.33)
MOST_INTERCEPT: Final = 0.3
MOST_CALIBRATION_ERROR: Final = 0.05


def objections_to(candidate: RegisteredVersion, tracking_uri: str | None = None) -> list[str]:
    """Return what speaks against a version as champion, in words; empty if nothing does."""
    found = []
    try:
        folder, digest = resolve_model(candidate.uri, tracking_uri)
        load_model(folder, digest=digest)
    except ModelError as error:
        found.append(f"it can't be used here: {error}")
    client = open_client(tracking_uri)
    found += _calibration_objections(_metrics(client, candidate))
    champion = version_at_alias(candidate.name, CHAMPION, tracking_uri)
    if champion is not None and champion.version != candidate.version:
        found += _champion_objections(client, champion, candidate)
    return found


def _calibration_objections(metrics: Mapping[str, float]) -> list[str]:
    slope = metrics.get("calibration_slope", math.nan)
    intercept = metrics.get("calibration_intercept", math.nan)
    error = metrics.get("ece", math.nan)
    found = []
    if not SLOPE_LIMITS[0] <= slope <= SLOPE_LIMITS[1]:
        low, high = SLOPE_LIMITS
        found.append(f"calibration slope {slope:.2f} is not within {low} to {high}")
    if not abs(intercept) <= MOST_INTERCEPT:
        found.append(f"calibration intercept {intercept:+.2f} is not within ±{MOST_INTERCEPT}")
    if not error <= MOST_CALIBRATION_ERROR:
        found.append(f"calibration error {error:.3f} is above {MOST_CALIBRATION_ERROR}")
    return found


def _champion_objections(
    client: "MlflowClient", champion: RegisteredVersion, candidate: RegisteredVersion
) -> list[str]:
    against = f"worse than the champion, version {champion.version}, beyond noise"
    if _tested_on(client, champion) == _tested_on(client, candidate) is not None:
        with translated(candidate.uri):
            a, b = (read_tested(client, v.run_id) for v in (champion, candidate))
        evidence = weigh_evidence(a.bad, a.risk, b.risk, a.account)
        worse = evidence.verdict == A_BETTER
        return [f"{against}, on the same rows ({'; '.join(evidence.reasons)})"] if worse else []
    a_metrics, b_metrics = _metrics(client, champion), _metrics(client, candidate)
    (a_auc, a_half), (b_auc, b_half) = _auc(a_metrics), _auc(b_metrics)
    difference, half = b_auc - a_auc, math.hypot(a_half, b_half)
    if difference + half >= 0.0:
        return []
    return [f"{against}, each on its own rows (AUC {difference:+.4f} ± {half:.4f})"]


def _auc(metrics: Mapping[str, float]) -> tuple[float, float]:
    """Return the recorded AUC and its half-width; NaN, which no comparison passes, if absent."""
    value = metrics.get("auc", math.nan)
    return value, metrics.get("auc_high", math.nan) - value


def _tested_on(client: "MlflowClient", version: RegisteredVersion) -> str | None:
    with translated(version.uri):
        fingerprint: str | None = client.get_run(version.run_id).data.params.get(FINGERPRINT)
    return fingerprint


def _metrics(client: "MlflowClient", version: RegisteredVersion) -> dict[str, float]:
    with translated(version.uri):
        return dict(client.get_run(version.run_id).data.metrics)

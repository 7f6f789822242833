"""What speaks against a version: features, calibration, or a champion that is better."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from relimit.data.errors import ModelError
from relimit.models import load_model
from relimit.training.evidence import weigh_evidence
from relimit.training.registry import RegisteredVersion, resolve_model, version_at_alias
from relimit.training.tested import FINGERPRINT, read_tested
from relimit.training.tracking import open_client, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION: Final = "champion"
CHANCE: Final = 0.5
LIMITS: Final = {"calibration_slope": (0.75, 1.33), "calibration_intercept": (-0.3, 0.3)}
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
    found += _discrimination_objections(_metrics(client, candidate))
    found += _calibration_objections(_metrics(client, candidate))
    champion = version_at_alias(candidate.name, CHAMPION, tracking_uri)
    if champion is not None and champion.version != candidate.version:
        found += _champion_objections(client, champion, candidate)
    return found


def _discrimination_objections(metrics: Mapping[str, float]) -> list[str]:
    """Object where chance alone explains the AUC: below 0.5 within its 95% interval."""
    value, low = metrics.get("auc", math.nan), metrics.get("auc_low", math.nan)
    if low > CHANCE:
        return []
    return [f"it isn't shown to tell bad from good: AUC {value:.3f}, at least {low:.3f}"]


def _calibration_objections(metrics: Mapping[str, float]) -> list[str]:
    """Object where even the nearer end of a figure's 95% interval is out of bounds."""
    found = []
    for name, (low, high) in LIMITS.items():
        value = metrics.get(name, math.nan)
        least, most = (metrics.get(f"{name}_{end}", value) for end in ("low", "high"))
        if not (least <= high and most >= low):
            words = name.replace("_", " ")
            found.append(
                f"{words} {value:.2f} ({least:.2f} to {most:.2f}) is not within {low} to {high}"
            )
    error = metrics.get("ece", math.nan)
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
        worse = evidence.leaning < 0  # few bads claim no ranking, yet they can refuse one
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

"""What speaks against a version: its features, its figures, or a champion that is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relimit.data.errors import ModelError
from relimit.models import load_model
from relimit.training.evidence import weigh_evidence
from relimit.training.registry import RegisteredVersion, resolve_model, version_at_alias
from relimit.training.tested import FINGERPRINT, read_tested
from relimit.training.tracking import open_client, translated
from relimit.training.views import WEIGHTED

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION: Final = "champion"
CHANCE: Final = 0.5
LIMITS: Final = {"calibration_slope": (0.75, 1.33), "calibration_intercept": (-0.3, 0.3)}
MOST_CALIBRATION_ERROR: Final = 0.05
MOST_CHARACTERS: Final = 1_000
"""Of an error that is recorded: MLflow cuts long entries, silently."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What speaks against a version as champion, empty if nothing does, and the evidence."""

    objections: tuple[str, ...]
    evidence: tuple[str, ...]


def judge_candidate(candidate: RegisteredVersion, tracking_uri: str | None = None) -> Judgement:
    """Return what speaks against a version as champion, and what that rests on, in words."""
    client = open_client(tracking_uri)
    metrics = _metrics(client, candidate)
    champion = version_at_alias(candidate.name, CHAMPION, tracking_uri)
    parts = [
        _use(candidate, tracking_uri),
        _discrimination(metrics),
        _calibration(metrics),
        _against_champion(client, champion, candidate),
    ]
    objections, evidence = ([line for part in parts for line in part[i]] for i in (0, 1))
    return Judgement(tuple(objections), tuple(evidence))


Part = tuple[list[str], list[str]]
"""Objections and evidence."""


def _use(candidate: RegisteredVersion, tracking_uri: str | None) -> Part:
    """Object if it can't be loaded here, or knows nothing of what it is asked for."""
    try:
        folder, digest = resolve_model(candidate.uri, tracking_uri)
        caution = load_model(folder, digest=digest).caution
    except ModelError as error:
        return [f"it can't be used here: {error}"[:MOST_CHARACTERS]], []
    return [caution] if caution else [], []


def _discrimination(metrics: Mapping[str, float]) -> Part:
    """Object where chance alone explains the AUC: below 0.5 within its 95% interval."""
    value, low, high = (metrics.get(name, math.nan) for name in ("auc", "auc_low", "auc_high"))
    rows, bads = (metrics.get(name, math.nan) for name in ("rows", "bads"))
    evidence = f"AUC {value:.3f} ({low:.3f} to {high:.3f}) on {rows:.0f} rows with {bads:.0f} bads"
    if low > CHANCE:
        return [], [evidence]
    return [f"it isn't shown to tell bad from good: AUC {value:.3f}, at least {low:.3f}"], [
        evidence
    ]


def _calibration(metrics: Mapping[str, float]) -> Part:
    """Object where even the nearer end of a figure's 95% interval is out of bounds.

    A version whose decisions were weighted is calibrated for all accounts alike, not for those
    that the older policy chose for an arm, and is judged by its weighted figures.
    """
    view = f"{WEIGHTED}_" if f"{WEIGHTED}_calibration_slope" in metrics else ""
    judged = " weighted by propensity" if view else ""
    found, shown = [], []
    for name, (low, high) in LIMITS.items():
        value = metrics.get(f"{view}{name}", math.nan)
        least, most = (metrics.get(f"{view}{name}_{end}", value) for end in ("low", "high"))
        words = f"{name.replace('_', ' ')}{judged} {value:.2f} ({least:.2f} to {most:.2f})"
        shown.append(words)
        if not (least <= high and most >= low):
            found.append(f"{words} is not within {low} to {high}")
    error = metrics.get(f"{view}ece", math.nan)
    shown.append(f"calibration error{judged} {error:.3f}")
    if not error <= MOST_CALIBRATION_ERROR:
        found.append(f"{shown[-1]} is above {MOST_CALIBRATION_ERROR}")
    return found, shown


def _against_champion(
    client: "MlflowClient", champion: RegisteredVersion | None, candidate: RegisteredVersion
) -> Part:
    if champion is None:
        return [], ["there was no champion"]
    if champion.version == candidate.version:
        return [], ["it was the champion already"]
    against = f"worse than the champion, version {champion.version}, beyond noise"
    beside = f"beside the champion, version {champion.version} (a)"
    if _tested_on(client, champion) == _tested_on(client, candidate) is not None:
        with translated(candidate.uri):
            a, b = (read_tested(client, v.run_id) for v in (champion, candidate))
        found = weigh_evidence(a.bad, a.risk, b.risk, a.account)
        reasons = "; ".join(found.reasons)
        worse = found.leaning < 0  # few bads claim no ranking, yet they can refuse one
        objections = [f"{against}, on the same rows ({reasons})"] if worse else []
        return objections, [f"{beside}, on the same rows: {reasons}"]
    a_metrics, b_metrics = _metrics(client, champion), _metrics(client, candidate)
    (a_auc, a_half), (b_auc, b_half) = _auc(a_metrics), _auc(b_metrics)
    difference, half = b_auc - a_auc, math.hypot(a_half, b_half)
    words = f"each on its own rows (AUC {difference:+.4f} ± {half:.4f})"
    worse = not difference + half >= 0.0
    return [f"{against}, {words}"] if worse else [], [f"{beside}, {words}"]


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

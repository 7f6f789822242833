"""What speaks against a version: its features, its figures, or a champion that is better.

Its figures are those of its own manifest, of which the registry holds the digest: the ones of its
run can be logged anew by whoever may write there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relimit.data.errors import ModelError
from relimit.models import Artifact
from relimit.training.evidence import weigh_evidence
from relimit.training.registry import RegisteredVersion, resolve_model, version_at_alias
from relimit.training.tested import FINGERPRINT, SCORES, SliceRisks, read_tested
from relimit.training.tracking import open_client, translated
from relimit.training.views import WEIGHTED

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
    try:
        mine = _artifact(candidate, tracking_uri)
    except ModelError as error:
        return Judgement((_unusable(error),), ())
    champion = version_at_alias(candidate.name, CHAMPION, tracking_uri)
    parts = [
        _use(mine),
        _discrimination(_metrics(mine)),
        _calibration(_metrics(mine)),
        _against_champion(champion, candidate, mine, tracking_uri),
    ]
    objections, evidence = ([line for part in parts for line in part[i]] for i in (0, 1))
    return Judgement(tuple(objections), tuple(evidence))


Part = tuple[list[str], list[str]]
"""Objections and evidence."""


def _use(artifact: Artifact) -> Part:
    """Object if it can't be loaded here, or knows nothing of what it is asked for."""
    try:
        caution = artifact.load().caution
    except ModelError as error:
        return [_unusable(error)], []
    return [caution] if caution else [], []


def _unusable(error: ModelError) -> str:
    return f"it can't be used here: {error}"[:MOST_CHARACTERS]


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
        if math.isnan(value):
            found.append(f"{name.replace('_', ' ')}{judged} is not known: its risk hardly varies")
            continue
        least, most = (metrics.get(f"{view}{name}_{end}", value) for end in ("low", "high"))
        words = f"{name.replace('_', ' ')}{judged} {value:.2f} ({least:.2f} to {most:.2f})"
        outside = f"is not within {low} to {high}"
        if not (least <= high and most >= low):
            found.append(f"{words} {outside}")
        elif not low <= value <= high:
            words += f" {outside}, but so few bads can't refuse it"
        shown.append(words)
    error = metrics.get(f"{view}ece", math.nan)
    shown.append(f"calibration error{judged} {error:.3f}")
    if not error <= MOST_CALIBRATION_ERROR:
        found.append(f"{shown[-1]} is above {MOST_CALIBRATION_ERROR}")
    return found, shown


def _against_champion(
    champion: RegisteredVersion | None,
    candidate: RegisteredVersion,
    mine: Artifact,
    tracking_uri: str | None,
) -> Part:
    if champion is None:
        return [], ["there was no champion"]
    if champion.version == candidate.version:
        return [], ["it was the champion already"]
    beside = f"beside the champion, version {champion.version}"
    try:
        theirs = _artifact(champion, tracking_uri)
        told = _tested_on(theirs), _tested_on(mine)
        if told[0] == told[1] is not None:
            pair = [
                _tested(version, artifact, tracking_uri)
                for version, artifact in ((champion, theirs), (candidate, mine))
            ]
            worse, words = _on_the_same_rows(*pair)
        else:
            worse, words = _on_their_own_rows(_metrics(theirs), _metrics(mine))
    except ModelError as error:
        return [f"it can't be put {beside}: {error}"[:MOST_CHARACTERS]], []
    against = f"worse than the champion, version {champion.version}, beyond noise"
    return [f"{against}, {words}"] if worse else [], [f"{beside} (a), {words}"]


def _on_the_same_rows(a: SliceRisks, b: SliceRisks) -> tuple[bool, str]:
    """Return whether b is worse than a beyond noise, and why; few bads can refuse, not rank."""
    found = weigh_evidence(a.bad, a.risk, b.risk, a.account)
    return found.leaning < 0, f"on the same rows: {'; '.join(found.reasons)}"


def _on_their_own_rows(a: Mapping[str, float], b: Mapping[str, float]) -> tuple[bool, str]:
    """Return whether the AUC of b is below that of a beyond noise, and the difference."""
    (a_auc, a_half), (b_auc, b_half) = _auc(a), _auc(b)
    difference, half = b_auc - a_auc, math.hypot(a_half, b_half)
    words = f"each on its own rows: AUC {difference:+.4f} ± {half:.4f}"
    return not difference + half >= 0.0, words


def _auc(metrics: Mapping[str, float]) -> tuple[float, float]:
    """Return the recorded AUC and its half-width; NaN, which no comparison passes, if absent."""
    value = metrics.get("auc", math.nan)
    return value, metrics.get("auc_high", math.nan) - value


def _artifact(version: RegisteredVersion, tracking_uri: str | None) -> Artifact:
    return Artifact.read(*resolve_model(version.uri, tracking_uri))


def _metrics(artifact: Artifact) -> Mapping[str, float]:
    metrics: Mapping[str, float] = artifact.manifest.get("metrics", {})
    return metrics


def _tested_on(artifact: Artifact) -> str | None:
    """Return the fingerprint of its test rows; None if an older version didn't keep it."""
    fingerprint: str | None = artifact.manifest.get("tested", {}).get(FINGERPRINT)
    return fingerprint


def _tested(version: RegisteredVersion, artifact: Artifact, tracking_uri: str | None) -> SliceRisks:
    client = open_client(tracking_uri)
    with translated(version.uri):
        return read_tested(client, version.run_id, artifact.manifest["tested"][SCORES])

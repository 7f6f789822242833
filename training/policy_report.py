"""The page on a policy's value: the answer first, then what it rests on and where it can't tell."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from relimit.policy.value import ESTIMATORS, Estimate
from relimit.training.discrimination import Interval
from relimit.training.document import (
    Block,
    Cell,
    Document,
    Grid,
    Notice,
    Section,
    to_html,
    write_texts,
)
from relimit.training.policy_segments import TITLES
from relimit.training.policy_value import BESIDE, HEADLINE, OUTCOMES, Evaluation, Valued

PAGE: Final = "policy_value.html"
MEANING: Final = (
    "Each figure is a mean over the logged decisions: what it would have been if the policy had "
    "taken each of them by itself, with everything else as it was. It is what the first night "
    "decides: what later nights add is not in it. What a decision changes in the "
    "same borrower's later ones is not in it; where borrowers come back often, the effects of a "
    "policy in force add up to more. Intervals are 95%, with whole accounts resampled; where few "
    "borrowers went bad, or none, they are at least as wide as the gamma limits of so few events. "
    "Loss, margin and net value are yuan a decision; what is freed and restored are sums in yuan."
)
WHOLE_FROM: Final = 10_000
"""Bounds from here on are shown whole."""
ESTIMATOR_NOTES: Final = (
    "dm, the direct method: outcome models alone; its interval leaves out their error. ips and "
    "snips, inverse propensity scores, plain and self-normalised: weighted outcomes alone. dr, "
    "doubly robust: models corrected by weighted residuals, right if either models or propensities "
    "are. switch dr: the same, but decisions that the log took against its odds are left to the "
    "models; narrower, and right only as far as these are. pooled dr: as dr, corrected by every "
    "delay of the same share; it leaves to the models only what the delay changes. shrunk dr: "
    "pooled dr, drawn to dm as far as its correction is noise, by one standard error at most; with "
    "the limits of pooled dr."
)
SUPPORT_NOTES: Final = (
    "Wanted: decisions in which the candidate takes the arm. Tried: those of them in which the log "
    "took it too. Tries: those of the tried that the log was unlikely to take, so that each stands "
    "for many. Carried: the sum of the weights of the tried; it is close to wanted where the log "
    "gave the arm a chance in similar cases."
)
PROMISES: Final = (
    "Promises kept: of the decisions that return something, the part whose share is back by the "
    "end of the day after the one promised. The incumbent's is measured. No log can tell another "
    "policy's before its launch: its figure supposes that its promises, those at once and those "
    "later, are carried out as well as the incumbent's of the same kind; a dash where there were "
    "none."
)
SCHEDULE: Final = (
    "restored_yuan",
    "share_restored",
    "share_24h",
    "share_7d",
    "share_30d",
    "mean_days",
)


def write_evaluation(found: Evaluation, out: Path) -> None:
    """Write the page into a folder.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    write_texts({PAGE: to_html(evaluation_page(found))}, out)


def evaluation_page(found: Evaluation) -> Document:
    """Return the page."""
    sections = (
        _summary(found),
        _estimators(found),
        *(_segments(found, kind) for kind in dict.fromkeys(s.kind for s in found.segments)),
        _support(found),
    )
    return Document(f"Value of policy {found.policy_version} before launch", sections)


def interval(estimate: Estimate) -> Interval:
    """Return an estimate as a cell."""
    return Interval(estimate.value, estimate.low, estimate.high)


def headline(valued: Valued, outcome: str, estimator: str = HEADLINE) -> Cell:
    """Return an estimate, the headline's if not said, or bounds where history can't answer."""
    if valued.values:
        return interval(valued.values[outcome][estimator])
    low, high = (
        f"{end:,.4g}" if abs(end) < WHOLE_FROM else f"{end:,.0f}" for end in valued.bounds[outcome]
    )
    return f"not known: {low} to {high}"


def _summary(found: Evaluation) -> Section:
    notes: list[Block] = [Notice(text) for text in found.warnings]
    notes += [Notice(f"{v.name}: {v.refusal}") for v in found.policies if v.refusal]
    grid = _figures("Per decision, and what borrowers see", found.policies, (HEADLINE, BESIDE))
    left = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in found.counts.items())
    bad = (
        f"{found.bad_accounts:,} borrowers fell {found.days_past_due} days past due within "
        f"{found.horizon_days} days"
    )
    about = f"{found.decisions:,} decisions, {bad}; model {found.model_version}. Counts: {left}."
    return Section("Value", (*notes, MEANING, grid, PROMISES, about))


def _figures(caption: str, policies: Sequence[Valued], estimators: Sequence[str]) -> Grid:
    """Return outcomes, what returns and when, by policy."""
    rows: list[tuple[Cell, ...]] = [
        (f"{name}, {estimator}", *(headline(v, name, estimator) for v in policies))
        for name in OUTCOMES
        for estimator in estimators
    ]
    rows += [(name, *(v.schedule[name] for v in policies)) for name in SCHEDULE]
    rows.append(("promises kept", *(v.promise_kept for v in policies)))
    rows.append(("effective decisions", *(v.support.effective for v in policies)))
    return Grid(caption, ("", *(v.name for v in policies)), tuple(rows))


def _estimators(found: Evaluation) -> Section:
    blocks: list[Block] = [ESTIMATOR_NOTES]
    for valued in found.policies:
        rows: list[tuple[Cell, ...]] = [
            (name, *(interval(its[estimator]) for estimator in ESTIMATORS))
            for name, its in valued.values.items()
        ]
        heads = ("", *(name.replace("_", " ") for name in ESTIMATORS))
        if rows:
            rest = valued.support
            caption = f"{valued.name}: {rest.effective:,.0f} effective of {rest.target:,.0f} rows"
            blocks.append(Grid(caption, heads, tuple(rows)))
    return Section("Estimators", tuple(blocks))


def _segments(found: Evaluation, kind: str) -> Section:
    blocks: list[Block] = []
    for segment in found.segments:
        if segment.kind == kind:
            bad = f"{segment.bad_accounts:,} borrowers went bad"
            caption = f"{segment.name}: {segment.decisions:,} decisions, {bad}"
            blocks += [_figures(caption, segment.policies, (HEADLINE,))]
    return Section(TITLES[kind], tuple(blocks))


def _support(found: Evaluation) -> Section:
    rows = tuple(
        (
            cell.segment,
            f"{cell.share:.0%} after {cell.delay_days} days",
            round(cell.support.target),
            cell.support.tried,
            cell.support.tries,
            cell.support.carried,
            cell.support.verdict,
        )
        for cell in found.cells
    )
    heads = ("limit", "arm", "wanted", "tried", "tries", "carried", "verdict")
    return Section("Where history can answer", (SUPPORT_NOTES, Grid("By arm", heads, rows)))

"""What a candidate policy is worth before launch, from the log of the policy in place.

A value is per logged decision, everything else as it was: what the candidate's decisions would do
to the borrower's later prepayments, and theirs to later decisions, is not in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS, FEN_PER_YUAN
from relimit.models import RiskModel
from relimit.policy import Policy
from relimit.policy.rare import RareEvents
from relimit.policy.support import (
    Cell,
    Support,
    describe,
    outcome_bounds,
    support_map,
    support_of,
)
from relimit.policy.value import Estimate, estimate_values
from relimit.training.matured import margin_caution
from relimit.training.policy_rows import Assumptions, LogRows
from relimit.training.policy_segments import limit_bands, segments_of
from relimit.training.policy_targets import Target, candidate, incumbent, plain_targets
from relimit.training.splits import unseen_rows

Floats = NDArray[np.float64]

OUTCOMES: Final = ("bad_rate", "loss_yuan", "margin_yuan", "net_yuan")
"""Per decision; net is margin less loss."""
HEADLINE: Final = "shrunk_dr"
"""Where the log's correction of the models is within its noise, they stand; the limits are those of
a correction that trusts them only with what a few days more or less do."""
BESIDE: Final = "dr"
"""Unbiased if either the propensities or the outcome models are right; with much more noise."""
FEW_BAD: Final = 30
"""With fewer bad borrowers a bad rate is hardly known to within a third of itself (1.96 / √30)."""
SLACK_DAYS: Final = 1.0
"""A promise is kept if the limit is back by the end of the day after the one promised."""


@dataclass(frozen=True, slots=True)
class Valued:
    """One policy.

    Attributes
    ----------
    name, support
        The policy, and how much of it the log has tried.
    values
        By outcome and estimator; empty where history can't answer.
    bounds
        By outcome, the least and most it can be; where history can't answer.
    schedule
        What the borrowers see, from the policy's own terms.
    promise_kept
        Of the decisions that return something, the part that has it back in time: as it came for
        the incumbent; for the others if what is due at once, and what is due later, is carried out
        as well as the incumbent's was. None where that is not known.
    refusal
        Why history can't answer; empty where it can.
    """

    name: str
    support: Support
    values: Mapping[str, Mapping[str, Estimate]]
    bounds: Mapping[str, tuple[float, float]]
    schedule: Mapping[str, float]
    promise_kept: float | None
    refusal: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the book; `policies` as in `Evaluation`.

    `bad_accounts` are the borrowers that went bad after one of its decisions.
    """

    kind: str
    name: str
    decisions: int
    bad_accounts: int
    policies: tuple[Valued, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A candidate beside the incumbent and the plain policies.

    Attributes
    ----------
    policy_version, model_version
        The candidate.
    decisions
        How many it is valued on.
    horizon_days, days_past_due
        What a borrower who went bad fell past due within, and by: those of the model.
    bad_accounts
        Borrowers that went bad after one of these decisions.
    policies
        Candidate, incumbent, restore all, restore nothing.
    segments
        By limit, tenure, arrears and the candidate's first reason; see `segments_of`.
    cells
        The candidate's support map by limit band.
    counts
        Decisions left out, and what was filled in.
    warnings
        What to know before trusting any of it.
    """

    policy_version: str
    model_version: str
    horizon_days: int
    days_past_due: int
    decisions: int
    bad_accounts: int
    policies: tuple[Valued, ...]
    segments: tuple[Segment, ...]
    cells: tuple[Cell, ...]
    counts: Mapping[str, int]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "outcomes": list(OUTCOMES),
            "headline": HEADLINE,
            "beside": BESIDE,
            **asdict(self),
        }


def evaluate_policy(
    rows: LogRows, model: RiskModel, policy: Policy, *, all_rows: bool = False, seed: int = 0
) -> Evaluation:
    """Value a candidate, the incumbent and two plain policies on a log's decisions.

    Parameters
    ----------
    rows
        See `read_log_rows`; with the features that the model reads, and outcomes over the days in
        which its risk says that an account goes bad.
    model, policy
        The candidate.
    all_rows
        Value it on all decisions, not just those that the model has not learnt from: right if the
        model comes from another book.
    seed
        Of the bootstrap.

    Raises
    ------
    DataError
        The model has learnt from all of them.
    ModelError
        The outcomes are of another horizon than the model's, or of other days past due.
    """
    _require_its_outcome(model, rows.assumptions)
    kept = np.ones(len(rows), bool) if all_rows else _unseen(rows, model)
    rows = rows.take(kept)
    ours = candidate(rows, model, policy)
    targets = (ours, incumbent(rows), *plain_targets(rows))
    bands = limit_bands(rows.outcomes.limit)
    segments = [
        _segment(rows.take(names == name), [t.take(names == name) for t in targets], kind, name)
        for kind, names in segments_of(rows, ours).items()
        for name in np.unique(names)
    ]
    return Evaluation(
        policy_version=policy.version,
        model_version=model.version,
        horizon_days=model.horizon_days,
        days_past_due=model.days_past_due,
        decisions=len(rows),
        bad_accounts=bad_accounts(rows),
        policies=tuple(value_target(rows, target, seed=seed) for target in targets),
        segments=tuple(segments),
        cells=support_map(rows.logged, ours.probabilities(rows.logged.arm), bands),
        counts={**rows.counts, "learnt_from": int((~kept).sum())},
        warnings=_warnings(rows),
    )


def value_target(rows: LogRows, target: Target, *, seed: int = 0) -> Valued:
    """Value one policy; refused with bounds where the log has not tried what it does."""
    own = bool((target.arm == rows.logged.arm).all())
    logged = rows.logged.as_certain() if own else rows.logged
    wanted = np.eye(len(ARMS))[target.arm] if own else target.probabilities(rows.logged.arm)
    chance = wanted if own else rows.chances
    support = support_of(logged, wanted)
    schedule, kept = target.schedule(rows.labelled.freed), promise_kept(rows, target)
    extremes = {name: _extremes(rows, name) for name in OUTCOMES}
    events = rare_events(rows)
    if not support.answered:
        bounds = {
            name: outcome_bounds(
                logged, wanted, came, extremes[name], events=events[name], seed=seed
            )
            for name, (came, _) in outcome_tables(rows).items()
        }
        return Valued(target.name, support, {}, bounds, schedule, kept, describe(support))
    values = {
        name: estimate_values(
            logged,
            wanted,
            came,
            expected,
            chance=chance,
            events=events[name],
            within=_means(extremes[name]),
            seed=seed,
        )
        for name, (came, expected) in outcome_tables(rows).items()
    }
    return Valued(target.name, support, values, {}, schedule, kept, "")


def _means(extremes: tuple[Floats, Floats]) -> tuple[float, float]:
    low, high = extremes
    return float(low.mean()), float(high.mean())


def outcome_tables(rows: LogRows) -> dict[str, tuple[Floats, Floats]]:
    """Return by outcome what came, `[n]`, and what is expected of every arm, `[n, 25]`."""
    came, expected = rows.outcomes, rows.predicted
    loss, margin = (x / FEN_PER_YUAN for x in (came.loss, came.margin))
    losses, margins = (x / FEN_PER_YUAN for x in (expected.loss, expected.margin))
    pairs = ((came.bad, expected.bad), (loss, losses), (margin, margins))
    return dict(zip(OUTCOMES, (*pairs, (margin - loss, margins - losses)), strict=True))


def rare_events(rows: LogRows) -> dict[str, RareEvents | None]:
    """Return by outcome the bad borrowers that it hangs on; None for the margin, which does not.

    What a bad borrower would lose, where none was, is as the models expect it of the arm taken.
    """
    taken = np.arange(len(rows)), rows.logged.arm
    chance, came = rows.predicted.bad[taken], rows.outcomes
    happened = came.bad == 1.0
    severe = rows.predicted.loss[taken] / np.maximum(chance, np.finfo(float).tiny)
    loss = np.where(happened, came.loss, severe) / FEN_PER_YUAN
    sizes = dict(zip(OUTCOMES, (np.ones(len(rows)), loss, None, -loss), strict=True))
    return {
        name: None if size is None else RareEvents(happened, size, chance)
        for name, size in sizes.items()
    }


def promise_kept(rows: LogRows, target: Target) -> float | None:
    """Return the part of a policy's promises that are back when their delay is over.

    Operations keep promises, not policies: those due at once and those due later are each taken to
    be kept as often as the incumbent's. None if no event tells, or the incumbent promised no such.
    """
    given, back = rows.labelled, rows.restored_days
    promised, known = given.share > 0.0, bool(np.isfinite(back).any())
    kept, total = 0.0, int((target.returned > 0.0).sum())
    for later in (False, True):
        wanted = int(((target.returned > 0.0) & ((target.days > 0.0) == later)).sum())
        like = promised & ((given.delay_days > 0.0) == later)
        if wanted and not (known and like.any()):
            return None
        if wanted:
            due = given.delay_days[like] + SLACK_DAYS
            kept += wanted * float((back[like] <= due).mean())
    return kept / total if total else None


def _require_its_outcome(model: RiskModel, assumed: Assumptions) -> None:
    its, logs = (
        f"{way.days_past_due} days past due in {way.horizon_days} days" for way in (model, assumed)
    )
    if its != logs:
        raise ModelError(
            f"it predicts who falls {its}, but the log's outcomes say who fell {logs}",
            where=f"model {model.version}",
            mend="Read the log with the model's horizon_days and days_past_due in Assumptions",
        )


def bad_accounts(rows: LogRows) -> int:
    """Return how many borrowers went bad after one of the decisions."""
    return len(np.unique(rows.labelled.account_id[rows.outcomes.bad == 1.0]))


def _unseen(rows: LogRows, model: RiskModel) -> NDArray[np.bool_]:
    if "split" not in model.manifest:
        return np.ones(len(rows), bool)
    given = rows.labelled
    kept = unseen_rows(model.manifest["split"], given.account_id, given.as_of)
    return rows.require_some(kept)


def _segment(rows: LogRows, targets: Sequence[Target], kind: str, name: str) -> Segment:
    valued = tuple(value_target(rows, target) for target in targets)
    return Segment(kind, str(name), len(rows), bad_accounts(rows), valued)


def _extremes(rows: LogRows, outcome: str) -> tuple[Floats, Floats]:
    """Return the lowest and highest outcome of each row: what no history is needed to know.

    No more can be lost than was freed, times the loss given default: a review may bring back, too,
    what a decision kept. Margins, to the limit, stay between the least and the greatest that the
    log has.
    """
    n = len(rows)
    none: Floats = np.zeros(n)
    loss = rows.assumptions.loss_given_default * rows.labelled.freed / FEN_PER_YUAN
    ratio = rows.outcomes.margin / rows.outcomes.limit
    low, high = (rows.outcomes.limit * end / FEN_PER_YUAN for end in (ratio.min(), ratio.max()))
    return {
        "bad_rate": (none, np.ones(n)),
        "loss_yuan": (none, loss),
        "margin_yuan": (low, high),
        "net_yuan": (low - loss, high),
    }[outcome]


def _warnings(rows: LogRows) -> tuple[str, ...]:
    found = []
    bad = bad_accounts(rows)
    if bad < FEW_BAD:
        found.append(
            f"only {bad:,} borrowers went bad after the {len(rows):,} decisions valued: no bad "
            "rate and no loss is known to within a third of itself. The limits allow for it; for "
            f"narrower ones bring a log with {FEW_BAD} of them or more"
        )
    if caution := margin_caution(rows.outcomes.margin):
        found.append(caution)
    fitted, off = rows.counts["propensities_fitted"], rows.counts["off_grid"]
    if fitted:
        found.append(
            f"{fitted:,} propensities were not logged and were fitted: what the log's policy saw "
            "and did not write down biases every figure but the incumbent's"
        )
    if off:
        found.append(f"{off:,} logged arms are not on the grid and count as the nearest that is")
    return tuple(found)

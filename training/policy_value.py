"""What a candidate policy is worth before launch, from the log of the policy in place.

A value is per logged decision, everything else as it was: what the candidate's decisions would do
to the borrower's later prepayments, and theirs to later decisions, is not in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, FEN_PER_YUAN
from relimit.models import RiskModel
from relimit.models.arms import arm_grid
from relimit.policy import Policy
from relimit.policy.support import (
    Cell,
    Support,
    describe,
    outcome_bounds,
    support_map,
    support_of,
)
from relimit.policy.value import Estimate, estimate_values
from relimit.training.policy_rows import LogRows
from relimit.training.policy_targets import Target, candidate, incumbent, plain_targets
from relimit.training.splits import unseen_rows

Floats = NDArray[np.float64]

OUTCOMES: Final = ("bad_rate", "loss_yuan", "margin_yuan", "net_yuan")
"""Per decision; net is margin less loss."""
HEADLINE: Final = "pooled_dr"
"""Weighted by the propensities, it trusts the models only with what a few days more or less do."""
BESIDE: Final = "dr"
"""Unbiased if either the propensities or the outcome models are right; with much more noise."""
LIMIT_BANDS_YUAN: Final = (10_000, 30_000, 60_000)
LEAST_ROWS: Final = 100
"""Smaller segments are put together: their intervals would say nothing."""
SMALL: Final = "all smaller"
SLACK_DAYS: Final = 1.0
"""A promise is kept if the limit is back by the end of the day after the one promised."""


@dataclass(frozen=True, slots=True)
class Valued:
    """One policy.

    Attributes
    ----------
    values
        By outcome and estimator; empty where history can't answer.
    bounds
        By outcome, the least and most it can be; where history can't answer.
    schedule
        What the borrowers see, from the policy's own terms.
    refusal
        Why history can't answer; empty where it can.
    """

    name: str
    support: Support
    values: Mapping[str, Mapping[str, Estimate]]
    bounds: Mapping[str, tuple[float, float]]
    schedule: Mapping[str, float]
    refusal: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the book; `policies` and `promise_kept` as in `Evaluation`."""

    kind: str
    name: str
    decisions: int
    policies: tuple[Valued, ...]
    promise_kept: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A candidate beside the incumbent and the plain policies.

    Attributes
    ----------
    policies
        Candidate, incumbent, restore all, restore nothing.
    segments
        By limit band and by the candidate's first reason.
    cells
        The candidate's support map by limit band.
    promise_kept
        Of the decisions that were to return something, the part that had it back in time; None if
        no event tells.
    counts
        Decisions left out, and what was filled in.
    warnings
        What to know before trusting any of it.
    """

    policy_version: str
    model_version: str
    decisions: int
    policies: tuple[Valued, ...]
    segments: tuple[Segment, ...]
    cells: tuple[Cell, ...]
    promise_kept: float | None
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
        See `read_log_rows`; with the features that the model reads.
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
    """
    kept = np.ones(len(rows), bool) if all_rows else _unseen(rows, model)
    rows = rows.take(kept)
    ours = candidate(rows, model, policy)
    targets = (ours, incumbent(rows), *plain_targets(rows))
    bands = limit_bands(rows.outcomes.limit)
    cells = support_map(rows.logged, ours.probabilities(rows.logged.arm), bands)
    segments = [
        _segment(rows.take(names == name), [t.take(names == name) for t in targets], kind, name)
        for kind, names in (("limit", bands), ("reason", _grouped(ours.reason)))
        for name in np.unique(names)
    ]
    return Evaluation(
        policy_version=policy.version,
        model_version=model.version,
        decisions=len(rows),
        policies=tuple(value_target(rows, target, seed=seed) for target in targets),
        segments=tuple(segments),
        cells=cells,
        promise_kept=promise_kept(rows),
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
    schedule = target.schedule(rows.labelled.freed)
    if not support.answered:
        bounds = {
            name: outcome_bounds(logged, wanted, came, _extremes(rows, target, name), seed=seed)
            for name, (came, _) in outcome_tables(rows).items()
        }
        return Valued(target.name, support, {}, bounds, schedule, describe(support))
    values = {
        name: estimate_values(logged, wanted, came, expected, chance=chance, seed=seed)
        for name, (came, expected) in outcome_tables(rows).items()
    }
    return Valued(target.name, support, values, {}, schedule, "")


def outcome_tables(rows: LogRows) -> dict[str, tuple[Floats, Floats]]:
    """Return by outcome what came, `[n]`, and what is expected of every arm, `[n, 25]`."""
    came, expected = rows.outcomes, rows.predicted
    loss, margin = (x / FEN_PER_YUAN for x in (came.loss, came.margin))
    losses, margins = (x / FEN_PER_YUAN for x in (expected.loss, expected.margin))
    pairs = ((came.bad, expected.bad), (loss, losses), (margin, margins))
    return dict(zip(OUTCOMES, (*pairs, (margin - loss, margins - losses)), strict=True))


def limit_bands(limit: Floats) -> NDArray[np.str_]:
    """Return `[n]` names of the bands that limits (fen) fall into, in the order of the alphabet.

    Examples
    --------
    >>> limit_bands(np.array([500_000.0, 9_000_000.0])).tolist()
    ['1: below ¥10,000', '4: ¥60,000 or more']
    """
    low, middle, high = LIMIT_BANDS_YUAN
    names = np.array(
        [
            f"1: below ¥{low:,}",
            f"2: ¥{low:,} to ¥{middle:,}",
            f"3: ¥{middle:,} to ¥{high:,}",
            f"4: ¥{high:,} or more",
        ]
    )
    return names[np.searchsorted(LIMIT_BANDS_YUAN, limit / FEN_PER_YUAN, side="right")]


def promise_kept(rows: LogRows) -> float | None:
    """Return the part of the logged decisions whose share was back when its delay was over."""
    promised = rows.labelled.share > 0.0
    if np.isnan(rows.restored_days[promised]).all():
        return None
    due = rows.labelled.delay_days[promised] + SLACK_DAYS
    return float((rows.restored_days[promised] <= due).mean())


def _unseen(rows: LogRows, model: RiskModel) -> NDArray[np.bool_]:
    if "split" not in model.manifest:
        return np.ones(len(rows), bool)
    given = rows.labelled
    kept = unseen_rows(model.manifest["split"], given.account_id, given.as_of)
    return rows.require_some(kept)


def _segment(rows: LogRows, targets: Sequence[Target], kind: str, name: str) -> Segment:
    valued = tuple(value_target(rows, target) for target in targets)
    return Segment(kind, str(name), len(rows), valued, promise_kept(rows))


def _grouped(names: NDArray[np.str_]) -> NDArray[np.str_]:
    found, place, count = np.unique(names, return_inverse=True, return_counts=True)
    return np.where(count[place] >= LEAST_ROWS, found[place], SMALL)


def _extremes(rows: LogRows, target: Target, outcome: str) -> tuple[Floats, Floats]:
    """Return the lowest and highest outcome of each row: what no history is needed to know.

    No more can be lost than is restored, times the loss given default. Margins, to the limit, stay
    between the least and the greatest that the log has.
    """
    n = len(rows)
    none: Floats = np.zeros(n)
    share = arm_grid()[target.arm, 0]
    loss = rows.assumptions.loss_given_default * rows.labelled.freed * share / FEN_PER_YUAN
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
    fitted, off = rows.counts["propensities_fitted"], rows.counts["off_grid"]
    if fitted:
        found.append(
            f"{fitted:,} propensities were not logged and were fitted: what the log's policy saw "
            "and did not write down biases every figure but the incumbent's"
        )
    if off:
        found.append(f"{off:,} logged arms are not on the grid and count as the nearest that is")
    return tuple(found)

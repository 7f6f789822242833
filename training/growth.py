"""Growing an estimator, and log-odds of rows that it has not seen to calibrate it on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from relimit.models import BoostedTrees, RiskEstimator, Scorecard
from relimit.training.discrimination import Floats
from relimit.training.splits import OUT_OF_ACCOUNT, Split, account_hash
from relimit.training.tune import Slice

FOLDS: Final = 4
MOST_BADS: Final = 5_000
"""With more, the calibration slice has enough of its own, and so have the trees without it."""
LEAST_BADS: Final = 10
"""With fewer in a fold, when to stop growing is chance."""
MOST_ROWS: Final = 100_000
"""With more rows, growing five times takes too long."""
SALT: Final = 1
"""Of the hash that deals accounts to folds: apart from the one that made the slices."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grown:
    """What the estimator was grown on, and what calibrates it.

    Attributes
    ----------
    learnt
        Numbers of the rows that it was grown on.
    calibrates
        Numbers of the rows to calibrate on: later ones, or the same where folds are left out.
    log_odds
        `[calibrates]` from trees, or a card, that have not seen the row's account.
    """

    learnt: Ints
    calibrates: Ints
    log_odds: Floats

    @property
    def cross_fitted(self) -> bool:
        """Whether the rows that it was grown on calibrate it."""
        return self.learnt is self.calibrates


def part_of_a_bad(bad: Bools, late: Bools, *, learn: Ints) -> Floats | None:
    """Return what trees learn: 1 for a bad, the roll rate for arrears that did not become one.

    Of whoever falls into arrears, chance decides much of who stays in them: what tells the many is
    most of what tells the few. Each therefore counts as much of a bad as such arrears become one on
    average, a surrogate index beside the outcome itself (Athey et al. 2019). Calibrated on bads
    alone, the risk stays that of a bad.

    Parameters
    ----------
    bad, late
        `[n]` the outcome, and whether any arrears came in its window.
    learn
        Numbers of the rows that may be learnt from.

    Returns
    -------
    Floats | None
        `[n]`; None if no row but the bads had arrears, so that there is nothing more to learn.
    """
    short = late & ~bad
    if not short[learn].any():
        return None
    bads = int(bad[learn].sum())
    return np.where(bad, 1.0, short * (bads / (bads + int(short[learn].sum()))))


def grow(
    estimator: RiskEstimator,
    take: Callable[[Ints], Slice],
    split: Split,
    bad: Bools,
    account: NDArray[Any],
    *,
    arm_effect: Floats | None,
    to_come: int,
) -> Grown:
    """Fit the estimator.

    Trees stop growing, and are calibrated, on the second slice; so it teaches them nothing. Where
    bads are few and the slices not apart in time, this is too dear: the trees are grown on both
    slices, as many as stop best where a fold of accounts is left out, and calibrated on what those
    say of their own fold (as in cross-fitting, Chernozhukov et al. 2018).

    Parameters
    ----------
    take
        Returns rows with their arms, outcomes and weights.
    split, bad, account
        The slices, and `[n]` outcomes and ids.
    arm_effect
        As for `BoostedTrees.fit`.
    to_come
        About how many rows are then to be scored.
    """
    fit, calibrate = split.fit, split.calibrate
    later = take(calibrate)
    if isinstance(estimator, BoostedTrees):
        both = np.sort(np.concatenate([fit, calibrate]))
        if split.kind == OUT_OF_ACCOUNT and _are_few(bad[both]):
            fold = (account_hash(account[both], SALT) * FOLDS).astype(np.int64)
            log_odds = _leave_folds_out(estimator, take, both, fold, arm_effect)
            estimator.head_.scores.expect(to_come)
            return Grown(both, both, log_odds)
        estimator.fit(*take(fit), eval_set=later, arm_effect=arm_effect)
        estimator.head_.scores.expect(to_come)
    elif isinstance(estimator, Scorecard):
        estimator.fit(*take(fit), groups=account[fit])
    else:
        estimator.fit(*take(fit))
    return Grown(fit, calibrate, estimator.log_odds(later[0]))


def _are_few(bad: Bools) -> bool:
    return len(bad) <= MOST_ROWS and FOLDS * LEAST_BADS <= int(bad.sum()) <= MOST_BADS


def _leave_folds_out(
    estimator: BoostedTrees,
    take: Callable[[Ints], Slice],
    rows: Ints,
    fold: Ints,
    arm_effect: Floats | None,
) -> Floats:
    """Fit on all rows; return each row's log-odds from trees grown without its fold."""
    log_odds, trees = np.empty(len(rows)), []
    for held in range(FOLDS):
        out = fold == held
        own, part = take(rows[out]), clone(estimator)
        part.fit(*take(rows[~out]), eval_set=own, arm_effect=arm_effect)
        log_odds[out] = part.log_odds(own[0])
        trees.append(part.best_iteration_ - (arm_effect is not None))
    estimator.fit(*take(rows), arm_effect=arm_effect, trees=round(float(np.mean(trees))))
    return log_odds

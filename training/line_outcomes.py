"""What a whole policy does to borrowers' lines, and by them to losses: no decision stands alone.

A limit that one decision withholds is missing from the line on which the account's other decisions
lose, and from what the borrower can owe. So the outcome of each depends on what all of them
withhold. A borrower who goes bad stopped paying as many days before the outcome horizon ends as
make a bad; what counts is the part of the line that is withheld on average until then.

Odds of bad fall with that part, by one coefficient for all (`estimate_line_effect`). Whoever goes
bad owes some part of what the line leaves; these parts, as the log's bads show them, are taken as
the same whatever is withheld. Losses are then put on the log's level, and along the ratio by which
tiers tell decisions apart on its slope. It is assumed that decisions come as they were logged, that
what is withheld stays so for the horizon, that a delay by itself avoids nothing (older rules delay
most what they share least, so that a log can't tell the two apart), and that what the features
leave of the older policy's choice has no part in who goes bad.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import PoissonRegressor

from relimit.data.vocabulary import (
    BAD_DAYS_PAST_DUE,
    BAD_HORIZON_DAYS,
    DELAYS_DAYS,
    LOSS_GIVEN_DEFAULT,
)
from relimit.models.arms import arm_grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WITHHELD: Final = 1.0 - arm_grid()[:, 0]
"""`[25]` the share that each arm withholds."""
PARTS: Final = 20
"""So many quantiles stand for the parts of their lines that bad borrowers owe."""
LEAST_LOSSES: Final = 50
"""With fewer losses in the log their level and slope are noise: the estimate's own stay."""
MOST_LEVEL: Final = 20.0
"""A log that lost more than so many times what its arms leave to lose contradicts them."""
LEAST_RATIO: Final = 1e-3
SMOOTHING: Final = 1e-6
STEP: Final = 0.05
"""Part of a line over which the slope of a loss is taken."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """A log's decisions, `[m]` each.

    `day` is when, in days; `freed` and `limit` are fen; `withheld` is the share that the log's arm
    withholds; `ratio`, expected loss over freed limit, is what a policy's tiers read.
    """

    account: NDArray[Any]
    day: Floats
    freed: Floats
    limit: Floats
    withheld: Floats
    ratio: Floats


@dataclass(frozen=True, slots=True)
class Lines:
    """How the decisions of a log bear on each other's lines.

    Attributes
    ----------
    log
        `[m]` decisions.
    by, on
        `[pairs]` a decision, and another of the account on whose line it bears.
    part
        `[pairs]` the part of that line which is withheld on average over its window if the one
        withholds all that it freed.
    """

    log: Decisions
    by: Ints
    on: Ints
    part: Floats

    @classmethod
    def of(
        cls,
        log: Decisions,
        horizon_days: int = BAD_HORIZON_DAYS,
        days_past_due: int = BAD_DAYS_PAST_DUE,
    ) -> Self:
        """Find the pairs: what is withheld stays so for the horizon."""
        # Within a horizon as short as the arrears, whoever goes bad had stopped paying before: the
        # line of the first day is what counts.
        window = max(horizon_days - days_past_due, 1)
        order = np.lexsort((log.day, log.account))
        who, when = np.asarray(log.account)[order], log.day[order]
        none = np.empty(0, np.int64)
        found = [(none, none)]
        for lag in range(1, len(order)):
            near = (who[lag:] == who[:-lag]) & (when[lag:] - when[:-lag] < horizon_days)
            if not near.any():
                break
            at = np.flatnonzero(near)
            found.append((order[at], order[at + lag]))
        earlier, later = (np.concatenate(some) for some in zip(*found, strict=True))
        gap = log.day[later] - log.day[earlier]
        of_later = np.minimum((horizon_days - gap) / window, 1.0)
        of_earlier = np.maximum(1.0 - gap / window, 0.0)
        by, on = np.concatenate([earlier, later]), np.concatenate([later, earlier])
        part = np.concatenate([of_later, of_earlier]) * log.freed[by] / log.limit[on]
        return cls(log, by, on, part)

    def others(self, withheld: Floats, *, before: bool = False) -> Floats:
        """Return `[m]` the part of each line that the account's other decisions withhold.

        Parameters
        ----------
        withheld
            `[m]` the share that each decision withholds.
        before
            Count earlier decisions alone: what is known at the decision.
        """
        part = self.part
        if before:
            part = np.where(self.log.day[self.by] <= self.log.day[self.on], part, 0.0)
        held = np.bincount(self.on, part * withheld[self.by], minlength=len(withheld))
        return held.astype(np.float64)

    def spilled(self, slope: Floats) -> Floats:
        """Return `[m]` what the others lose more if a decision withholds all, not nothing.

        `slope` `[m]` is what each loses more if the whole of its line is withheld by another.
        """
        lost = np.bincount(self.by, self.part * slope[self.on], minlength=len(slope))
        return lost.astype(np.float64)

    @property
    def own(self) -> Floats:
        """`[m]` the part of the line that was freed."""
        return self.log.freed / self.log.limit


@dataclass(frozen=True, slots=True)
class LineOutcomes:
    """Odds and losses by what is withheld of the line.

    Attributes
    ----------
    lines
        Of the log.
    effect
        By how much withholding a whole line lowers the log-odds of bad; at least 0.
    log_odds
        `[m]` of bad if nothing were withheld.
    parts
        Parts of their lines that bad borrowers owe.
    scale
        `[m]` what came of the log over what the rest says.
    contradicted
        Whether the log lost what its arms left hardly a limit to lose, so that it has no level.
    """

    lines: Lines
    effect: float
    log_odds: Floats
    parts: Floats
    scale: Floats
    contradicted: bool = False

    @classmethod
    def fit(
        cls, lines: Lines, effect: float, *, bad: Floats, owed: Floats, loss: Floats, known: Bools
    ) -> Self:
        """Fit parts and scale.

        Parameters
        ----------
        bad
            `[m]` probabilities of bad under the logged arms, in (0, 1), from models that have not
            seen the account.
        owed
            `[m]` fen that was owed when a borrower went bad, 0 where none did.
        loss
            `[m]` fen that was lost.
        known
            `[m]` whether `ratio` is of a model that has not learnt from the decision.
        """
        log = lines.log
        held = np.minimum(lines.own * log.withheld + lines.others(log.withheld), 1.0)
        left = log.limit * (1.0 - held)
        part = np.minimum(owed[owed > 0.0] / np.maximum(left[owed > 0.0], 1.0), 1.0)
        parts = np.quantile(part, (np.arange(PARTS) + 0.5) / PARTS)
        found = cls(lines, effect, logit(bad) + effect * held, parts, np.ones(len(loss)))
        expected = found.at(held, np.arange(len(loss)))[1]
        lost = (loss > 0.0).sum() >= LEAST_LOSSES
        if lost and loss.sum() > MOST_LEVEL * expected.sum():
            return replace(found, contradicted=True)
        return replace(found, scale=_scale(expected, loss, log.ratio, known))

    def at(self, held: Floats, rows: Ints) -> tuple[Floats, Floats]:
        """Return P(bad) and expected loss in fen of some rows, for parts of the line withheld.

        Parameters
        ----------
        held
            `[n]` or `[n, k]`, at least 0.
        rows
            `[n]` places in the log.
        """
        held, log = np.minimum(held, 1.0), self.lines.log
        wide = (-1,) + (1,) * (held.ndim - 1)
        base, limit, freed, scale = (
            column[rows].reshape(wide)
            for column in (self.log_odds, log.limit, log.freed, self.scale)
        )
        bad = expit(base - self.effect * held)
        left, over = limit * (1.0 - held), np.zeros(held.shape)
        for part in self.parts:
            over += np.maximum(part * left - (limit - freed), 0.0)
        return bad, bad * over * scale * (LOSS_GIVEN_DEFAULT / PARTS)

    def by_arm(self, others: Floats, rows: Ints) -> tuple[Floats, Floats]:
        """Return `[n, 25]` P(bad) and loss of rows by arm, where others withhold `[m]` parts."""
        shares = WITHHELD[:: len(DELAYS_DAYS)]  # a delay withholds nothing
        bad, loss = self.at(others[rows, None] + np.outer(self.lines.own[rows], shares), rows)
        return np.repeat(bad, len(DELAYS_DAYS), axis=1), np.repeat(loss, len(DELAYS_DAYS), axis=1)

    def spilled(self, others: Floats, withheld: Floats, rows: Ints) -> Floats:
        """Return `[n, 25]` fen: what each arm of each row loses on the other rows.

        To first order about rows that withhold `withheld` `[m]` while others withhold `others`.
        Summed over rows, it is what the losses of all change by against `others`.
        """
        held = others[rows] + self.lines.own[rows] * withheld[rows]
        slope = np.zeros(len(others))
        slope[rows] = (self.at(held + STEP, rows)[1] - self.at(held, rows)[1]) / STEP
        before = slope[rows] * others[rows]
        return np.outer(self.lines.spilled(slope)[rows], WITHHELD) - before[:, None]


def _scale(expected: Floats, loss: Floats, ratio: Floats, known: Bools) -> Floats:
    """Return `[m]` factors: the log's losses, also along the ratio by which tiers are told apart.

    The slope is a quasi-Poisson regression's (Gourieroux, Monfort & Trognon 1984).
    """
    if (loss > 0).sum() < LEAST_LOSSES:
        return np.ones(len(loss))
    level = loss.sum() / expected.sum()
    told = known & (expected > LEAST_RATIO * expected.mean())
    if (loss[told] > 0).sum() < LEAST_LOSSES:
        return np.full(len(loss), level)
    log_ratio = np.log(np.maximum(ratio, LEAST_RATIO))
    y, weight = loss[told] / expected[told], expected[told] / expected[told].mean()
    fitted = PoissonRegressor(alpha=SMOOTHING, max_iter=1_000)
    X = (log_ratio - log_ratio[told].mean())[:, None]
    fitted.fit(X[told], y / np.average(y, weights=weight), sample_weight=weight)
    slope = np.exp(X @ fitted.coef_)
    return np.asarray(level * slope * expected[known].sum() / (slope * expected)[known].sum())

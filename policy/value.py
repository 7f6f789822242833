"""What a policy would have come to, from the log of another: off-policy estimates on 25 arms.

Each estimator answers "what is the mean outcome if every logged decision, its situation as it was,
had been taken by the target policy". It is a value of single decisions: later decisions of the same
account stay as the log's policy took them.

- DM, the direct method: the outcome model's mean. Its interval leaves out the model's own error.
- IPS, inverse propensity scoring (Horvitz & Thompson 1952).
- SNIPS, self-normalised (Swaminathan & Joachims 2015).
- DR, doubly robust (Dudik, Langford & Li 2011): the model, corrected by weighted residuals.
- Switch-DR (Wang, Agarwal & Dudik 2017): corrected only where the weight is not above a threshold.
  Where it is, the model stands in, and its interval leaves out that part's error as DM's does.
- Pooled DR: as DR, but corrected by all arms of the same share, see `pooling`. It trusts the model
  with the difference between delays alone.
- Shrunk DR: pooled DR, its correction drawn to 0 as far as that is noise (the positive part of
  James & Stein 1961). It moves by at most one standard error, within the limits of pooled DR, which
  stay: what the log does not tell is taken from the model, and not passed off as known.

Where an outcome hangs on few events, the limits of all but DM allow for those that might have come
(`rare`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from relimit.data.errors import DataError
from relimit.data.vocabulary import ARMS
from relimit.policy.cases import Bools, Floats, Ints
from relimit.policy.pooling import spread_delays
from relimit.policy.rare import NO_REACH, RareEvents, Reach
from relimit.policy.resample import DRAWS, resampled_sums

ESTIMATORS: Final = ("dm", "ips", "snips", "dr", "switch_dr", "pooled_dr", "shrunk_dr")
HEAVY: Final = 20.0
"""A weight above this rests on a decision that the log's policy took less than once in twenty: the
few there are stand for many, and Switch-DR leaves them to the model."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval."""

    value: float
    low: float
    high: float

    def within(self, least: float, most: float) -> "Estimate":
        """Return the estimate moved to where it can be: a correction may overshoot.

        Examples
        --------
        >>> Estimate(-0.01, -0.05, 0.03).within(0.0, 1.0)
        Estimate(value=0.0, low=0.0, high=0.03)
        """
        moved = (min(max(end, least), most) for end in (self.value, self.low, self.high))
        return Estimate(*moved)


@dataclass(frozen=True, slots=True)
class Logged:
    """Decisions of the logging policy, `[n]`.

    Attributes
    ----------
    arm
        Place in `ARMS` of the arm that was taken.
    propensity
        Probability with which it was taken, above 0.
    account
        Ids: whose rows go together.
    """

    arm: Ints
    propensity: Floats
    account: NDArray[Any]

    def __post_init__(self) -> None:
        """Refuse what can't be a log.

        Raises
        ------
        DataError
            An arm is not in the grid, or a propensity not in (0, 1].
        """
        _reject((self.arm < 0) | (self.arm >= len(ARMS)), "arms are not in the grid")
        fits = (self.propensity > 0.0) & (self.propensity <= 1.0)
        _reject(~fits, "propensities are not in (0, 1]")

    def __len__(self) -> int:
        return len(self.arm)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(self.arm[rows], self.propensity[rows], self.account[rows])

    def as_certain(self) -> Self:
        """Return the log as if its arms had been the only ones: then its own value is its mean."""
        return type(self)(self.arm, np.ones(len(self)), self.account)

    def weights(self, target: Floats) -> Floats:
        """Return `[n]` the target's probability of the arm that was taken, over the log's.

        Parameters
        ----------
        target
            `[n, 25]` the target policy's probabilities.

        Raises
        ------
        DataError
            A row of `target` is not a distribution.
        """
        if target.shape != (len(self), len(ARMS)):
            what = f"the target is {target.shape}, expected {(len(self), len(ARMS))}"
            raise DataError(what, where="target policy", mend="Give one row for each decision")
        wrong = (target < 0.0).any(axis=1) | (np.abs(target.sum(axis=1) - 1.0) > 1e-9)
        _reject(np.asarray(wrong), "rows of the target policy are no distribution")
        taken: Floats = target[np.arange(len(self)), self.arm]
        return np.asarray(taken / self.propensity)


def effective_rows(weight: Floats) -> float:
    """Return (Σw)² / Σw²: how many equally weighted rows tell as much (Kish 1965).

    Examples
    --------
    >>> effective_rows(np.array([1.0, 1.0, 0.0])), effective_rows(np.zeros(3))
    (2.0, 0.0)
    """
    squares = float(np.square(weight).sum())
    return float(weight.sum() ** 2 / squares) if squares else 0.0


def estimate_values(
    logged: Logged,
    target: Floats,
    outcome: Floats,
    predicted: Floats,
    *,
    chance: Floats,
    events: RareEvents | None = None,
    within: tuple[float, float] = (-np.inf, np.inf),
    heavy: float = HEAVY,
    draws: int = DRAWS,
    seed: int = 0,
) -> Mapping[str, Estimate]:
    """Return the mean outcome under the target policy by each of `ESTIMATORS`.

    Parameters
    ----------
    logged
        `[n]` decisions, at least one.
    target
        `[n, 25]` the target policy's probabilities.
    outcome
        `[n]` what came of the arms that were taken, without NaN.
    predicted
        `[n, 25]` what a model, which has not seen the row, expects of every arm.
    chance
        `[n, 25]` how likely the log was to take each arm, as `spread_delays` reads it.
    events
        The events that the outcome hangs on; None if it does not hang on any.
    within
        The least and the most that the mean outcome can be.
    heavy
        Weights above it are heavy: Switch-DR leaves them out, and the other intervals count their
        noise by the model where the sample shows less.
    draws, seed
        Of the bootstrap over accounts.

    Raises
    ------
    DataError
        The target's rows are no distributions.
    """
    weight = logged.weights(target)
    direct = (target * predicted).sum(axis=1)
    residual = outcome - predicted[np.arange(len(logged)), logged.arm]
    light, rare = _split(weight, heavy)
    pooled, rare_pooled = _split(logged.weights(spread_delays(target, chance)), heavy)
    nothing, ones = np.zeros(len(logged)), np.ones(len(logged))
    parts = {
        "dm": _Parts(direct, nothing, nothing, nothing, ones),
        "ips": _Parts(light * outcome, light, rare, outcome, ones),
        "snips": _Parts(light * outcome, light, rare, outcome, weight),
        "dr": _Parts(direct + light * residual, light, rare, residual, ones),
        "switch_dr": _Parts(direct + light * residual, light, nothing, nothing, ones),
        "pooled_dr": _Parts(direct + pooled * residual, pooled, rare_pooled, residual, ones),
    }
    columns = np.hstack([part.columns for part in parts.values()])
    sums = np.hsplit(resampled_sums(columns, logged.account, draws=draws, seed=seed), len(parts))
    accounts = len(np.unique(logged.account))
    found = {
        name: part.estimate(drawn, accounts, part.reach(events, logged.account))
        for (name, part), drawn in zip(parts.items(), sums, strict=True)
    }
    # Of what was done itself the log tells all: there is nothing to take from a model.
    own = bool((weight == 1.0).all())
    found["shrunk_dr"] = found["dr"] if own else _shrunk(found["dm"], found["pooled_dr"])
    return {name: found[name].within(*within) for name in ESTIMATORS}


def _shrunk(model: Estimate, corrected: Estimate) -> Estimate:
    """Return the corrected value, drawn to the model's as far as the correction is noise."""
    correction = corrected.value - model.value
    half = corrected.value - corrected.low if correction > 0.0 else corrected.high - corrected.value
    error = half / float(norm.ppf(0.975))
    if abs(correction) <= error:
        return Estimate(model.value, corrected.low, corrected.high)
    value = corrected.value - error**2 / correction
    return Estimate(value, corrected.low, corrected.high)


def _split(weight: Floats, heavy: float) -> tuple[Floats, Floats]:
    light = np.where(weight <= heavy, weight, 0.0)
    return light, weight - light


@dataclass(frozen=True, slots=True)
class _Parts:
    """A ratio of sums over rows, `[n]` each: (sure + rare weight x what it weighs) / bottom.

    `light` is the weight of what came in `sure`.
    """

    sure: Floats
    light: Floats
    rare: Floats
    weighed: Floats
    bottom: Floats

    @property
    def columns(self) -> Floats:
        """What is summed over accounts, `[n, 3]`."""
        return np.column_stack([self.sure, self.rare * self.weighed, self.bottom])

    def reach(self, events: RareEvents | None, account: NDArray[Any]) -> Reach:
        """Return how far the ratio may lie from what the events that were seen give."""
        total = float(self.bottom.sum())
        if events is None or total <= 0.0 or not self.light.any():
            return NO_REACH
        return events.reach(self.light / total, account)

    def estimate(self, sums: Floats, accounts: int, reach: Reach) -> Estimate:
        """Return the ratio and its interval, from the resampled sums of `columns`.

        A handful of heavy rows varies less in resamples than it might have come out: one of them
        gone bad would change everything, yet no resample can draw what did not happen. So their
        variance is at least what the spread of all rows gives, and Student's quantile has the
        degrees of freedom of few (Satterthwaite 1946).
        """
        total = self.bottom.sum()
        if total <= 0.0:
            return Estimate(float("nan"), -float("inf"), float("inf"))
        value = float(self.columns[:, :2].sum() / total)
        normalised = bool(np.ptp(self.bottom) > 0.0)
        spread = np.square(self.weighed - value * normalised).mean()
        expected = float(np.square(self.rare).sum() * spread / total**2)
        bottom = np.maximum(sums[:, 2], np.finfo(float).tiny)
        of_rare = float(np.var(sums[:, 1] / bottom))
        seen = float(np.var((sums[:, 0] + sums[:, 1]) / bottom))
        variance = seen + max(expected - of_rare, 0.0)
        few = int((self.rare > 0.0).sum())
        freedom = _freedom(variance, max(expected, of_rare), few, accounts)
        below, above = reach.halves(variance, float(student.ppf(0.975, freedom)))
        return Estimate(value, value - below, value + above)


def _freedom(variance: float, of_rare: float, few: int, accounts: int) -> float:
    rest = max(variance - of_rare, 0.0)
    shares = of_rare**2 / max(few - 1, 1) + rest**2 / max(accounts - 1, 1)
    return max(variance**2 / shares, 1.0) if shares > 0.0 else max(accounts - 1.0, 1.0)


def _reject(wrong: Bools, what: str) -> None:
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum()):,} of {len(wrong):,} {what}",
            where="decisions",
            mend="Correct them or leave these decisions out",
        )

"""What withholding a limit does to the odds of bad, learnt from a log that chose who is withheld.

Trees that see the arm beside some hundred features hardly learn it: few rows are bad, its effect is
small beside theirs, and what they leave out stays with the features that the older policy chose by
(regularisation-induced confounding, Hahn, Murray & Carvalho 2020). So the effect is estimated by
itself, as one number: a logistic regression of bad on the part of the limit's days withheld, beside
the risk of such accounts and what the policy withholds of them on average, both cross-fitted
(Robinson 1988; Chernozhukov et al. 2018), with the rows weighted by propensity. What the risk
leaves of the policy's choice, the average withheld is there to catch, and the weights what both
leave.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from relimit.models.arms import arm_grid
from relimit.training.discrimination import Floats, Interval, half_width, standard_error
from relimit.training.labelled import Labelled
from relimit.training.metrics import fit_logistic
from relimit.training.splits import account_hash, sample_rows

MOST_ROWS: Final = 30_000
"""Rows that the effect is learnt from: with more it is known well enough."""
ENOUGH_BADS: Final = 25
"""Bads that each half of the accounts needs."""
TREES: Final = 60
BELIEVED: Final = 1.0
"""Standard deviation of the effects that are expected before a log is seen, in log-odds: an odds
ratio between 1/7 and 7 in 95 of 100 cases (Greenland 2006). What a small log says is drawn towards
0 by it."""


@dataclass(frozen=True, slots=True)
class ArmEffect:
    """By how much restoring a whole limit at once raises the log-odds of bad over withholding it.

    Attributes
    ----------
    estimate
        What the log says, with 95% limits over accounts.
    used
        What the model takes: the estimate drawn towards 0 as far as it is uncertain, and at least
        0, since restoring more lowers nobody's risk.
    rows, bads
        What it was learnt from.
    """

    estimate: Interval
    used: float
    rows: int
    bads: int

    def by_arm(self, horizon_days: int) -> Floats:
        """Return the log-odds that each of the 25 arms adds, full restoration at once none."""
        share, delay = arm_grid().T
        return -self.used * withheld_part(share, delay, horizon_days)

    def to_dict(self) -> dict[str, float]:
        """Return the figures for a run or a manifest."""
        found = self.estimate
        return {
            "arm_effect": found.value,
            "arm_effect_low": found.low,
            "arm_effect_high": found.high,
            "arm_effect_used": self.used,
        }


def withheld_part(share: Floats, delay_days: Floats, horizon_days: int) -> Floats:
    """Return which part of the freed limit's days within the outcome horizon an arm withholds.

    Examples
    --------
    >>> withheld_part(np.array([1.0, 0.5, 0.0]), np.array([18.0, 0.0, 30.0]), 180)
    array([0.1, 0.5, 1. ])
    """
    return np.asarray(1.0 - share * np.maximum(1.0 - delay_days / horizon_days, 0.0))


def estimate_arm_effect(
    X: Floats,
    names: Sequence[str],
    labelled: Labelled,
    weight: Floats,
    *,
    learn: NDArray[np.int64],
    horizon_days: int,
    monotone: Mapping[str, int] | None = None,
    seed: int = 0,
) -> ArmEffect | None:
    """Estimate the effect, each half of the accounts with what the other half taught.

    Parameters
    ----------
    X, names
        `[n, F]` features and their names.
    labelled
        `[n]` outcomes and arms, all known.
    weight
        `[n]` propensity weights.
    learn
        Numbers of the rows that a model may learn from.
    horizon_days
        Length of the outcome window.
    monotone
        Direction of risk by feature, where one is stated.
    seed
        Draws the rows, if there are very many.

    Returns
    -------
    ArmEffect | None
        None if half of the accounts have fewer than 25 bads, or the arm follows from the features.
    """
    rows = learn[sample_rows(len(learn), MOST_ROWS, seed)]
    some = labelled.take(rows)
    withheld = withheld_part(some.share, some.delay_days, horizon_days)
    found = effect_of_withheld(
        X[rows],
        names,
        withheld,
        some.bad,
        some.account_id,
        weight=weight[rows],
        monotone=monotone,
        seed=seed,
    )
    return None if found is None else _effect(*found, some)


def effect_of_withheld(
    X: Floats,
    names: Sequence[str],
    withheld: Floats,
    bad: NDArray[np.bool_],
    account: NDArray[Any],
    *,
    weight: Floats | None = None,
    monotone: Mapping[str, int] | None = None,
    seed: int = 0,
) -> tuple[float, Floats] | None:
    """Return by how much withholding lowers the log-odds of bad, and each row's influence on that.

    Parameters
    ----------
    withheld
        `[n]` what was withheld, in any unit.
    weight
        `[n]`; all rows alike if None.
    """
    place = account_hash(account)
    first = place < np.median(place)
    if min(bad[first].sum(), bad[~first].sum()) < ENOUGH_BADS:
        return None
    directions = [(monotone or {}).get(name, 0) for name in names]
    risk, expected = np.empty(len(bad)), np.empty(len(bad))
    for half in (first, ~first):
        data, asked = _binned(X[~half]), X[half]
        expected[half] = _learn(data, withheld[~half], seed).predict(asked, num_threads=1)
        own = {"objective": "binary", "monotone_constraints": directions}
        trees = _learn(data, bad[~half], seed, own)
        risk[half] = trees.predict(asked, raw_score=True, num_threads=1)
    design = np.column_stack([withheld, np.ones(len(bad)), risk, expected])
    found = fit_logistic(design, bad, weight=weight)
    return None if found is None else (-float(found[0][0]), found[1][:, 0])


def expected_withheld(learn: Floats, withheld: Floats, X: Floats, seed: int = 0) -> Floats:
    """Return what the older policy withheld, on average, of accounts with such features.

    Beside it, what a row's arm still tells is chance or hidden choice.

    Parameters
    ----------
    learn, withheld
        `[m, F]` features and `[m]` parts withheld to learn from.
    X
        `[n, F]` features of the rows asked for.
    """
    grown = _learn(_binned(learn), withheld, seed)
    return np.asarray(grown.predict(X, num_threads=1))


def _effect(value: float, influence: Floats, rows: Labelled) -> ArmEffect:
    error = standard_error(influence, rows.account_id)
    half = half_width(influence, rows.account_id)
    drawn = value * BELIEVED**2 / (BELIEVED**2 + error**2)
    estimate = Interval(value, value - half, value + half)
    return ArmEffect(estimate, max(drawn, 0.0), len(rows), int(rows.bad.sum()))


def _binned(X: Floats) -> lgb.Dataset:
    """Bin rows once for several outcomes."""
    return lgb.Dataset(X, free_raw_data=False)


def _learn(
    data: lgb.Dataset, y: NDArray[Any], seed: int, own: Mapping[str, Any] | None = None
) -> lgb.Booster:
    """Grow trees for `y` by squared error, or as `own` settings say, on rows binned once."""
    settings = {
        "objective": "regression",
        "num_leaves": 15,
        "min_data_in_leaf": 50,
        "learning_rate": 0.15,
        "feature_fraction": 0.5,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbosity": -1,
    }
    return lgb.train(settings | dict(own or {}), data.set_label(y), num_boost_round=TREES)

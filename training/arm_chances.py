"""How likely a log's policy was to take each arm, as far as the features tell."""

from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COMMON: Final = 0.02
"""Arms that a smaller part of the log took are told apart by nothing: they share what is left."""
ROUNDS: Final = 40
GROWTH: Final[dict[str, Any]] = {
    "objective": "multiclass",
    "learning_rate": 0.2,
    "num_leaves": 15,
    "min_child_samples": 30,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def fit_arm_chances(X: Floats, arm: Ints, fold: Ints, *, seed: int = 0) -> Floats:
    """Return `[n, 25]` the probability of every arm, from the folds without the row's own.

    Parameters
    ----------
    X
        `[n, F]` features at the decision, NaN where null.
    arm
        `[n]` the place in `ARMS` of the arm that was taken.
    fold
        `[n]`; an account's rows share one.
    seed
        Of the trees.
    """
    chance = np.empty((len(arm), len(ARMS)))
    for held in np.unique(fold):
        learn, asked = fold != held, fold == held
        chance[asked] = _chances(X[learn], arm[learn], X[asked], seed)
    return chance


def _chances(X: Floats, arm: Ints, asked: Floats, seed: int) -> Floats:
    count = np.bincount(arm, minlength=len(ARMS))
    common = np.flatnonzero(count >= COMMON * len(arm))
    rare = np.setdiff1d(np.arange(len(ARMS)), common)
    label = np.full(len(ARMS), len(common))
    label[common] = np.arange(len(common))
    classes = np.unique(label[arm])
    result = np.zeros((len(asked), len(ARMS)))
    if len(classes) == 1:
        result[:, common] = 1.0
        return result
    settings = {**GROWTH, "num_class": len(classes), "seed": seed}
    trees = lgb.train(settings, lgb.Dataset(X, np.searchsorted(classes, label[arm])), ROUNDS)
    found = np.asarray(trees.predict(asked))
    result[:, common] = found[:, : len(common)]
    if len(classes) > len(common):
        result[:, rare] = found[:, [-1]] / len(rare)
    return result

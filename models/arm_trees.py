"""A known effect of the arm as LightGBM's first tree, so that an artifact needs no part for it."""

from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from relimit.models.arms import arm_grid


def arm_tree(columns: tuple[str, ...], log_odds: NDArray[np.float64]) -> lgb.Booster:
    """Return a booster of one tree that gives each of the 25 arms its log-odds.

    An arm between two of the 25 gets the log-odds of the nearer.

    Parameters
    ----------
    columns
        Names of the input columns, the two arm columns last.
    log_odds
        `[25]` in the order of `ARMS`: rising with the share, falling with the delay.

    Examples
    --------
    >>> effect = arm_grid() @ [0.5, -0.01] - 3.0
    >>> tree = arm_tree(("x", "restored_share", "delay_days"), effect)
    >>> tree.predict([[7.0, 1.0, 0], [7.0, 0.25, 14]], raw_score=True).round(6).tolist()
    [-2.5, -3.015]
    """
    grid = arm_grid()
    rows = np.zeros((len(grid), len(columns)))
    rows[:, -2:] = grid
    settings: dict[str, Any] = {
        "objective": "regression",
        "num_leaves": len(grid),
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "learning_rate": 1.0,
        "boost_from_average": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(rows, log_odds, feature_name=[*columns])
    tree = lgb.train(settings, data, num_boost_round=1)
    # LightGBM keeps outcomes as float32; arms that rounding put into one leaf share its value.
    for arm, leaf in enumerate(tree.predict(rows, pred_leaf=True, num_threads=1).ravel()):
        tree.set_leaf_output(0, int(leaf), float(log_odds[arm]))
    return tree

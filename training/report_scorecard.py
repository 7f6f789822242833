"""The report's section on a scorecard: the card as a banker reads it."""

import math
from typing import Final

import numpy as np
import pandas as pd

from relimit.models import NoCalibration, ScorecardHead
from relimit.models.calibration import Calibration
from relimit.models.crosses import Cross
from relimit.training.document import Block, Grid, Section

SHOWN: Final = (
    "feature",
    "bin",
    "rows",
    "bads",
    "row_share",
    "bad_rate",
    "weight_of_evidence",
    "information_value",
    "points",
)


def scorecard(head: ScorecardHead, calibration: Calibration, stands_for: pd.DataFrame) -> Section:
    """Return the points of every bin and of the crosses, and what a score stands for.

    Parameters
    ----------
    head
        The card.
    calibration
        What of the calibration is not in the points.
    stands_for
        See `RiskModel.points_scale`.
    """
    after = calibration.kind != NoCalibration.kind
    scale, table = head.scale, head.points_table()
    crossed = f", crosses of two of them: {len(head.crosses)}" if head.crosses else ""
    cell = " and one cell's points a cross" if head.crosses else ""
    rows = tuple(tuple(row) for row in table[list(SHOWN)].itertuples(index=False))
    return Section(
        "Scorecard",
        (
            f"{head.size} features{crossed}. A borrower's score is the sum of one bin's points a "
            f"feature{cell}, higher is safer: {scale.base_points:.0f} points stand for "
            f"{scale.base_odds:.0f} goods to one bad, {scale.points_to_double_odds:.0f} more "
            "double these odds"
            f"{', before the calibration' if after else ''}. Rows and bads are counted by weight; "
            "a weight of evidence above 0 is riskier than average.",
            Grid(
                "What a score stands for, calibrated",
                ("points", "goods to one bad", "risk"),
                tuple(stands_for[["points", "odds", "risk"]].itertuples(index=False, name=None)),
            ),
            Grid("Points by bin", tuple(name.replace("_", " ") for name in SHOWN), rows),
            *_crosses(head),
        ),
    )


def _crosses(head: ScorecardHead) -> tuple[Block, ...]:
    """Return a two-way table a cross, and how it is read."""
    if not head.crosses:
        return ()
    table = head.crosses_table()
    ends = np.cumsum([cross.log_odds.size for cross in head.crosses])
    parts = np.split(np.arange(len(table)), ends[:-1])
    return (
        "A cross holds what two features say together beyond their own points: add the points of "
        "the cell that the borrower is in. It is on the card because it saved log-loss on rows "
        "that it was not learnt from. In brackets are a cell's share of the rows and its bad rate.",
        *(
            _two_way(cross, table.iloc[part])
            for cross, part in zip(head.crosses, parts, strict=True)
        ),
    )


def _two_way(cross: Cross, cells: pd.DataFrame) -> Grid:
    (first, second), width = cross.features, cross.log_odds.shape[1]
    rates = ("–" if math.isnan(rate) else f"{rate:.1%}" for rate in cells["bad_rate"])
    shown = [
        f"{points:+d} ({share:.1%}, {rate})"
        for points, share, rate in zip(cells["points"], cells["row_share"], rates, strict=True)
    ]
    rows = tuple(
        (label, *shown[i * width : (i + 1) * width])
        for i, label in enumerate(cells["first_bin"].iloc[::width])
    )
    columns = (first, *cells["second_bin"].iloc[:width])
    return Grid(f"Points by {first} (down) and {second} (across)", columns, rows)

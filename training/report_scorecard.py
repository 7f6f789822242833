"""The report's section on a scorecard: the card as a banker reads it."""

from typing import Final

from relimit.models import NoCalibration, ScorecardHead
from relimit.models.calibration import Calibration
from relimit.training.document import Grid, Section

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


def scorecard(head: ScorecardHead, calibration: Calibration) -> Section:
    """Return the points of every bin, and what a point is worth.

    Parameters
    ----------
    head
        The card.
    calibration
        What of the calibration is not in the points.
    """
    after = calibration.kind != NoCalibration.kind
    scale, table = head.scale, head.points_table()
    rows = tuple(tuple(row) for row in table[list(SHOWN)].itertuples(index=False))
    return Section(
        "Scorecard",
        (
            f"{head.size} features. A borrower's score is the sum of one bin's points a feature, "
            f"higher is safer: {scale.base_points:.0f} points stand for {scale.base_odds:.0f} "
            f"goods to one bad, {scale.points_to_double_odds:.0f} more double these odds"
            f"{', before the calibration' if after else ''}. Rows and bads are counted by weight; "
            "a weight of evidence above 0 is riskier than average.",
            Grid("Points by bin", tuple(name.replace("_", " ") for name in SHOWN), rows),
        ),
    )

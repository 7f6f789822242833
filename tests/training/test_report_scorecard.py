import numpy as np
import pandas as pd
import pytest

from relimit.models import NoCalibration, ScorecardHead
from relimit.models.binning import Bins
from relimit.models.crosses import Cross
from relimit.models.points import BinnedFeature, Scale
from relimit.training.document import Grid
from relimit.training.report_scorecard import scorecard

SCALE = pd.DataFrame(
    {
        "points": [580.0, 600.0],
        "stated_odds": [25.0, 50.0],
        "risk": [1 / 27, 0.02],
        "odds": [26.0, 49.0],
    }
)


def feature(name: str, codes: tuple[float, ...] = ()) -> BinnedFeature:
    zeros = np.zeros(3 + len(codes))
    return BinnedFeature(name, Bins(np.array([5.0]), zeros + 25, zeros + 5, codes), zeros, 1, zeros)


@pytest.fixture
def head() -> ScorecardHead:
    """Twenty points to double the odds: ln 2 of log-odds is 20 points less."""
    cross = Cross(
        ("a", "b"),
        (np.array([0, 1, 2]), np.array([0, 0, 1, 2])),
        np.array([[30.0, 10, 0], [20, 40, 0], [0, 0, 0]]),
        np.array([[3.0, 2, 0], [1, 4, 0], [0, 0, 0]]),
        np.array([[0.0, 1, 0], [-1, 0.5, 0], [0, 0, 0]]) * np.log(2.0),
    )
    features = feature("a"), feature("b", (-9.0,))
    return ScorecardHead(("a", "b"), -2.0, features, Scale(600, 50, 20), (cross,))


def test_a_cross_is_a_two_way_table_of_points_with_each_cells_share_and_bad_rate(
    head: ScorecardHead,
) -> None:
    words, stands_for, _, told, grid = scorecard(head, NoCalibration(), SCALE).blocks
    assert stands_for == Grid(
        "What a score stands for, calibrated",
        ("points", "goods to one bad", "risk"),
        ((580.0, 26.0, 1 / 27), (600.0, 49.0, 0.02)),
    )
    assert str(words).startswith(
        "2 features, crosses of two of them: 1. A borrower's score is the sum of one bin's points "
        "a feature and one cell's points a cross, higher is safer"
    )
    assert "add the points of the cell" in str(told)
    assert grid == Grid(
        "Points by a (down) and b (across)",
        ("a", "any", "code -9", "missing"),
        (
            ("up to 5", "+0 (30.0%, 10.0%)", "-20 (10.0%, 20.0%)", "+0 (0.0%, –)"),
            ("over 5", "+20 (20.0%, 5.0%)", "-10 (40.0%, 10.0%)", "+0 (0.0%, –)"),
            ("missing", "+0 (0.0%, –)", "+0 (0.0%, –)", "+0 (0.0%, –)"),
        ),
    )


def test_an_additive_card_speaks_of_no_cross(head: ScorecardHead) -> None:
    additive = ScorecardHead(head.columns, head.intercept, head.features, head.scale)
    words, _, grid = scorecard(additive, NoCalibration(), SCALE).blocks
    assert str(words).startswith(
        "2 features. A borrower's score is the sum of one bin's points a feature, higher is safer"
    )
    assert isinstance(grid, Grid)

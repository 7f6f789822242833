import numpy as np
import pytest

from relimit.models import CurveSeverity, LossSettings, assumed_loss
from relimit.training.report_loss import _severity


def test_a_curve_of_severity_is_shown_by_the_part_of_the_limit() -> None:
    head = CurveSeverity(("limit_amount",), np.log(4.0), 1.0, 0.3, 1_234, LossSettings())
    (grid,) = _severity(head)
    assert "1,234 bads" in grid.caption
    assert [name for name, _ in grid.rows] == ["5%", "10%", "25%", "50%", "100%"]
    # The odds are 4 times the part.
    assert [said for _, said in grid.rows] == pytest.approx([1 / 6, 2 / 7, 1 / 2, 2 / 3, 4 / 5])


def test_one_constant_has_no_curve_to_show() -> None:
    assert _severity(assumed_loss()) == ()

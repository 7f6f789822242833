"""The risk at full restoration of a report's test rows: known where that is what they took."""

from types import SimpleNamespace

import numpy as np
import pytest

from relimit.training.judged import Judged
from relimit.training.report import verdicts

FULL = (1.0, 0.0)
ARMS = [FULL, (1.0, 7.0), (0.5, 0.0)]


class Model:
    def __init__(self, has_arms):
        self.has_arms, self.asked = has_arms, []

    def restoration_risk(self, X):
        self.asked += X[:, 0].tolist()
        return X[:, 0] / 100.0


@pytest.fixture
def rows():
    return SimpleNamespace(
        X=np.arange(10.0)[:, None],
        labelled=SimpleNamespace(
            arms=np.array([[1.0, 0.0], [1.0, 7.0], [0.5, 0.0]] * 3 + [[1, 0]])
        ),
        split=SimpleNamespace(test=np.array([2, 3, 4, 6, 9])),
    )


class Labelled(SimpleNamespace):
    def __len__(self):
        return len(self.bad)


def slices(bads):
    """Two slices of as many bad accounts and a good one, two rows each."""
    account = np.repeat(np.arange(2 * (bads + 1)), 2)
    split = SimpleNamespace(
        fit=np.flatnonzero(account <= bads), calibrate=np.flatnonzero(account > bads), left_out=0
    )
    labelled = Labelled(account_id=account, bad=account % (bads + 1) > 0)
    return SimpleNamespace(without_arm=0, without_history=0, labelled=labelled, split=split)


def fitted_on(*, cross_fitted):
    return SimpleNamespace(
        metrics={"bads": 600.0},
        cautions=(),
        cross_fitted=cross_fitted,
        test_risk=np.array([0.1, 0.2]),
    )


def judged(rows, *, has_arms):
    model = Model(has_arms)
    fitted = SimpleNamespace(model=model, test_risk=np.array([0.2, 0.3, 0.4, 0.6, 0.9]))
    return Judged(data=rows, fitted=fitted, about={}, settings={}), model


def test_only_rows_that_took_another_arm_are_scored(rows):
    about, model = judged(rows, has_arms=True)
    found = about.restoration_risk(np.array([0, 1, 2, 4]))
    assert found == pytest.approx([0.02, 0.3, 0.04, 0.9])
    assert model.asked == [2.0, 4.0]


def test_a_model_without_arms_has_but_one_risk(rows):
    about, model = judged(rows, has_arms=False)
    assert about.restoration_risk(np.array([0, 3])).tolist() == [0.2, 0.6]
    assert not model.asked


def test_what_is_known_of_the_slice_is_left_as_it_was(rows):
    about, _ = judged(rows, has_arms=True)
    about.restoration_risk(np.arange(5))
    assert about.fitted.test_risk.tolist() == [0.2, 0.3, 0.4, 0.6, 0.9]
    assert about.test_features(3)[:, 0].tolist() == sorted(about.test_features(3)[:, 0])
    assert set(about.test_features(9)[:, 0]) == {2.0, 3.0, 4.0, 6.0, 9.0}


@pytest.mark.parametrize(
    ("asked", "said"), [(0, []), (1, []), (3, ["1 of the 3 months asked for"])]
)
def test_months_that_could_not_be_back_tested_are_counted(asked, said):
    about = Judged(
        slices(100),
        fitted_on(cross_fitted=False),
        {},
        {},
        backtest=("2025-03",),
        months_asked=asked,
    )
    assert [caution[: len(words)] for caution, words in zip(about.cautions, said, strict=True)] == (
        said
    )


@pytest.mark.parametrize(
    ("bads", "cross_fitted", "said"),
    [
        (100, False, None),
        (64, False, "64 accounts that went bad tell how high the risks are: by chance alone all"),
        (64, True, None),
        (0, True, "0 accounts"),
    ],
)
def test_risks_that_few_bad_accounts_calibrate_are_said_to_be_loose(bads, cross_fitted, said):
    about = Judged(slices(bads), fitted_on(cross_fitted=cross_fitted), {}, {})
    assert bool(about.cautions) == bool(said)
    assert not said or about.cautions[0].startswith(said)
    assert bads != 64 or cross_fitted or "off by 25% of themselves" in about.cautions[0]


@pytest.mark.parametrize(("risk", "said"), [([0.1, 0.1], True), ([0.1, 0.2], False)])
def test_a_risk_that_is_the_same_for_all_is_said_to_tell_nobody_apart(risk, said):
    fitted = fitted_on(cross_fitted=False)
    fitted.test_risk = np.array(risk)
    cautions = Judged(slices(100), fitted, {}, {}).cautions
    assert [caution.startswith("Every test row has the same risk") for caution in cautions] == (
        [True] if said else []
    )


def test_a_slope_that_rows_cannot_tell_is_not_printed_as_a_number():
    names = (
        "auc",
        "auc_low",
        "auc_high",
        "ks",
        "h_measure",
        "rows",
        "bads",
        "ece",
        "calibration_intercept",
        "calibration_intercept_low",
        "calibration_intercept_high",
    )
    metrics = dict.fromkeys(names, 0.5) | dict.fromkeys(
        ("calibration_slope", "calibration_slope_low", "calibration_slope_high"), np.nan
    )
    words = " ".join(verdicts(SimpleNamespace(fitted=SimpleNamespace(metrics=metrics))))
    assert "slope that these rows can't tell" in words
    assert "nan" not in words


@pytest.mark.parametrize(
    ("left_out", "without_history", "said"),
    [
        (202, 20, []),
        (203, 0, ["203 of 404 matured rows are in no slice"]),
        (0, 21, ["21 of 404 matured rows have nothing known of the account by their as_of"]),
    ],
)
def test_rows_that_teach_nothing_are_counted_where_they_are_many(left_out, without_history, said):
    data = slices(100)
    data.split.left_out, data.without_history = left_out, without_history
    cautions = Judged(data, fitted_on(cross_fitted=False), {}, {}).cautions
    assert [caution[: len(words)] for caution, words in zip(cautions, said, strict=True)] == said


@pytest.mark.parametrize(("asked", "said"), [("time", True), ("account", False)])
def test_a_test_that_could_not_be_later_says_why(asked, said):
    data = slices(100)
    data.split.kind, data.split.description = (
        "out_of_account",
        "all rows have one as_of, 2005-09-30",
    )
    cautions = Judged(data, fitted_on(cross_fitted=False), {}, {"hold_out": asked}).cautions
    assert [caution.endswith("one as_of, 2005-09-30.") for caution in cautions] == [True] * said

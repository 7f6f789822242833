"""The audit of a fitted version, worked out again by pandas from the policy's decisions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from relimit.models import Platt
from relimit.policy import load_policy
from relimit.training.audit import audit_version
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model
from relimit.training.replay import facts_at, replay


@pytest.fixture(scope="module")
def audited(history, decided):
    """Men draw somewhat more; half of the test rows lack a freed amount."""
    data = read_training_data(history[0], decided, workers=1, progress=lambda _: None)
    data.labelled.freed[data.split.test[::2]] = np.nan
    fitted = fit_model(
        "lightgbm", data.X, data.names, data.labelled, data.split, workers=1,
        parameters={"max_trees": 40},
    )  # fmt: skip
    safer = replace(fitted.model, calibration=Platt(1.0, -3.0))  # or nothing returns at once
    fitted = replace(fitted, model=safer)
    rng = np.random.default_rng(9)
    sex = np.where(history[1] + 2 * rng.normal(size=400) > 0.3, "m", "f")
    order = rng.permutation(400)
    accounts = pa.table({"account_id": order, "sex": sex[order]})
    return data, fitted, sex, audit_version(history[0], accounts, data, fitted)


@pytest.fixture(scope="module")
def groups(audited, history):
    """What the policy decides on each test row with a freed amount, by group."""
    data, fitted, sex, _ = audited
    rows = data.split.test[1::2]
    test, model, policy = data.labelled.take(rows), fitted.model, load_policy()
    risk = model.restoration_risk(data.X[rows])
    found = replay(
        policy, test, facts_at(history[0], test, policy), risk=risk,
        expected_loss=model.expected_loss(data.X[rows], test.freed),
    )  # fmt: skip
    frame = pd.DataFrame(
        {"risk": risk, "days": found.days, "all_now": found.restored_now == found.freed}
    )
    return frame.groupby(sex[test.account_id])


def pooled_difference(groups, column):
    mean, variance = groups[column].mean(), groups[column].var()
    size = groups[column].count() - 1
    return (mean["m"] - mean["f"]) / np.sqrt((variance * size).sum() / size.sum())


def test_the_groups_fare_as_pandas_finds_from_the_decisions(audited, groups):
    found = {t.group: t for t in audited[-1].treatments}
    rate, days = groups["all_now"].mean(), groups["days"].mean()
    assert 0.0 < rate["m"] < rate["f"] < 1.0
    for sex in "fm":
        assert found[sex].rows == groups.size()[sex]
        assert found[sex].favourable == pytest.approx(rate[sex])
        assert found[sex].days == pytest.approx(days[sex])
        assert found[sex].impact.value == pytest.approx(rate[sex] / rate["f"])
    men = found["m"]
    assert men.days_gap == pytest.approx(days["m"] - days["f"])
    assert men.risk_difference == pytest.approx(pooled_difference(groups, "risk"))
    assert men.days_difference == pytest.approx(pooled_difference(groups, "days"))


def test_the_groups_of_all_test_rows_are_kept_for_the_calibration_tables(audited):
    data, _, sex, audit = audited
    expected = sex[data.labelled.account_id[data.split.test]]
    np.testing.assert_array_equal(audit.groups["sex"], expected)
    assert "would restore the whole freed limit at once" in audit.favourable

"""Each month is judged by what had matured before it, and by nothing later."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from relimit.training.backtest import walk_forward
from relimit.training.dataset import read_training_data
from relimit.training.expected import months
from relimit.training.fit import fit_model
from relimit.training.splits import split_before

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def data(history, observations):
    """A tenth of the features: each month costs a fit."""
    found = read_training_data(history[0], observations, workers=1, progress=lambda _: None)
    return replace(found, X=np.ascontiguousarray(found.X[:, ::10]), names=found.names[::10])


def run(data, rows=slice(None), labelled=None, most_months=2):
    labelled = (labelled or data.labelled).take(rows)
    return walk_forward(
        "lightgbm", data.X[rows], data.names, labelled,
        horizon_days=180, most_months=most_months, workers=1,
    )  # fmt: skip


def test_the_last_months_are_judged_one_by_one(data):
    found = run(data)
    month = months(data.labelled.as_of)
    assert [m.month for m in found] == np.unique(month)[-2:].tolist()
    for item in found:
        rows = np.flatnonzero(month == item.month)
        first = data.labelled.as_of[rows].min()
        split = split_before(data.labelled.account_id, data.labelled.as_of, 180, rows)
        assert (data.labelled.as_of[split.fit] + 180 * DAY <= first).all()
        assert (data.labelled.as_of[split.calibrate] + 180 * DAY <= first).all()
        fitted = fit_model("lightgbm", data.X, data.names, data.labelled, split, workers=1)
        bad = data.labelled.bad[rows]
        assert item.auc.value == pytest.approx(roc_auc_score(bad, fitted.test_risk))
        assert item.log_loss == pytest.approx(log_loss(bad, fitted.test_risk))
        assert item.observed_expected == pytest.approx(bad.sum() / fitted.test_risk.sum())
        assert (item.rows, item.bads, item.learnt) == (len(rows), bad.sum(), len(split.fit))


def test_outcomes_that_were_not_known_yet_change_nothing(data):
    last = np.unique(months(data.labelled.as_of))[-1]
    rows = np.flatnonzero(months(data.labelled.as_of) == last)
    unknown = data.labelled.as_of + 180 * DAY > data.labelled.as_of[rows].min()
    unknown[rows] = False
    labelled = data.labelled
    changed = type(labelled)(
        **{n: getattr(labelled, n) for n in labelled.__slots__ if n != "bad"},
        bad=labelled.bad ^ unknown,
    )
    assert unknown.sum() > 100
    assert run(data, labelled=changed, most_months=1) == run(data, most_months=1)


def test_months_before_anything_had_matured_are_left_out(data):
    early = np.flatnonzero(data.labelled.as_of < 480 * DAY)
    found = run(data, early, most_months=100)
    known = np.unique(months(data.labelled.as_of[early]))
    assert 0 < len(found) < len(known) - 3
    assert [m.month for m in found] == known[-len(found) :].tolist()

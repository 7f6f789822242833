"""Where history tried few arms: rows are kept, arms counted, and bounds given."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.errors import RelimitError
from relimit.data.vocabulary import ARMS, FULL_ARM
from relimit.models import load_model
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model
from relimit.training.promote import promote
from relimit.training.registry import resolve_model
from relimit.training.run import train
from relimit.training.tracking import open_client

FULL = ARMS.index(FULL_ARM)


def with_arms(table: pa.Table, share: list, delay: list) -> pa.Table:
    for name, values in (("share", pa.array(share)), ("delay_days", pa.array(delay, pa.int32()))):
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def fit(history, observations):
    data = read_training_data(history[0], observations, workers=1, progress=lambda _: None)
    parameters = {"max_trees": 30}
    return data, fit_model(
        "lightgbm", data.X, data.names, data.labelled, data.split, parameters=parameters, workers=1
    )


@pytest.fixture(scope="module")
def half_later(decided) -> pa.Table:
    """A log in which every decision gave half of the limit back after a week."""
    rows = decided.num_rows
    return with_arms(decided, [0.5] * rows, [7] * rows).drop_columns("propensity")


@pytest.fixture(scope="module")
def version(history, half_later, tracking_uri):
    return train(
        history[0],
        half_later,
        "lightgbm",
        name="half-later",
        parameters={"max_trees": 30},
        tracking_uri=tracking_uri,
        workers=1,
    )


def test_a_log_of_one_arm_does_not_claim_another(history, half_later):
    data, fitted = fit(history, half_later)
    assert fitted.model.tried == ((0.5, 7),)
    assert not fitted.model.tried_in_full
    X = data.X[:100]
    risk, (low, high) = fitted.model.restoration_risk(X), fitted.model.restoration_bounds(X)
    np.testing.assert_array_equal(low, risk)  # a model without arms has one risk for all
    np.testing.assert_array_equal(high, 1.0)
    for mine, by_arm in zip((low, high), fitted.model.risk_bounds_by_arm(X), strict=True):
        np.testing.assert_array_equal(mine, by_arm[:, FULL])
    counted, bounded = fitted.cautions
    assert counted.startswith("History never tried 24 of the 25 arms")
    assert "No row fitted on was restored in full at once (tried: 50% after 7 days)" in bounded
    mean = fitted.model.restoration_risk(data.X[data.split.test]).mean()
    assert bounded.endswith(f"bounds: {mean:.2%} at least and 100% at most.")


def test_the_version_its_card_and_its_report_say_so(version, tracking_uri):
    caution = load_model(resolve_model(version.model_uri, tracking_uri)[0]).caution
    assert caution in version.cautions[-1]
    client = open_client(tracking_uri)
    for name in ("model_card.md", "validation_report.html"):
        text = Path(client.download_artifacts(version.run_id, name)).read_text()
        assert caution in text
        assert "All observations took one arm" in text
        assert "100% after 0 days" in text


def test_such_a_version_is_promoted_for_a_reason_alone(version, tracking_uri):
    with pytest.raises(RelimitError, match="restored in full at once"):
        promote(version.model_uri, tracking_uri=tracking_uri)


def test_bounds_take_the_riskiest_arm_tried(history, decided):
    half = np.array(decided["share"].to_pylist()) == 0.5
    arms = [0.25 if h else 0.75 for h in half], [0 if h else 3 for h in half]
    data, fitted = fit(history, with_arms(decided, *arms))
    assert fitted.model.tried == ((0.25, 0), (0.75, 3))
    assert fitted.model.has_arms
    X = data.X[:100]
    by_arm = fitted.model.risk_by_arm(X)
    low, high = fitted.model.restoration_bounds(X)
    tried = by_arm[:, [ARMS.index((0.25, 0)), ARMS.index((0.75, 3))]]
    np.testing.assert_array_equal(low, tried.max(axis=1))
    assert (low <= by_arm[:, FULL]).all()
    assert (high == 1.0).all()


def test_one_row_without_an_arm_costs_itself_alone(history, decided):
    share = decided["share"].to_pylist()
    share[5] = None
    table = with_arms(decided, share, decided["delay_days"].to_pylist())
    data, fitted = fit(history, table)
    assert decided["bad"][5].is_valid
    assert data.without_arm == data.describe()["without_arm"] == 1
    assert data.not_matured == decided["bad"].null_count
    assert len(data.labelled) == len(data.X) == decided.num_rows - data.not_matured - 1
    assert fitted.model.has_arms
    assert fitted.propensities is not None
    assert fitted.model.tried == ((0.5, 7), (1.0, 0))
    others = decided.filter(pa.array(np.arange(decided.num_rows) != 5))
    assert (
        data.describe()["observations_sha256"]
        == fit(history, others)[0].describe()["observations_sha256"]
    )


def test_rows_without_arms_at_all_stand_for_full_restoration(history, observations):
    data, fitted = fit(history, observations)
    assert data.without_arm == 0
    assert fitted.model.tried == (FULL_ARM,)
    assert fitted.cautions == ()


def test_only_what_was_fitted_on_counts_as_tried(history, decided):
    data, _ = fit(history, decided)
    late = np.array(decided["as_of"].cast(pa.int64()).to_pylist()) >= data.split.test_from
    share = np.where(late, decided["share"].to_numpy(), 0.5)
    delay = np.where(late, decided["delay_days"].to_numpy(), 7)
    _, fitted = fit(history, with_arms(decided, share.tolist(), delay.tolist()))
    assert fitted.model.tried == ((0.5, 7),)
    assert fitted.propensities.arms_never_tried == 24
    assert "24 of the 25" in fitted.cautions[0]

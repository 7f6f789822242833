"""What MLflow's own loader hands to the model, and what it changes before."""

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from relimit.data.errors import ModelError
from relimit.models import load_model
from relimit.training.flavour import ServedModel
from relimit.training.registry import resolve_model


@pytest.fixture(scope="module")
def folder(versions, versions_uri):
    return resolve_model(versions[0].model_uri, versions_uri)[0]


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


@pytest.fixture(scope="module")
def loaded(folder):
    return mlflow.pyfunc.load_model(str(folder.parent.parent))  # noqa: TID251 - as a user may


@pytest.fixture
def frame(model) -> pd.DataFrame:
    rows = model.reference.golden_rows()
    return pd.DataFrame(rows, columns=list(model.feature_names)) + 0.1


@pytest.fixture
def risk(model, frame) -> np.ndarray:
    return model.restoration_risk(frame)


def test_any_order_and_more_columns_give_the_same_risk(loaded, frame, risk):
    mixed = frame.iloc[:, ::-1].assign(stranger="x")
    np.testing.assert_array_equal(loaded.predict(mixed)["risk"], risk)


def test_whole_numbers_are_read_as_they_are(loaded, model, frame):
    whole = frame.fillna(0.0).round().astype("int32")
    expected = model.restoration_risk(whole.astype("float64"))
    np.testing.assert_array_equal(loaded.predict(whole)["risk"], expected)


def test_text_is_refused_by_mlflow_and_by_the_model(loaded, model, frame):
    text = frame.fillna(12.0).astype(str)
    with pytest.raises(MlflowException, match="Incompatible input types"):
        loaded.predict(text)
    with pytest.raises(ModelError, match="values where numbers are needed"):
        ServedModel(model).predict(text)


def test_a_missing_column_is_named(loaded, frame):
    with pytest.raises(ModelError, match=f"columns are absent: {frame.columns[3]}"):
        loaded.predict(frame.drop(columns=frame.columns[3]))


def test_float32_is_refused_by_the_model_but_widened_by_mlflow_before(loaded, model, frame):
    narrow = frame.astype("float32")
    with pytest.raises(ModelError, match="float32 values"):
        ServedModel(model).predict(narrow)
    # What can't be caught: MLflow hands on float64 values that have already been rounded.
    rounded = model.restoration_risk(narrow.astype("float64"))
    np.testing.assert_array_equal(loaded.predict(narrow)["risk"], rounded)

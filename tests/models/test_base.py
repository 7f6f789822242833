from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from relimit.data.errors import ModelError
from relimit.models import Scorecard, design_matrix
from relimit.models.base import arms_last, outcomes, weights

TABLE = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]})


def test_columns_are_read_by_name_and_the_others_left_alone() -> None:
    shuffled = TABLE.assign(c="text")[["c", "b", "a"]]
    np.testing.assert_array_equal(design_matrix(shuffled, ["a", "b"]), TABLE.to_numpy())


EXACT = [
    *("int64", "int8", "uint64", "bool", "Int64", "boolean", "Float64", "int64[pyarrow]"),
    *("double[pyarrow]", "Sparse[float64]", pd.SparseDtype(float, 0.0), "Sparse[int]"),
    np.dtype(np.float64).newbyteorder(),
]


@pytest.mark.parametrize("dtype", EXACT)
def test_numbers_of_any_exact_type_are_read_alike(dtype: Any) -> None:
    table = pd.DataFrame({"a": pd.array([1, 0], dtype=dtype)})
    np.testing.assert_array_equal(design_matrix(table, ["a"]), [[1.0], [0.0]])


@pytest.mark.parametrize(
    "dtype",
    [
        *("float16", "float32", "Float32", "float[pyarrow]", "halffloat[pyarrow]"),
        *("Sparse[float32]", pd.SparseDtype("float32", 0.0), "longdouble", "complex128"),
    ],
)
def test_numbers_of_an_inexact_type_are_refused(dtype: Any) -> None:
    table = pd.DataFrame({"a": pd.Series([1.0, 0.0]).astype(dtype)})
    with pytest.raises(ModelError, match=r"a: .* values\. Give float64"):
        design_matrix(table, ["a"])
    if not pd.api.types.is_extension_array_dtype(table["a"].dtype):
        with pytest.raises(ModelError, match=r"the matrix: .* values\. Give float64"):
            design_matrix(table.to_numpy(), ["a"])


def test_decimals_are_refused() -> None:
    decimal = pd.ArrowDtype(pa.decimal128(10, 2))
    table = pd.DataFrame({"a": pd.Series([1.5, 0.5]).astype(decimal)})
    with pytest.raises(ModelError, match="a: decimal128"):
        design_matrix(table, ["a"])


def test_gaps_of_a_sparse_column_are_missing_or_what_it_fills_them_with() -> None:
    values = pd.Series([1.0, np.nan, 0.0])
    sparse = pd.DataFrame(
        {"a": values.astype("Sparse[float64]"), "b": values.astype(pd.SparseDtype(float, 0.0))}
    )
    np.testing.assert_array_equal(design_matrix(sparse, ["a", "b"]), np.stack([values] * 2, axis=1))


def test_a_nullable_null_and_a_column_of_nulls_are_missing() -> None:
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [None, None]})
    np.testing.assert_array_equal(
        design_matrix(table, ["a", "b"]), [[1.0, np.nan], [np.nan, np.nan]]
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE[["a"]], "1 of 2 columns are absent: b"),
        (TABLE.assign(b=["x", "y"]), "b: .* values where numbers are needed"),
        (TABLE.assign(b=pd.to_datetime(["2024-01-01", None])), "b: datetime64"),
        (TABLE.astype({"b": "float32"}), "b: float32 values. Give float64"),
        (TABLE.astype({"b": "Float32"}), "b: Float32 values"),
        (pd.concat([TABLE, TABLE[["b"]]], axis=1), "b: columns given twice"),
        (TABLE[["a"]].to_numpy(), r"shape \(2, 1\) where 2 columns"),
        (TABLE.to_numpy(dtype=np.float32), "float32 values"),
        (np.array([["1", "2"]]), "values where numbers are needed"),
        (np.array([1.0, 2.0]), r"shape \(2,\)"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(table: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        design_matrix(table, ["a", "b"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([True, None, False], "1 of 3 outcomes are null"),
        ([0, np.nan, 1], "1 of 3 outcomes are null"),
        ([0, 1, 2], "other than 0"),
        ([0, 0, 0], "all 3 outcomes are good"),
        ([1, 1, 1], "all 3 outcomes are bad"),
        ([0, 1], "2 outcomes for 3 rows"),
    ],
)
def test_outcomes_that_say_nothing_are_refused(y: list[object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        outcomes(y, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [[1.0, -1.0], [1.0, np.nan], [0.0, 0.0], [1.0], [1.0, np.inf]])
def test_weights_that_are_no_weights_are_refused(weight: list[float]) -> None:
    with pytest.raises(ModelError, match="weights"):
        weights(weight, 2)


def test_the_arms_go_last_and_come_in_pairs() -> None:
    assert arms_last(["delay_days", "x", "restored_share"]) == ("x", "restored_share", "delay_days")
    with pytest.raises(ModelError, match="without the other"):
        arms_last(["x", "delay_days"])
    with pytest.raises(ModelError, match="no feature column"):
        arms_last(["restored_share", "delay_days"])


def test_infinite_values_and_unknown_directions_are_refused_at_fit() -> None:
    X = pd.DataFrame({"x": [0.0, np.inf, 1.0]})
    with pytest.raises(ModelError, match="x: infinite values"):
        Scorecard().fit(X, [0, 1, 0])
    with pytest.raises(ModelError, match="x: direction other than"):
        Scorecard({"x": 2}).fit(X.replace(np.inf, 5.0), [0, 1, 0])

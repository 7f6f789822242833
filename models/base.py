"""What every family shares: how it reads a table, and how it looks to scikit-learn."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from relimit.data.errors import ModelError
from relimit.models.arms import ARM_COLUMNS, ARM_DIRECTIONS

Frame = pd.DataFrame | NDArray[Any]


class Head(Protocol):
    """The fitted core of a family: it scores a bare matrix and knows how to be written down."""

    family: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns, in their order; the arm columns, if any, last."""

    @property
    def size(self) -> int:
        """How many parts it has: trees, or features on the card."""

    def log_odds(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of bad before calibration, float64 [n]; NaN in `X` is a missing value."""

    def contributions(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds by column, [n, columns + 1]; the last is the base, a row sums to `log_odds`."""

    def files(self) -> dict[str, bytes]:
        """Name and content of the files that hold it."""


class RiskEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier of bad (1) against good (0).

    Column order never matters in a DataFrame: columns are found by name, those not fitted on
    are ignored. The arm columns are optional; where they are present both must be.
    """

    head_: Head
    monotone: Mapping[str, int] | None

    def predict_proba(self, X: Frame) -> NDArray[np.float64]:
        """Return P(good), P(bad) a row, float64 [n, 2], before calibration.

        Raises
        ------
        ModelError
            If a fitted column is absent or holds something other than numbers.
        """
        risk = expit(self.log_odds(X))
        return np.column_stack([1.0 - risk, risk])

    def predict(self, X: Frame) -> NDArray[np.int64]:
        """Return 1 where P(bad) is at least a half, else 0."""
        return (self.log_odds(X) >= 0.0).astype(np.int64)

    def log_odds(self, X: Frame) -> NDArray[np.float64]:
        """Return the log-odds of bad before calibration, float64 [n]."""
        check_is_fitted(self, "head_")
        fitted_on = tuple(self.feature_names_in_) if isinstance(X, np.ndarray) else None
        matrix = design_matrix(X, fitted_on or self.head_.columns)
        if fitted_on and fitted_on != self.head_.columns:
            matrix = matrix[:, [fitted_on.index(name) for name in self.head_.columns]]
        return self.head_.log_odds(np.ascontiguousarray(matrix))

    @abstractmethod
    def fit(self, X: Frame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from rows `X`, outcomes `y` (1 bad, 0 good) and optional weights."""

    def _start_fit(
        self, X: Frame, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64], tuple[str, ...]]:
        names = column_names(X)
        columns = arms_last(names)
        frame = (
            X if isinstance(X, pd.DataFrame) else pd.DataFrame(X, columns=list(names), copy=False)
        )
        matrix = design_matrix(frame, columns)
        if np.isinf(matrix).any():
            guilty = [columns[i] for i in np.flatnonzero(np.isinf(matrix).any(axis=0))]
            raise ModelError("infinite values", where=_listed(guilty), mend="Use NaN for missing.")
        bad = outcomes(y, len(matrix))
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.classes_ = np.array([0, 1])
        return matrix, bad, weights(sample_weight, len(matrix)), columns

    def _directions(self, columns: Sequence[str]) -> list[int]:
        stated = {**(self.monotone or {}), **ARM_DIRECTIONS}
        wrong = sorted(name for name, sign in stated.items() if sign not in (-1, 0, 1))
        if wrong:
            raise ModelError(
                "direction other than -1, 0, 1",
                where=_listed(wrong),
                mend="Give 1 where risk rises with the feature, -1 where it falls, 0 if free.",
            )
        return [int(stated.get(name, 0)) for name in columns]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


def column_names(X: Frame) -> tuple[str, ...]:
    """Return the column names of a frame; a bare matrix gets x0, x1, ..."""
    if isinstance(X, pd.DataFrame):
        return tuple(str(name) for name in X.columns)
    if np.ndim(X) != 2:
        raise ModelError(
            f"{np.ndim(X)} dimensions where a table of rows and columns is needed",
            mend="Give a DataFrame, or an array [rows, columns].",
        )
    return tuple(f"x{i}" for i in range(np.shape(X)[1]))


def arms_last(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with the arm columns moved to the end.

    Raises
    ------
    ModelError
        If there is no column, or one arm column without the other.
    """
    arms = [name for name in ARM_COLUMNS if name in names]
    if len(arms) == 1:
        raise ModelError(
            f"one arm column ({arms[0]}) without the other", mend=f"Give both of {ARM_COLUMNS}."
        )
    features = tuple(name for name in names if name not in ARM_COLUMNS)
    if not features:
        raise ModelError("there is no feature column", mend="Give features beside the arm columns.")
    return (*features, *arms)


def design_matrix(X: Frame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return the named columns as a C-contiguous float64 matrix, nulls as NaN.

    A DataFrame is read by name, in any order; a bare matrix by position.

    Raises
    ------
    ModelError
        If a column is absent, given twice or not numeric, or is a float of other than 64 bits:
        rounding would move values across the thresholds they were fitted to.

    Examples
    --------
    >>> design_matrix(pd.DataFrame({"b": [1, 2], "a": [None, 0.5]}), ["a", "b"])
    array([[nan, 1. ],
           [0.5, 2. ]])
    """
    if not isinstance(X, pd.DataFrame):
        return _bare_matrix(X, columns)
    twice = sorted({str(name) for name in X.columns[X.columns.duplicated()]})
    if twice:
        raise ModelError("columns given twice", where=_listed(twice), mend="Keep one of each name.")
    absent = [name for name in columns if name not in X.columns]
    if absent:
        raise ModelError(
            f"{len(absent)} of {len(columns)} columns are absent: {_listed(absent)}",
            mend="Compute the features the model was fitted on.",
        )
    if (X.dtypes == np.float64).all():
        chosen = X if tuple(X.columns) == tuple(columns) else X[list(columns)]
        return np.ascontiguousarray(chosen.to_numpy())
    out = np.empty((len(X), len(columns)), dtype=np.float64)
    for place, name in enumerate(columns):
        out[:, place] = _column(X[name], name)
    return out


def _column(values: "pd.Series[Any]", name: str) -> NDArray[np.float64]:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = _null_only(values, name)
    _refuse_inexact(_numpy_dtype(values.dtype), values.dtype, name)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _null_only(values: "pd.Series[Any]", name: str) -> "pd.Series[Any]":
    if values.notna().any():
        raise ModelError(
            f"{values.dtype} values where numbers are needed",
            where=name,
            mend="Give float64, NaN for missing.",
        )
    return pd.Series(np.nan, index=values.index, dtype=np.float64)


def _bare_matrix(X: Any, columns: Sequence[str]) -> NDArray[np.float64]:
    matrix = np.asarray(X)
    if matrix.ndim != 2 or matrix.shape[1] != len(columns):
        raise ModelError(
            f"shape {matrix.shape} where {len(columns)} columns are needed",
            mend="Give the columns in the fitted order, or a DataFrame with their names.",
        )
    if matrix.dtype.kind not in "fiubc":
        raise ModelError(
            f"{matrix.dtype} values where numbers are needed",
            mend="Give float64, NaN for missing.",
        )
    _refuse_inexact(matrix.dtype, matrix.dtype, "the matrix")
    return np.ascontiguousarray(matrix, dtype=np.float64)


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """Return how a column's values are stored: pandas' sparse, masked and Arrow types wrap it."""
    wrapped = getattr(dtype, "subtype", getattr(dtype, "numpy_dtype", dtype))
    stored: np.dtype[Any] = np.dtype(wrapped)
    return stored


def _refuse_inexact(stored: np.dtype[Any], named: Any, name: str) -> None:
    exact = stored.kind in "iub" or (stored.kind == "f" and stored.itemsize == 8)
    if not exact:
        raise ModelError(f"{named} values", where=name, mend="Give float64, as they were computed.")


def outcomes(y: ArrayLike, rows: int) -> NDArray[np.bool_]:
    """Return the outcomes as booleans, true for bad.

    Raises
    ------
    ModelError
        If an outcome is null (not matured) or not 0 or 1, or only one of the two occurs.
    """
    series = pd.Series(np.asarray(y).ravel())
    if len(series) != rows:
        raise ModelError(f"{len(series)} outcomes for {rows} rows", mend="Give one for each row.")
    if series.isna().any():
        raise ModelError(
            f"{int(series.isna().sum())} of {rows} outcomes are null",
            mend="Leave out rows that have not matured.",
        )
    if not series.isin([0, 1]).all():
        raise ModelError("outcomes other than 0 (good) and 1 (bad)", mend="Recode them.")
    bad = series.to_numpy().astype(bool)
    if bad.all() or not bad.any():
        raise ModelError(
            f"all {rows} outcomes are {'bad' if rows and bad.all() else 'good'}",
            mend="Give more history: both outcomes must occur.",
        )
    return bad


def weights(sample_weight: ArrayLike | None, rows: int) -> NDArray[np.float64]:
    """Return the weights as float64, ones if there are none.

    Raises
    ------
    ModelError
        If a weight is negative or not finite, or all are zero.
    """
    if sample_weight is None:
        return np.ones(rows)
    out = np.asarray(sample_weight, dtype=np.float64)
    if out.shape != (rows,):
        raise ModelError(
            f"weights of shape {out.shape} for {rows} rows", mend="Give one for each row."
        )
    if not np.isfinite(out).all() or (out < 0).any() or not out.any():
        raise ModelError(
            "weights that are negative, not finite, or all zero",
            mend="Give finite weights of at least 0, and leave out rows that don't count.",
        )
    return out


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

"""One row scored by LightGBM's own call for it, which reads the settings once and not each time."""

import ctypes
import weakref
from typing import Final, Self

import lightgbm as lgb
import numpy as np
from lightgbm.basic import _LIB, _safe_call
from numpy.typing import NDArray

_RAW_SCORE: Final = 1
_FROM_THE_FIRST: Final = 0
_FLOAT64: Final = 1

Floats = NDArray[np.float64]


class OneRow:
    """The raw score of one row at a time; threads may share it, LightGBM has a lock of its own.

    `Booster.predict` parses its settings at every call, which takes longer than a hundred trees do.

    Parameters
    ----------
    booster
        The trees, which stay as they are.
    """

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster  # what is set up below reads its trees
        self._columns = booster.num_feature()
        self._config = ctypes.c_void_p()
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001 - the package has no function for this call
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(_FROM_THE_FIRST),
                ctypes.c_int(booster.best_iteration),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(self._columns),
                b"num_threads=1",
                ctypes.byref(self._config),
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._config)

    def __reduce__(self) -> tuple[type[Self], tuple[lgb.Booster]]:
        """Go to another process as the trees alone: what is set up here is an address."""
        return type(self), (self._booster,)

    def raw(self, row: Floats) -> float:
        """Return the raw score of a row, `[columns]`.

        Raises
        ------
        ValueError
            If there are more or fewer numbers: LightGBM would read beyond them.
        """
        if row.size != self._columns:
            raise ValueError(f"{row.size} numbers for {self._columns} columns")
        row = np.ascontiguousarray(row, np.float64)
        score, count = ctypes.c_double(), ctypes.c_int64()
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFast(
                self._config,
                ctypes.c_void_p(row.__array_interface__["data"][0]),
                ctypes.byref(count),
                ctypes.byref(score),
            )
        )
        return score.value

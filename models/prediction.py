"""Raw scores of trees: LightGBM's own, or for wide blocks the bit-vector evaluator's, bit-equal."""

import logging
from collections.abc import Callable
from functools import cached_property, partial
from importlib.util import find_spec
from threading import Lock
from typing import Final, Literal, get_args

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.models.ensemble import UnsuitableError, columns_read, read_ensemble
from relimit.models.one_row import OneRow

Predictor = Literal["auto", "lightgbm", "fast"]
"""What scores wide blocks, those of many rows: LightGBM, the evaluator (`fast`), or `auto`: the
evaluator once there is enough to score to be worth loading it."""

PREDICTORS: Final[tuple[str, ...]] = get_args(Predictor)

WIDE_BLOCK: Final = 16
"""Rows from which the evaluator is twice as fast; `benchmarks/prediction.py` shows the crossing."""

WORK_WORTH_LOADING: Final = 30_000_000
"""Rows times trees in wide blocks until `auto` loads the evaluator. Loading costs 1.2 seconds of
processor time (numba's import and the compiled code's), and so does this with LightGBM."""

FEW_ROWS: Final = 2
"""Up to so many rows are scored one by one: a live decision has one, or two if a gate is closed."""

ROWS_COMPARED: Final = 256
"""Rows of the first block that both score, before the evaluator is trusted on this machine."""

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)
_loading = Lock()


class TreeScores:
    """The raw scores of a booster, whoever computes them: they are the same to the last bit.

    Threads may share it. Where numba (the extra `fast`) is not installed, or the evaluator can't
    take the trees, LightGBM scores every block.

    Parameters
    ----------
    booster
        The trees.
    predictor
        One of `PREDICTORS`.
    text
        What LightGBM writes of them, if they were read from it: writing it anew takes a while.

    Attributes
    ----------
    why_lightgbm
        Why LightGBM scores wide blocks for good; empty while that is open, or it doesn't.

    Raises
    ------
    ModelError
        If there is no such predictor, or it is `fast` and numba isn't installed.
    """

    def __init__(
        self, booster: lgb.Booster, predictor: Predictor = "auto", text: str | None = None
    ) -> None:
        if predictor not in PREDICTORS:
            mend = f"Choose one of {', '.join(PREDICTORS)}."
            raise ModelError(f"no predictor {predictor!r}", mend=mend)
        self.booster = booster
        self._read_from = text
        self.why_lightgbm = ""
        self._work_to_come = 0 if predictor == "fast" else WORK_WORTH_LOADING
        self._evaluate: Callable[[Floats], Floats] | None = None
        if predictor == "lightgbm":
            self.why_lightgbm = "it was asked for"
        elif find_spec("numba") is None:
            self.why_lightgbm = "numba is not installed"
            if predictor == "fast":
                mend = 'Install it with pip install "relimit[fast]".'
                raise ModelError("the fast predictor needs numba", mend=mend)

    def expect(self, rows: int) -> None:
        """Tell how many rows are to come: the evaluator is loaded at once if they are worth it.

        `rows` are those in wide blocks.
        """
        if rows * self.booster.num_trees() >= WORK_WORTH_LOADING:
            self._work_to_come = 0

    @cached_property
    def reads(self) -> frozenset[str]:
        """The columns that a score or a contribution depends on."""
        names = self.booster.feature_name()
        return frozenset(names[column] for column in columns_read(self._text()))

    def _text(self) -> str:
        return self._read_from or str(self.booster.model_to_string())

    @property
    def scored_by(self) -> str:
        """What scores wide blocks by now and, if that is LightGBM, why."""
        if self._evaluate is not None:
            return "fast"
        return (
            f"lightgbm: {self.why_lightgbm or 'so little is not worth loading the evaluator for'}"
        )

    def raw(self, X: Floats, num_threads: int = 1) -> Floats:
        """Return the sum of the trees' leaves a row, float64 [n]; `X` is C-contiguous [n, columns].

        `num_threads` is for LightGBM's batches; the evaluator takes the caller's thread alone.
        """
        if len(X) >= WIDE_BLOCK and not self.why_lightgbm:
            if self._evaluate is None:
                self._work_to_come -= len(X) * self.booster.num_trees()
                if self._work_to_come <= 0:
                    self._load(X[:ROWS_COMPARED])
            if self._evaluate is not None:
                return self._evaluate(X)
        if len(X) <= FEW_ROWS:
            return np.array([self._one_row.raw(row) for row in X])
        return self._by_lightgbm(X, num_threads)

    @cached_property
    def _one_row(self) -> OneRow:
        return OneRow(self.booster)

    def _by_lightgbm(self, X: Floats, num_threads: int) -> Floats:
        raw = self.booster.predict(
            X, raw_score=True, num_threads=num_threads, validate_features=False
        )
        return np.asarray(raw, dtype=np.float64)

    def _load(self, X: Floats) -> None:
        """Load the evaluator, and trust it if it scores some rows as LightGBM does.

        While one thread does so, the others go on with LightGBM.
        """
        if not _loading.acquire(blocking=False):
            return
        try:
            evaluate = partial(_load_evaluator(), read_ensemble(self._text()))
            if not np.array_equal(_compiled_at(evaluate, X), self._by_lightgbm(X, 1)):
                raise UnsuitableError("the evaluator's scores differ on this machine")
            self._evaluate = evaluate
        except UnsuitableError as error:
            self.why_lightgbm = str(error)
            _log.warning("LightGBM scores every block: %s", error)
        finally:
            _loading.release()


def _load_evaluator() -> Callable[..., Floats]:
    try:
        from relimit.models.bitvector import evaluate
    except RuntimeError as error:
        raise UnsuitableError(f"numba can't keep compiled code ({error})") from error
    except ImportError as error:  # it is there, but not for this numpy or this machine
        raise UnsuitableError(f"numba can't be imported ({error})") from error
    return evaluate


def _compiled_at(evaluate: Callable[[Floats], Floats], X: Floats) -> Floats:
    """Return the evaluator's scores; its first call compiles it, or takes what was kept."""
    try:
        return evaluate(X)
    except Exception as error:  # of numba, LLVM, or what was kept and the disk: LightGBM can do it
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnsuitableError(f"numba can't compile the evaluator ({reason})") from error

"""A user's own feature is looked at as it answers: its fault is named, not spread over a column."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from relimit.data.errors import DataError
from relimit.features.history import Floats, History, Ints

NUMBERS: Final = "iufb"
"""The kinds of numpy's types that are numbers."""


def guarded(name: str, compute: Callable[..., Floats | Ints]) -> Callable[..., Floats | Ints]:
    """Return a feature's function that raises DataError where it fails or returns no column.

    Parameters
    ----------
    name
        Of the feature, or of several that are computed together.
    compute
        Takes the history and, for several windows at once, `Windows`; returns `[snapshots]` or
        `[windows, snapshots]`.
    """

    def checked(history: History, *windows: Any) -> Floats | Ints:
        try:
            found = compute(history, *windows)
        except DataError:
            raise
        except Exception as error:
            raise _fault(name, f"fails: {type(error).__name__}: {error}") from error
        expected = (*(len(asked.days) for asked in windows), history.size)
        if not isinstance(found, np.ndarray) or found.shape != expected:
            each = "window and snapshot" if windows else "snapshot"
            raise _fault(name, f"does not return one number per {each}")
        if found.dtype.kind not in NUMBERS:
            raise _fault(name, f"returns {found.dtype}, not numbers")
        return found

    return checked


def _fault(name: str, what: str) -> DataError:
    mend = "Mend it; relimit.features.testing.check_features finds such faults before they matter"
    return DataError(what, where=f"feature {name}", mend=mend)

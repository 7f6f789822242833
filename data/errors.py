"""Errors that a user can mend: what is wrong, where, and how to mend it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=://)([^/@\s:?#]*):(?!\d{1,5}(?:[/?#\s]|$))\S+@")
"""What stands between a user's name and the last `@`: a password may hold `/` and `@` itself. Some
digits and a slash are a port."""

_USER: Final = re.compile(r"(?<=://)(?!\w*:\*\*\*@)[^/@\s:?#]{12,}@")
"""A token alone, in the place of a user's name; names are shorter."""

_PARAMETER: Final = re.compile(
    r"(?i)((?<![\w-])(?:[\w-]*(?:token|password|secret|key|sig|credential)[\w-]*|pwd|passwd|auth)=)"
    r"[^&;\s]+"
)


def mask_secrets(text: str) -> str:
    """Return a text in which the passwords and tokens of its URIs are hidden.

    Examples
    --------
    >>> mask_secrets("no answer from https://risk:hunter2@mlflow.example/api?token=abc&page=2")
    'no answer from https://risk:***@mlflow.example/api?token=***&page=2'
    >>> mask_secrets("https://ghp_16C7e42F292c6912@example.com and pwd=a/b;host=db")
    'https://***@example.com and pwd=***;host=db'
    """
    return _PARAMETER.sub(r"\1***", _USER.sub("***@", _PASSWORD.sub(r"\1:***@", text)))


class RelimitError(Exception):
    """An error whose message says what is wrong, where, and how to mend it, and keeps secrets.

    Parameters
    ----------
    what
        What is wrong, with the numbers (rows, columns, values) that show it.
    where
        The file, column or setting it is in; empty if there is none.
    mend
        What to do about it.

    Examples
    --------
    >>> print(DataError("amount is double", where="events.parquet", mend="Cast it to int64 fen."))
    events.parquet: amount is double. Cast it to int64 fen.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        place = f"{where}: " if where else ""
        advice = f". {mend}" if mend else ""
        super().__init__(mask_secrets(f"{place}{what}{advice}"))
        self.what = mask_secrets(what)
        self.where = mask_secrets(where)
        self.mend = mend


class DataError(RelimitError):
    """A table or file that breaks the contract."""


class ModelError(RelimitError):
    """A model or artifact that can't be used."""


class PolicyError(RelimitError):
    """A policy file or setting that can't be used."""


@contextmanager
def unless_refused(
    what: str, *, where: str, mend: str, error: type[RelimitError] = DataError
) -> Iterator[None]:
    """Raise an `error` with the system's reason behind `what` where it refuses to read or write.

    Examples
    --------
    >>> with unless_refused("can't be written", where="out", mend="Make room"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    relimit.data.errors.DataError: out: can't be written: No space left on device. Make room
    """
    try:
        yield
    except OSError as refusal:
        reason = refusal.strerror or str(refusal)
        raise error(f"{what}: {reason}", where=where, mend=mend) from refusal

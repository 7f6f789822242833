"""Errors that a user can mend: what is wrong, where, and how to mend it."""


class RelimitError(Exception):
    """An error whose message says what is wrong, where, and how to mend it.

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
        super().__init__(f"{place}{what}{advice}")
        self.what = what
        self.where = where
        self.mend = mend


class DataError(RelimitError):
    """A table or file that breaks the contract."""


class ModelError(RelimitError):
    """A model or artifact that can't be used."""


class PolicyError(RelimitError):
    """A policy file or setting that can't be used."""

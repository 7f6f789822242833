"""What a feature asks for, named before there is a history: a number of tables, or two of them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn, Self

from relimit.features.series import Series

COUNT: Final = "count"
SUM: Final = "sum"
LAST: Final = "last"
SINCE: Final = "since"
VARIATION: Final = "variation"


class UntabledError(TypeError):
    """A feature is more than a number of the tables, or a share of two."""


class Found(NamedTuple):
    """The series that a function finds in a history."""

    find: Callable[..., Series]
    given: tuple[Any, ...]


class Cell(NamedTuple):
    """A number of the tables.

    Attributes
    ----------
    what
        One of the tables: `COUNT` or `SUM` of the events since an end, `LAST` amount before it,
        days `SINCE` the last event, `VARIATION` of the last amounts.
    events
        One of `KINDS`; for `COUNT` and `SUM` it may be a selection, or what is `Found`.
    end
        The place among the usual ends; 0 where a table looks at none.
    """

    what: str
    events: Any
    end: int


class Entry(NamedTuple):
    """A cell or, if there is a whole, the cell ÷ it, NaN where that is not above zero, ÷ a number.

    Examples
    --------
    >>> Entry(Cell(SUM, "draw", 2)).whole is None
    True
    """

    part: Cell
    whole: Cell | None = None
    divisor: float = 1.0


class Asked:
    """Some entries, one for each window asked for.

    Nothing but dividing can be done with them: what a function does else is no matter of tables.
    """

    __array_ufunc__ = None

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def under(self, part: Any) -> Any:
        """Return others ÷ these, of which one may stand for all."""
        parts, wholes = part.entries, [*self.entries]
        if len(wholes) == 1:
            wholes *= len(parts)
        if any(entry.whole for entry in (*parts, *wholes)):
            raise UntabledError
        pairs = zip(parts, wholes, strict=True)
        return Asked([Entry(one.part, other.part) for one, other in pairs])

    def __truediv__(self, divisor: float) -> Self:
        if any(entry.whole is None or entry.divisor != 1.0 for entry in self.entries):
            raise UntabledError
        return type(self)([entry._replace(divisor=float(divisor)) for entry in self.entries])

    def __bool__(self) -> NoReturn:
        raise UntabledError

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise UntabledError

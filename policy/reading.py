"""What one key of a policy file may hold, and the reader that says what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeVar

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import FEN_PER_YUAN

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a key may hold: `read` returns the value to keep, or raises `ValueError`.

    Attributes
    ----------
    expected
        The words that finish "expected ...".
    read
        Turns the value of the file into the one that the policy keeps.
    suffix
        What the key in the file adds to the attribute's name: `_yuan` where the file holds yuan.
    absent
        What a file says by leaving the key out; None if every file must have it.
    """

    expected: str
    read: Callable[[Any], Any]
    suffix: str = ""
    absent: Any = None


def whole(low: int, high: int) -> Any:
    """Declare a whole number between two bounds, both allowed."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return _declare(Rule(f"a whole number from {low} to {high}", read))


def number(low: float, high: float, *, absent: float | None = None) -> Any:
    """Declare a number between two bounds, both allowed."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ValueError
        if not low <= float(value) <= high:
            raise ValueError
        return float(value)

    return _declare(Rule(f"a number from {low:g} to {high:g}", read, absent=absent))


def yuan(low: int = 0) -> Any:
    """Declare money: yuan with at most two decimals in the file, int64 fen in the policy."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ValueError
        if isinstance(value, Decimal) and not value.is_finite():
            raise ValueError
        fen = value * FEN_PER_YUAN
        if not low <= fen <= 10**15 or fen != int(fen):
            raise ValueError
        return int(fen)

    expected = f"yuan, at least {low / FEN_PER_YUAN:g}, with at most two decimals"
    return _declare(Rule(expected, read, "_yuan"))


def one_of(*choices: Any) -> Any:
    """Declare one of a few values."""

    def read(value: Any) -> Any:
        for choice in choices:
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                return choice
        raise ValueError

    return _declare(Rule(f"one of {', '.join(map(str, choices))}", read))


def words() -> Any:
    """Declare a list of words."""

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise ValueError
        return tuple(value)

    return _declare(Rule("a list of words", read))


def word(valid: Callable[[str], bool], expected: str, *, absent: str | None = None) -> Any:
    """Declare a word that a check knows."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not valid(value):
            raise ValueError
        return value

    return _declare(Rule(expected, read, absent=absent))


def _declare(rule: Rule) -> Any:
    return field(metadata={"rule": rule})


def read_section(kind: type[T], table: object, *, name: str, where: str) -> T:
    """Build a section from its table in the file: every key that says something, and no other.

    Raises
    ------
    PolicyError
        A key is missing, unknown (the nearest right name is given) or holds a wrong value.
    """
    if not isinstance(table, Mapping):
        raise PolicyError(
            f"`{name}` is {type(table).__name__}, expected a table", where=where, mend=f"[{name}]"
        )
    rules = {f.name + f.metadata["rule"].suffix: f for f in _ruled(kind)}
    reject_unknown(table, tuple(rules), name=name, where=where)
    values = {f.name: _value(table, key, f, name, where) for key, f in rules.items()}
    return kind(**values)


def reject_unknown(
    table: Mapping[str, object], known: tuple[str, ...], *, name: str, where: str
) -> None:
    """Raise PolicyError for the first key that is not known, with the nearest right name."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            advice = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(known)}"
            raise PolicyError(f"`{_path(name, key)}` is not a setting", where=where, mend=advice)


def _ruled(kind: type[Any]) -> list[Field[Any]]:
    return [f for f in fields(kind) if "rule" in f.metadata and f.default is MISSING]


def _value(
    table: Mapping[str, object], key: str, declared: Field[Any], name: str, where: str
) -> object:
    rule: Rule = declared.metadata["rule"]
    if key not in table and rule.absent is not None:
        return rule.absent
    if key not in table:
        raise PolicyError(
            f"`{_path(name, key)}` is missing, expected {rule.expected}",
            where=where,
            mend="Copy it from the default policy",
        )
    try:
        return rule.read(table[key])
    except ValueError:
        raise PolicyError(
            f"`{_path(name, key)}` is {_said(table[key])}, expected {rule.expected}", where=where
        ) from None


def _said(value: object) -> str:
    """Return a value as the file has it: a quoted number is no number."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def _path(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key

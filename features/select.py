"""Which events, and when: what a feature asks a history for."""

from typing import NamedTuple


class Window(NamedTuple):
    """The trailing days `(as_of - ago - days, as_of - ago]`, on `known_at`.

    Examples
    --------
    >>> Window(30), Window(30, ago=60)
    (Window(days=30, ago=0), Window(days=30, ago=60))
    """

    days: int
    ago: int = 0


class Select(NamedTuple):
    """Some events of one kind: those with certain details, or with at least a value.

    Attributes
    ----------
    kind
        One of `relimit.data.vocabulary.KINDS`.
    detail
        The `detail`, or several to choose from; None takes any, null too.
    prefix
        The start of `detail`; None takes any, null too.
    at_least
        The smallest `value`; None takes any, null too.

    Examples
    --------
    >>> Select("draw", prefix="coupon:").takes("coupon:home")
    True
    """

    kind: str
    detail: str | tuple[str, ...] | None = None
    prefix: str | None = None
    at_least: int | None = None

    def takes(self, word: str) -> bool:
        """Return whether events with this detail are chosen."""
        choice = (self.detail,) if isinstance(self.detail, str) else self.detail
        return (choice is None or word in choice) and word.startswith(self.prefix or "")

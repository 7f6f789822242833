"""What an object works out once: `functools.cached_property` without its lock."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as `property` is
    """An attribute that is computed when it is first asked for; threads don't share the object.

    Until Python 3.12 the standard library's takes a lock each time, as long as many of the numpy
    calls of a live decision.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: object, owner: type) -> T:
        """Return the value, and keep it where the next look-up finds it first."""
        value = instance.__dict__[self._name] = self._compute(instance)
        return value

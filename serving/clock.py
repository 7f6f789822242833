"""Where a run's time goes; durations are taken from a clock that never goes back."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

Item = TypeVar("Item")


class Clock:
    """Started when made; stages may overlap, and run in several threads at once."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._stages: defaultdict[str, float] = defaultdict(float)
        self._guard = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the body's time to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            with self._guard:
                self._stages[name] += time.monotonic() - started

    def timed(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, adding the time that each takes to come to a stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def timings(self) -> dict[str, Any]:
        """Return when it was started, and the seconds since then in all and by stage."""
        stages = {name: round(seconds, 3) for name, seconds in sorted(self._stages.items())}
        return {
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._started, 3),
            "thread_seconds": stages,
        }

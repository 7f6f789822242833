"""What a simulated book costs: wall and processor seconds, memory, bytes on the disk."""

import math
import resource
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from _simulator_lines import Line, at_most, show

from relimit.data.simulator import simulate

LARGEST = 1_000_000
GIB_A_MILLION = 7.0
"""Disk that a book of a million accounts is given."""
STATED = 100_000
SECONDS, LINEAR, GIB = 90.0, 1.1, 3.0
"""Targets: wall seconds of `STATED` accounts x 30 months, share of linear time, memory."""
_SAMPLE_SECONDS = 1.0
"""Reading the sizes costs milliseconds of processor time, which would be counted with the rest."""
_KIB_PER_GIB = 2**20


@dataclass
class PeakMemory:
    """The largest memory of this process and its children together, GiB, while the body runs.

    The sum of the processes' proportional set sizes (`/proc/*/smaps_rollup`), which counts a page
    that several of them share once. Where the system doesn't tell, `peak` is NaN.
    """

    peak: float = float("nan")
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread:
            self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            now = sum(_proportional(process) for process in _family(Path("/proc/self")))
            if now and not now <= self.peak:
                self.peak = now


def _family(process: Path) -> list[Path]:
    """Return a process and all that it started, from `/proc`."""
    family = [process]
    for listed in process.glob("task/*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in children:
            family += _family(Path("/proc") / child)
    return family


def _proportional(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    kib = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return sum(kib) / _KIB_PER_GIB


def _processor_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


@dataclass(frozen=True)
class Cost:
    """What one book cost; `memory` in GiB (NaN if unknown), `size` in bytes."""

    accounts: int
    events: int
    seconds: float
    processor_seconds: float
    memory: float
    size: int

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.accounts:>9,} accounts, {self.events:>11,} events: {self.seconds:6.1f} s, "
            f"{self.processor_seconds:7.1f} CPU s, peak {self.memory:.2f} GiB (PSS), "
            f"{self.size / 2**30:.2f} GiB on disk"
        )


def timed(accounts: int, months: int, seed: int) -> Cost:
    """Simulate a book into a folder of its own, removed afterwards; return what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "book"
        spent, began = _processor_seconds(), time.perf_counter()
        with PeakMemory() as memory:
            summary = simulate(out, accounts=accounts, months=months, seed=seed, workers=2)
        seconds = time.perf_counter() - began
        size = sum(file.stat().st_size for file in out.iterdir())
    spent = _processor_seconds() - spent
    return Cost(accounts, summary.events, seconds, spent, memory.peak, size)


def scale(accounts: int, months: int, seed: int) -> int:
    """Print what a book and a tenth of it cost beside the targets; return the exit code."""
    needed = GIB_A_MILLION * accounts / LARGEST
    free = shutil.disk_usage(tempfile.gettempdir()).free / 2**30
    print(f"needs about {needed:.1f} GiB in {tempfile.gettempdir()}: {free:.0f} GiB free")
    if free < needed:
        print("not enough: point TMPDIR to a larger disk", file=sys.stderr)
        return 1
    small, large = (_told(size, months, seed) for size in (max(accounts // 10, 1), accounts))
    ratio = large.accounts / small.accounts
    wall, processor = (
        getattr(large, name) / getattr(small, name) / ratio
        for name in ("seconds", "processor_seconds")
    )
    print(
        f"{ratio:g} times the accounts: {wall:.2f} of linear wall, {processor:.2f} of linear CPU, "
        f"{large.memory / small.memory:.2f} times the memory"
    )
    lines = [
        *speed(small),
        *speed(large),
        at_most("wall seconds, times linear", wall, LINEAR),
    ]
    if not math.isnan(large.memory):
        lines.append(at_most("memory, GiB", large.memory, GIB))
    return int(not all(line.met for line in show("cost", lines)))


def speed(cost: Cost) -> list[Line]:
    """Return whether a book was made in time; no row for books of another size."""
    if cost.accounts != STATED:
        return []
    return [at_most(f"wall seconds of {STATED:,} accounts", cost.seconds, SECONDS)]


def measured(months: int, accounts: int, seed: int) -> list[Line]:
    """Print what books of growing size cost: time should be linear, memory flat."""
    sizes = sorted({max(accounts // 5, 1), accounts * 3 // 5, accounts})
    costs = [_told(size, months, seed) for size in sizes]
    return show("cost", speed(costs[-1])) if speed(costs[-1]) else []


def _told(accounts: int, months: int, seed: int) -> Cost:
    cost = timed(accounts, months, seed)
    print(cost, flush=True)
    return cost

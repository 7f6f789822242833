"""Simulate a book: run the blocks on several processes, stream the tables to files."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from relimit.data.errors import DataError
from relimit.data.simulator.lender import LenderPolicy
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import BlockTables, World, make_world, run_block
from relimit.data.simulator.writer import BookWriter
from relimit.data.vocabulary import SCHEMA_VERSION

BLOCK_ACCOUNTS = 10_000
_FIRST_ACCOUNT = 1


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a simulated book holds."""

    out: Path
    accounts: int
    events: int
    decisions: int
    as_of: datetime

    def to_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return {**asdict(self), "out": str(self.out), "as_of": self.as_of.isoformat()}


def simulate(
    out: Path,
    *,
    accounts: int,
    months: int,
    seed: int,
    scenario: str = "base",
    policy: LenderPolicy | None = None,
    oracle: int = 0,
    workers: int = 2,
    block_accounts: int = BLOCK_ACCOUNTS,
    progress: Callable[[int], None] | None = None,
) -> SimulationSummary:
    """Write a book of simulated accounts: the same seed gives the same bytes.

    Parameters
    ----------
    out
        The book's folder, made if need be.
    accounts, months, seed
        Size and seed of the world; it begins at the first day of `world.toml`.
    scenario
        One of `scenarios()`.
    policy
        The lender's policy; the older cooling-off rule if none.
    oracle
        Decisions whose 25 arms are all played out and written to `oracle.parquet`.
    workers
        Processes. With more than one, call it from an importable module or under
        `if __name__ == "__main__"`, as any spawned process needs.
    block_accounts
        Accounts stepped together; changes speed and memory alone.
    progress
        Called with the number of accounts just finished.

    Raises
    ------
    DataError
        An unknown scenario, or sizes below one.
    """
    for name, size in (("accounts", accounts), ("months", months), ("workers", workers)):
        if size < 1:
            raise DataError(f"{name} is {size}", mend="Ask for at least 1.")
    if oracle:
        raise DataError("this version plays out no oracle", mend="Leave oracle at 0.")
    settings = load_settings(scenario)
    world = make_world(months, seed, settings, policy)
    out.mkdir(parents=True, exist_ok=True)
    spans = _spans(accounts, block_accounts)
    with BookWriter(out) as writer:
        for (first, last), tables in zip(spans, _run(world, spans, workers), strict=True):
            writer.write(tables)
            if progress:
                progress(last - first)
    as_of = datetime.fromtimestamp(_as_of(world) / 1e6, tz=UTC)
    _describe(out, world, scenario, accounts, as_of)
    return SimulationSummary(out, accounts, writer.events, writer.decisions, as_of)


def _spans(accounts: int, size: int) -> list[tuple[int, int]]:
    end = accounts + _FIRST_ACCOUNT
    return [(first, min(first + size, end)) for first in range(_FIRST_ACCOUNT, end, size)]


def _run(world: World, spans: list[tuple[int, int]], workers: int) -> Iterator[BlockTables]:
    if workers == 1 or len(spans) == 1:
        yield from (run_block(world, *span) for span in spans)
        return
    with ProcessPoolExecutor(min(workers, len(spans)), mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[BlockTables]] = deque()
        for span in spans:
            waiting.append(pool.submit(run_block, world, *span))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _as_of(world: World) -> int:
    calendar = world.calendar()
    return calendar.instant(calendar.days)


def _describe(out: Path, world: World, scenario: str, accounts: int, as_of: datetime) -> None:
    book = {
        "schema_version": SCHEMA_VERSION,
        "as_of": as_of.isoformat(),
        "simulated": True,
        "seed": world.seed,
        "scenario": scenario,
        "accounts": accounts,
        "months": world.months,
        "policy": world.lender.name,
        "settings": asdict(world.settings),
    }
    (out / "book.json").write_text(json.dumps(book, indent=2, default=_jsonable) + "\n", "utf-8")


def _jsonable(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else str(value)

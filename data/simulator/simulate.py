"""Simulate a book: run the blocks on several processes, stream the tables to files."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from relimit.data.atomic import write_json
from relimit.data.errors import DataError
from relimit.data.schema import oracle_schema
from relimit.data.simulator.branches import play_out
from relimit.data.simulator.lender import LenderPolicy
from relimit.data.simulator.parcel import pack_block
from relimit.data.simulator.pool import in_order
from relimit.data.simulator.population import make_people
from relimit.data.simulator.sampling import Sample
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import World, make_world
from relimit.data.simulator.writer import ORACLE, ORACLE_ACCOUNTS, BookWriter
from relimit.data.tables import write_parquet
from relimit.data.vocabulary import SCHEMA_VERSION

BLOCK_ACCOUNTS = 10_000
_FIRST_ACCOUNT = 1
_BRANCHED_TOGETHER = 64


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
    redelivered: float = 0.0,
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
        Decisions whose 25 arms are all played out and written to `oracle.parquet`, with the
        accounts' latent types in `oracle_accounts.parquet`.
    redelivered
        Share of the events delivered twice; above 0, all deliveries are out of order too.
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
        An unknown scenario, sizes below one, or an oracle of a world under another policy.
    """
    for name, size in (("accounts", accounts), ("months", months), ("workers", workers)):
        if size < 1:
            raise DataError(f"{name} is {size}", mend="Ask for at least 1.")
    if oracle and policy is not None:
        raise DataError("the oracle is of the older rule's world", mend="Drop policy or oracle.")
    settings = load_settings(scenario)
    world = make_world(months, seed, settings, policy)
    out.mkdir(parents=True, exist_ok=True)
    sample = Sample(world, oracle)
    spans = _spans(accounts, block_accounts)
    with TemporaryDirectory(prefix=".blocks-", dir=out) as folder:
        calls = ((world, *span, Path(folder) / f"{span[0]}.arrow") for span in spans)
        with (
            BookWriter(out, redelivered=redelivered, seed=seed) as writer,
            closing(in_order(pack_block, calls, min(workers, len(spans)))) as blocks,
        ):
            for block in blocks:
                writer.write(block)
                sample.offer(block.decisions)
                if progress:
                    progress(block.accounts.num_rows)
    if oracle:
        _write_oracle(out, sample, workers)
        write_parquet(_latent_types(world, accounts), out / ORACLE_ACCOUNTS)
    as_of = datetime.fromtimestamp(_as_of(world) / 1e6, tz=UTC)
    _describe(out, world, scenario, accounts, as_of)
    return SimulationSummary(out, accounts, writer.events, writer.decisions, as_of)


def _spans(accounts: int, size: int) -> list[tuple[int, int]]:
    end = accounts + _FIRST_ACCOUNT
    return [(first, min(first + size, end)) for first in range(_FIRST_ACCOUNT, end, size)]


def _write_oracle(out: Path, sample: Sample, workers: int) -> None:
    cases = sample.chosen()
    size = len(cases.day)
    calls = [
        (sample.world, cases.part(first, first + _BRANCHED_TOGETHER))
        for first in range(0, size, _BRANCHED_TOGETHER)
    ]
    tables = list(in_order(play_out, calls, min(workers, max(len(calls), 1))))
    write_parquet(pa.concat_tables([oracle_schema().empty_table(), *tables]), out / ORACLE)


def _latent_types(world: World, accounts: int) -> pa.Table:
    account_id = np.arange(_FIRST_ACCOUNT, accounts + _FIRST_ACCOUNT, dtype=np.int64)
    days = world.calendar().days
    people = make_people(world.settings, account_id, days=days, seed=world.seed)
    names = pa.array(world.settings.types.name)
    return pa.table({"account_id": account_id, "type": names.take(pa.array(people.kind))})


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
        "settings": _plain(asdict(world.settings)),
    }
    write_json(book, out / "book.json")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, bool | int | float | str) else str(value)

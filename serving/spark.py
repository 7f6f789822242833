"""The same decisions on a Spark cluster: buckets of whole accounts, decided by the same function.

Spark deals out the work, shuffles the events, and repeats what an executor loses; what is decided
about a bucket's accounts is decided by `decide_events`, as in a local run. Events and answers
travel as packed tables: a row of Spark's for each costs as much as deciding it. The model travels
as the bytes of its artifact, and each executor checks them as any other loading does.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.accounts import Ids, group_by_account
from relimit.data.errors import DataError
from relimit.data.event_tables import conform_events
from relimit.data.schema import events_schema
from relimit.data.stream import BLOCK_ROWS
from relimit.features import load_plugins, named_plugins
from relimit.models import Artifact, Predictor, RiskModel
from relimit.policy import Policy, decisions_schema
from relimit.serving.blocks import Answers, decide_events
from relimit.serving.executor_reading import Reading
from relimit.serving.packed import BUCKET, EVENTS, PARTED, numbered, pack, parted, unpack
from relimit.serving.quarantine import quarantine_schema
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

REASON: Final = "quarantine_reason"
PLACE: Final = "place"
Batches = Iterator[pa.RecordBatch]
PACKED_ANSWERS: Final = pa.schema([pa.field(name, pa.binary()) for name in Answers._fields])
"""What `packed_answers` returns."""


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A saved model as bytes, for executors that don't see the folder.

    Attributes
    ----------
    files
        The artifact's files by name, its manifest among them.
    digest
        SHA-256 of the manifest.
    predictor
        As in `Artifact.load`.
    plugins
        Modules of features that executors import first; they must be installed there.
    """

    files: tuple[tuple[str, bytes], ...]
    digest: str
    predictor: Predictor
    plugins: tuple[str, ...] = ()

    @classmethod
    def of(cls, artifact: Artifact, predictor: Predictor = "auto") -> Self:
        """Return what a model that was read and checked here sends to executors."""
        files = tuple(artifact.files.items())
        return cls(files, artifact.digest, predictor, named_plugins())

    def load(self) -> RiskModel:
        """Return the model, its bytes checked again where they have arrived; once a process.

        Raises
        ------
        DataError
            A plugin can't be imported here.
        ModelError
            The bytes are others than were sent, or don't fit what is installed here.
        """
        return _loaded(self)


@lru_cache(maxsize=2)
def _loaded(shipped: ShippedModel) -> RiskModel:
    load_plugins(shipped.plugins)
    arrived = Artifact.of(dict(shipped.files), shipped.digest, "the model that was sent")
    return arrived.load(predictor=shipped.predictor)


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """What executors need to decide: the model's bytes, the policy and what is asked.

    Attributes
    ----------
    model, policy, request
        As for a local run; the request names prepayments or a night.
    """

    model: ShippedModel
    policy: Policy
    request: Request

    def answers(self, events: pa.Table) -> Iterator[Answers]:
        """Yield the answers about a bucket of whole accounts, some accounts at a time, ascending.

        Raises
        ------
        DataError
            The events break their contract.
        """
        scorer = Scorer(self.model.load(), self.policy)
        events = conform_events(events, where="events", lenient=True)
        self.request.require_type(events.schema.field("account_id").type)
        for part in _parts(self.request.wanted.of(events)):
            yield decide_events(scorer, self.request, part)[0]


def score_frame(
    spark: "SparkSession", events: "DataFrame", run: ClusterRun, *, buckets: int | Ids
) -> "DataFrame":
    """Return the answers about the accounts of a Spark frame, decided on its executors.

    Parameters
    ----------
    spark
        The session; its time zone must be UTC.
    events
        The columns of the events table.
    run
        What to decide, with which model and policy.
    buckets
        How many groups of whole accounts the events are put into, about one for a million events;
        or the ascending ids with which each but the first begins. Then the frame's partitions are
        these buckets, and ascend by account.

    Returns
    -------
    DataFrame
        The columns of `answers_schema`: of a row that can't be decided only its ids, time, amount
        and `quarantine_reason` are there. A prepayment of an account that has no events has no
        row. Spark works on it when it is asked for, and anew each time unless it is cached.

    Raises
    ------
    DataError
        The session's time zone is not UTC: Spark would shift the times.
    """
    from pyspark.sql.functions import lit, pmod, xxhash64

    zone = spark.conf.get("spark.sql.session.timeZone")
    if zone != "UTC":
        raise DataError(
            f"the session's time zone is {zone}",
            where="spark.sql.session.timeZone",
            mend="Set it to UTC: Spark shifts times to its session's zone",
        )
    words = dict(events.dtypes)["account_id"] == "string"
    schema = answers_schema(pa.string() if words else pa.int64())
    mine = events.select([name for name in events_schema().names if name in events.columns])
    if isinstance(buckets, int):
        bucket = pmod(xxhash64("account_id"), lit(buckets)).cast("int")
        parts = _mapped(mine.withColumn(BUCKET, bucket), _by_number, PARTED)
        return _answered(parts, buckets, run, _as_table, schema)
    parts = _mapped(mine, partial(_by_border, buckets), PARTED)
    return _answered(parts, len(buckets) + 1, run, _as_table, schema)


def packed_answers(
    spark: "SparkSession", events: Reading, run: ClusterRun, *, borders: Ids
) -> "DataFrame":
    """Return the answers about what executors read, as tables in bytes: a row for some accounts.

    Spark has few rows to move and to write then, and no columns of lists and texts to convert.

    Parameters
    ----------
    borders
        As in `score_frame`.

    Returns
    -------
    DataFrame
        The columns of `PACKED_ANSWERS`, each the table of that name of an `Answers`. Accounts
        ascend from one row to the next of a partition, and from one partition to the next.
    """
    tasks = spark.range(len(events.shares), numPartitions=len(events.shares))
    parts = _mapped(tasks, partial(_read, events, borders), PARTED)
    return _answered(parts, len(borders) + 1, run, pack_answers, PACKED_ANSWERS)


def _by_number(batches: Batches) -> Batches:
    return parted(pa.Table.from_batches([batch]) for batch in batches)


def _by_border(borders: Ids, batches: Batches) -> Batches:
    return parted(numbered((pa.Table.from_batches([batch]) for batch in batches), borders))


def _read(events: Reading, borders: Ids, tasks: Batches) -> Batches:
    for batch in tasks:
        for task in batch["id"].to_pylist():
            yield from events.parts(task, borders)


def _answered(
    parts: "DataFrame",
    buckets: int,
    run: ClusterRun,
    told: Callable[[Answers], pa.Table],
    schema: pa.Schema,
) -> "DataFrame":
    """Return the answers about parted events, each told as a table of a schema."""

    def work(rows: Batches) -> Batches:
        if mine := [unpack(content) for batch in rows for content in batch[EVENTS]]:
            for answers in run.answers(pa.concat_tables(mine).unify_dictionaries()):
                yield from told(answers).to_batches()

    return _mapped(parts.repartitionById(buckets, parts[BUCKET]).select(EVENTS), work, schema)


def _mapped(
    frame: "DataFrame", work: Callable[[Batches], Batches], schema: pa.Schema
) -> "DataFrame":
    from pyspark.sql.pandas.types import from_arrow_schema

    with warnings.catch_warnings():
        # Nothing of ours goes through pandas there; the tests hold both engines equal.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        return frame.mapInArrow(work, from_arrow_schema(schema))


def answers_schema(account_id: pa.DataType) -> pa.Schema:
    """Return the decisions' columns, all nullable, the place within an account, and the reason."""
    decided = [field.with_nullable(True) for field in decisions_schema(account_id)]
    return pa.schema([*decided, pa.field(PLACE, pa.int64()), pa.field(REASON, pa.string())])


def answers_of(table: pa.Table) -> Answers:
    """Return a table of `answers_schema` as decisions and quarantine."""
    ids = table.schema.field("account_id").type
    refused = table[REASON].is_valid()
    quarantine, decisions = quarantine_schema(ids), decisions_schema(ids)
    refusals = table.filter(refused).rename_columns(
        ["reason" if name == REASON else name for name in table.column_names]
    )
    return Answers(
        table.filter(pc.invert(refused)).select(decisions.names).cast(decisions),
        refusals.select(quarantine.names).cast(quarantine),
    )


def pack_answers(answers: Answers) -> pa.Table:
    """Return the answers about some accounts as a row of `PACKED_ANSWERS`, or none without any."""
    packed = [[pack(table)] if answers.rows else [] for table in answers]
    return pa.table(packed, schema=PACKED_ANSWERS)


def unpack_answers(packed: pa.Table) -> Iterator[Answers]:
    """Yield the answers of each row of `PACKED_ANSWERS`."""
    for contents in zip(*packed.columns, strict=True):
        yield Answers(*map(unpack, contents))


def _as_table(answers: Answers) -> pa.Table:
    """Return the answers of a block in one table; `place` keeps each account's order."""
    schema = answers_schema(answers.decided.schema.field("account_id").type)
    refused = answers.quarantined.rename_columns(
        [REASON if name == "reason" else name for name in answers.quarantined.column_names]
    )
    whole = pa.concat_tables([answers.decided, refused], promote_options="default")
    place = pa.array(np.arange(whole.num_rows))
    whole = whole.append_column(PLACE, place).select(schema.names).cast(schema)
    return whole.take(pa.array(np.argsort(whole["account_id"].to_numpy(), kind="stable")))


def _parts(events: pa.Table) -> Iterator[pa.Table]:
    """Yield whole accounts of about `BLOCK_ROWS` events; an account alone may have more."""
    _, starts, order = group_by_account(events["account_id"])
    if order is not None:
        events = events.take(pa.array(order))
    part = starts[:-1] // BLOCK_ROWS
    for first in np.flatnonzero(np.diff(part, prepend=-1)):
        last = np.searchsorted(part, part[first], side="right")
        begin, end = int(starts[first]), int(starts[last])
        yield events.slice(begin, end - begin)

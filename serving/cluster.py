"""`relimit score --engine spark`: a cluster decides, and the files are those of a local run."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relimit.data.accounts import Ids
from relimit.data.errors import DataError, ModelError, RelimitError
from relimit.data.stream import EventPlan
from relimit.data.tables import read_whole
from relimit.data.wanted import Tally, Wanted, within
from relimit.serving.blocks import Answers, no_answers, with_quarantined
from relimit.serving.clock import Clock
from relimit.serving.executor_reading import Reading
from relimit.serving.lots import accounts_of
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer
from relimit.serving.spark import (
    ClusterRun,
    ShippedModel,
    packed_answers,
    unpack_answers,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BUCKET_ROWS: Final = 1_000_000
"""Events of a bucket, about: its table and its blocks take some 200 MB on an executor."""

BUCKET_ACCOUNTS: Final = 5_000
"""Accounts of a bucket of a night, about."""

MOST_SENT: Final = 100_000
"""Accounts asked about that are sent to every executor, to leave out the others' events."""

STAGED: Final = "_spark-"
SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}
CHECKED: Final = {"parquet.page.verify-checksum.enabled": "true"}


_NOBODY: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class OnSpark:
    """Answers what is asked about a plan's events on a Spark cluster.

    The answers are staged as Parquet in a folder that driver and executors both see, by ascending
    account, and read back from there.

    Attributes
    ----------
    shipped
        The model's bytes.
    scorer, request, plan, workers
        As for `Answering`; `workers` are the cores of a cluster in this process, which is used
        where no other is configured (`spark.master`).
    staging
        Where the answers may be put.

    Raises
    ------
    ModelError
        The bytes are not those of the scorer's model.
    """

    shipped: ShippedModel
    staging: Path
    scorer: Scorer
    request: Request
    plan: EventPlan
    workers: int

    def __post_init__(self) -> None:
        if not self.shipped.digest.startswith(self.scorer.model.version):
            what = f"the model {self.scorer.model.version} was loaded, and another one to be sent"
            raise ModelError(what, mend="Load one artifact, and send the same")

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""
        return no_answers(self.plan.schema.field("account_id").type)

    def iterate(self, after: Any, clock: Clock, tally: Tally) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all.

        Raises
        ------
        DataError
            Spark gives up.
        """
        for left in self.staging.glob(f"{STAGED}*"):  # by a run that was killed
            shutil.rmtree(left)
        folder = Path(mkdtemp(prefix=STAGED, dir=self.staging))
        rest = self.plan if after is None else self.plan.following(after)
        try:
            if rest.groups:
                with clock.stage("deciding"):
                    self._stage(folder / "answers", rest, tally)
            yield from self._read(sorted((folder / "answers").glob("*.parquet")), after)
        finally:
            shutil.rmtree(folder)
        tally.add(rest.rows, _NOBODY)

    def _stage(self, folder: Path, rest: EventPlan, tally: Tally) -> None:
        """Have the executors write their answers, a range of accounts in each file."""
        run = ClusterRun(self.shipped, self.scorer.policy, self.request)
        with _session(self.workers) as spark:
            asked = within(self._asked(spark, rest, tally), rest.after, None)
            if len(asked):
                events = Reading.of(rest, asked if len(asked) <= MOST_SENT else None)
                answers = packed_answers(spark, events, run, borders=self._borders(asked))
                answers.write.parquet(str(folder), compression="none")

    def _asked(self, spark: "SparkSession", rest: EventPlan, tally: Tally) -> Ids:
        """Return who is asked about, ascending; those due are counted apart from the decisions."""
        wanted = self.request.wanted
        named = _NOBODY if wanted.named is None else wanted.named
        if wanted.kind is None:
            return named
        paths = dict.fromkeys(str(group.path) for group in rest.groups)
        events = spark.read.options(**CHECKED).parquet(*paths)
        mine = events.where(events["account_id"].isNotNull())  # the others the run itself keeps
        found = _asking(mine, wanted).toArrow()
        ids = found["account_id"]
        tally.add(0, ids.filter(found["calls"]).to_numpy())
        return np.unique(
            np.concatenate([part for part in (named, ids.to_numpy()) if len(part)] or [_NOBODY])
        )

    def _borders(self, asked: Ids) -> Ids:
        """Return the ids with which buckets begin, so that each has as many accounts."""
        buckets = max(2 * self.workers, -(-self.plan.rows // BUCKET_ROWS))
        if self.request.wanted.kind is not None:
            buckets = min(buckets, max(2 * self.workers, len(asked) // BUCKET_ACCOUNTS))
        return np.unique(asked[np.arange(1, buckets) * len(asked) // buckets])

    def _read(self, files: list[Path], after: Any) -> Iterator[Answers]:
        """Yield the staged answers; every account that was asked about and has events has some."""
        for file in files:
            for answers in unpack_answers(read_whole(file)):
                ids = accounts_of(answers)
                missing = self.request.without_events(ids, after, ids[-1])
                yield with_quarantined(answers, missing)
                after = ids[-1]
        yield with_quarantined(self.empty(), self.request.without_events(_NOBODY, after, None))


def _asking(events: "DataFrame", wanted: Wanted) -> "DataFrame":
    """Return the accounts of the events that ask for something, and whether they are not of 0.

    As in `Wanted.rows`.
    """
    from pyspark.sql.functions import coalesce, col, lit, timestamp_micros

    times = [name for name in ("known_at", "ts") if name in events.columns]
    known_at = coalesce(*times)
    since, as_of = (timestamp_micros(lit(time)) for time in (wanted.since, wanted.as_of))
    mine = events.where(
        (col("kind").isNull() | (col("kind") == lit(wanted.kind)))
        & (known_at.isNull() | ((known_at > since) & (known_at <= as_of)))
    )
    calls = coalesce(col("amount") != 0, lit(True))
    return mine.select("account_id", calls.alias("calls")).distinct()


@contextmanager
def _session(workers: int) -> Iterator["SparkSession"]:
    """Yield the session that is there, or one of the configured cluster, or of this process.

    What this starts it stops. Errors of Spark become messages.
    """
    pyspark = _pyspark()
    there = pyspark.sql.SparkSession.getActiveSession()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # executors with what we have
    builder = pyspark.sql.SparkSession.builder.appName("relimit").config(map=SETTINGS)
    if there is None and not pyspark.SparkConf().contains("spark.master"):
        builder = builder.master(f"local[{workers}]").config("spark.ui.enabled", "false")
    try:
        spark = builder.getOrCreate()
        try:
            yield spark
        finally:
            if there is None:
                spark.stop()
    except pyspark.errors.PySparkException as error:
        told = _line(str(error), str(error))
        raise DataError(f"Spark gave up: {told}", mend=_ADVICE) from error
    except _java_error() as error:
        raise DataError(f"Spark gave up: {_cause(error)}", mend=_ADVICE) from error


_ADVICE: Final = "See the executors' logs; nothing was written, and the same command starts again"


def _pyspark() -> Any:
    try:
        import pyspark
        import pyspark.errors
        import pyspark.sql
    except ImportError as error:
        raise RelimitError(
            "Spark is not installed", mend="Install it: pip install 'relimit[spark]'"
        ) from error
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise RelimitError("Spark needs Java", mend="Install Java 17 or set JAVA_HOME")
    return pyspark


def _java_error() -> type[Exception]:
    from py4j.protocol import Py4JJavaError

    error: type[Exception] = Py4JJavaError
    return error


def _cause(error: Any) -> str:
    """Return the first line of the innermost Java exception: the outer ones only pass it on."""
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return _line(f"{error}\n{cause.getMessage()}", str(cause.getMessage()))


def _line(told: str, short: str) -> str:
    """Return what an executor of ours said in an exception's text, or else its first line."""
    ours = _OURS.findall(told)
    return str(ours[-1] if ours else short.strip().splitlines()[0]).rstrip(".")


_OURS: Final = re.compile(r"^relimit\.[\w.]+Error: (.+)$", re.MULTILINE)
"""How Python's traceback ends, which Spark passes on as a text."""

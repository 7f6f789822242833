"""`relimit score --engine spark`: a cluster decides, and the files are those of a local run."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq

from relimit.data.errors import DataError, RelimitError
from relimit.data.stream import EventPlan
from relimit.serving.answers import Progress, no_answers, with_missing
from relimit.serving.blocks import Answers
from relimit.serving.clock import Clock
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer
from relimit.serving.spark import (
    PLACE,
    ClusterRun,
    ShippedModel,
    answers_of,
    answers_schema,
    score_frame,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BUCKET_ROWS: Final = 1_000_000
"""Events of a bucket, about: its table and its blocks take some 200 MB on an executor."""

STAGED: Final = "_spark-"
SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
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
    """

    shipped: ShippedModel
    staging: Path
    scorer: Scorer
    request: Request
    plan: EventPlan
    workers: int

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""
        return no_answers(self.plan.schema.field("account_id").type)

    def iterate(self, after: Any, clock: Clock, progress: Progress | None) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all.

        Raises
        ------
        DataError
            Spark gives up.
        """
        if not self.plan.groups:
            yield with_missing(self.empty(), self.request.without_events(_NOBODY, after, None))
            return
        for left in self.staging.glob(f"{STAGED}*"):  # by a run that was killed
            shutil.rmtree(left)
        folder = Path(mkdtemp(prefix=STAGED, dir=self.staging))
        try:
            with clock.stage("deciding"):
                self._stage(folder / "answers", after)
            yield from self._read(sorted((folder / "answers").glob("*.parquet")), after)
        finally:
            shutil.rmtree(folder)
        if progress is not None:
            progress(self.plan.rows, self.plan.rows)

    def _stage(self, folder: Path, after: Any) -> None:
        """Have the executors write their answers, an account's in one file."""
        run = ClusterRun(self.shipped, self.scorer.policy, self.request)
        buckets = max(2 * self.workers, -(-self.plan.rows // BUCKET_ROWS))
        with _session(self.workers) as spark:
            answers = score_frame(spark, self._events(spark, after), run, buckets=buckets)
            kept = answers.persist(_on_disk())  # finding the ranges would decide everything twice
            ordered = kept.repartitionByRange(buckets, "account_id")
            ordered.sortWithinPartitions("account_id", PLACE).write.parquet(str(folder))
            kept.unpersist()

    def _events(self, spark: "SparkSession", after: Any) -> "DataFrame":
        paths = dict.fromkeys(str(group.path) for group in self.plan.groups)
        events = spark.read.options(**CHECKED).parquet(*paths)
        return events if after is None else events.where(events["account_id"] > after)

    def _read(self, files: list[Path], after: Any) -> Iterator[Answers]:
        """Yield the staged answers; every account that was asked about and has events has some."""
        schema = answers_schema(self.plan.schema.field("account_id").type)
        for file in files:
            table = pq.read_table(file).cast(schema)  # Spark names a list's field otherwise
            if table.num_rows:
                ids, through = table["account_id"].to_numpy(), table["account_id"][-1].as_py()
                missing = self.request.without_events(ids, after, through)
                yield with_missing(answers_of(table), missing)
                after = through
        yield with_missing(self.empty(), self.request.without_events(_NOBODY, after, None))


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
        raise DataError(f"Spark gave up: {_first_line(error)}", mend=_ADVICE) from error
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


def _on_disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.DISK_ONLY


def _java_error() -> type[Exception]:
    from py4j.protocol import Py4JJavaError

    error: type[Exception] = Py4JJavaError
    return error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _cause(error: Any) -> str:
    """Return the first line of the innermost Java exception: the outer ones only pass it on."""
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.getMessage()).strip().splitlines()[0]

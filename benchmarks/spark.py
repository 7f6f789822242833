"""The same night through Spark and through threads, on the same two cores.

    python benchmarks/spark.py [--accounts N] [--runs N]

A decision for every account of a book (`_night_data.py`), by `relimit score`'s engines: threads
here, and a Spark session of two local cores that has been warmed up, files and all. What both wrote
is compared by its digests before a ratio is printed. Target: Spark takes at most twice as long.
Then the frame alone, `score_frame`, by the number of buckets and of cores. A model of 400 trees;
medians of several runs; exits 1 if the target is missed. Needs Java 17.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from _night_data import make_book, make_model, make_seed
from pyspark.sql import SparkSession

from relimit.models import Artifact, load_model
from relimit.policy import load_policy
from relimit.serving.answers import Answering
from relimit.serving.batch import MakeEngine, score
from relimit.serving.cluster import OnSpark
from relimit.serving.requests import NamedPrepayments
from relimit.serving.scorer import Scorer
from relimit.serving.spark import ClusterRun, ShippedModel, score_frame

CORES = 2
TARGET = 2.0
"""Spark's time by that of threads, at most."""
BUCKETS = (2, 4, 8, 16)


def main() -> int:
    """Print the ratios; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seed, book = make_seed(folder), folder / "book"
        make_model(seed, folder / "model")
        make_book(seed, book, given.accounts)
        met = overhead(folder, book, given.accounts, given.runs)
        scaling(folder, book, given.runs)
    return 0 if met else 1


def overhead(folder: Path, book: Path, accounts: int, runs: int) -> bool:
    """Compare the two engines of the command; they must have written the same files."""
    shipped = ShippedModel.of(Artifact.read(folder / "model"))
    engines: dict[str, Callable[[Path], MakeEngine]] = {
        "threads": lambda _: Answering,
        "spark": lambda out: partial(OnSpark, shipped, out),
    }
    took: dict[str, list[float]] = {name: [] for name in engines}
    written: list[dict[str, Any]] = []
    with session(CORES):
        for run in range(runs + 1):
            for name, engine in engines.items():
                manifest, seconds = scored(folder, book, engine)
                written.append(manifest["files"])
                if run:  # the first wakes Spark's Python workers
                    took[name].append(seconds)
                elif manifest["counts"]["decided"] != accounts:
                    raise SystemExit(f"{manifest['counts']['decided']:,} of {accounts:,} decided")
    if any(files != written[0] for files in written):
        raise SystemExit("the engines wrote other files")
    median = {name: statistics.median(seconds) for name, seconds in took.items()}
    ratio = median["spark"] / median["threads"]
    verdict = "met" if ratio <= TARGET else "MISSED"
    print(f"{accounts:,} decisions, the same bytes: threads {median['threads']:.1f} s,", end=" ")
    print(f"Spark {median['spark']:.1f} s on the same {CORES} cores")
    print(f"Spark / threads {ratio:.2f}  at most {TARGET:.2f}  {verdict}", flush=True)
    return ratio <= TARGET


def scored(
    folder: Path, book: Path, engine: Callable[[Path], MakeEngine]
) -> tuple[dict[str, Any], float]:
    """Score the book into a folder of its own; return the manifest and the seconds."""
    scorer = Scorer(load_model(folder / "model"), load_policy())
    request = NamedPrepayments.read(book / "prepayments.parquet")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        out = Path(name) / "out"
        out.mkdir()
        started = time.perf_counter()
        manifest = score(
            scorer, book / "events.parquet", request, out, workers=CORES, engine=engine(out)
        )
        return manifest, time.perf_counter() - started


def scaling(folder: Path, book: Path, runs: int) -> None:
    """Print how long the frame alone takes, by cores and buckets."""
    request = NamedPrepayments.read(book / "prepayments.parquet")
    run = ClusterRun(ShippedModel.of(Artifact.read(folder / "model")), load_policy(), request)
    print("score_frame, seconds by buckets:")
    for cores in (1, CORES):
        with session(cores) as spark:
            events = spark.read.parquet(str(book / "events.parquet"))
            found = {buckets: framed(spark, events, run, buckets, runs) for buckets in BUCKETS}
        row = "  ".join(f"{buckets:3} {seconds:6.1f}" for buckets, seconds in found.items())
        print(f"  {cores} core{'s' if cores > 1 else ' '}  {row}", flush=True)


def framed(spark: SparkSession, events: Any, run: ClusterRun, buckets: int, runs: int) -> float:
    """Return the median time of answering everything, the first run left out."""
    took = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        answers = score_frame(spark, events, run, buckets=buckets)
        answers.write.format("noop").mode("overwrite").save()
        took.append(time.perf_counter() - started)
    return statistics.median(took[1:])


@contextmanager
def session(cores: int) -> Iterator[SparkSession]:
    """Yield a session of so many cores in this process, quiet."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(f"local[{cores}]").appName("relimit-benchmark")
    for name, value in {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "3g",
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    try:
        yield spark
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(main())

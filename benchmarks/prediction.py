"""Raw scores of trees: the bit-vector evaluator against LightGBM's own predict, both on two cores.

    python benchmarks/prediction.py [--rows N]

400 trees of 31 leaves over 60 features with missing values. Every score is compared first: one
that differs in a bit ends the benchmark. LightGBM has two threads of its own; the evaluator is
called from two worker threads, a block of rows at a time, as scoring calls it.
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from relimit.models.bitvector import evaluate
from relimit.models.ensemble import read_ensemble
from relimit.models.prediction import WIDE_BLOCK

TREES, LEAVES, FEATURES, THREADS, BLOCK_ROWS, TURNS = 400, 31, 60, 2, 4096, 3
TARGET = 5.0
"""How many times faster than LightGBM a whole book's prediction must be, by the clock."""

Floats = NDArray[np.float64]


def main() -> int:
    """Measure; return 1 if a score differs or the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    rows = parser.parse_args().rows
    rng = np.random.default_rng(0)
    booster = grow(rng)
    trees = read_ensemble(booster.model_to_string())
    X = draw(rng, rows)
    with ThreadPoolExecutor(THREADS) as pool:

        def by_blocks() -> Floats:
            parts = [X[low : low + BLOCK_ROWS] for low in range(0, rows, BLOCK_ROWS)]
            return np.concatenate(list(pool.map(lambda part: evaluate(trees, part), parts)))

        def by_lightgbm() -> Floats:
            return np.asarray(booster.predict(X, raw_score=True, num_threads=THREADS))

        if by_blocks().tobytes() != by_lightgbm().tobytes():
            print(f"{rows:,} rows: scores differ: WRONG")
            return 1
        print(f"{rows:,} rows: every score is LightGBM's to the last bit")
        ours, theirs = quickest(by_blocks), quickest(by_lightgbm)
    ratio = theirs / ours
    print(f"  LightGBM {theirs / rows * 1e6:.2f} us a row, evaluator {ours / rows * 1e6:.2f}")
    told = "met" if ratio >= TARGET else "MISSED"
    print(f"  {ratio:.1f} times faster by the clock; target {TARGET}: {told}")
    where_they_cross(booster, lambda part: evaluate(trees, part), X)
    return 0 if ratio >= TARGET else 1


def grow(rng: np.random.Generator) -> lgb.Booster:
    """Return a model with numerical splits and missing values in every column."""
    X = draw(rng, 40_000)
    drive = np.nan_to_num(X[:, 0]) * 0.2 + np.nan_to_num(X[:, 30]) * np.nan_to_num(X[:, 31])
    y = rng.random(len(X)) < 1 / (1 + np.exp(1 - drive))
    settings = {"objective": "binary", "num_leaves": LEAVES, "verbosity": -1, "seed": 0}
    return lgb.train(settings | {"num_threads": THREADS}, lgb.Dataset(X, y), TREES)


def draw(rng: np.random.Generator, rows: int) -> Floats:
    """Return rows whose first columns are counts, a tenth of all values missing."""
    X = rng.normal(size=(rows, FEATURES))
    X[:, :20] = np.round(X[:, :20] * 3)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def quickest(run: Callable[[], object]) -> float:
    """Return the seconds of the quickest of some turns."""
    took = []
    for _ in range(TURNS):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


def where_they_cross(
    booster: lgb.Booster, evaluator: Callable[[Floats], Floats], X: Floats
) -> None:
    """Print by width of the block how the evaluator compares with LightGBM on one thread."""
    print(f"  one thread each, by rows in a block (WIDE_BLOCK is {WIDE_BLOCK}):")
    for width in (1, 8, 16, 32, 64, 128, 256):
        parts = [X[low : low + width] for low in range(0, 2048, width)]
        theirs = quickest(lambda: [_one_thread(booster, part) for part in parts])  # noqa: B023
        ours = quickest(lambda: [evaluator(part) for part in parts])  # noqa: B023
        print(f"    {width:>4}: {theirs / ours:.2f} times faster")


def _one_thread(booster: lgb.Booster, part: Floats) -> object:
    return booster.predict(part, raw_score=True, num_threads=1, validate_features=False)


if __name__ == "__main__":
    sys.exit(main())

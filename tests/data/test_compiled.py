"""Rows are laid in words, parted and read back by compiled loops as by numpy, to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data import compiled
from relimit.data.buckets import Parted
from relimit.data.layout import Layout, ranges_of
from relimit.data.native import Loops, load

KINDS = (np.int64, np.int32, np.uint8, np.int16)

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="the extra `fast` is absent")


@pytest.fixture(scope="module")
def loops() -> Loops:
    return load("relimit.data.loops")


@contextmanager
def by(loops: Loops) -> Iterator[None]:
    """Compute with these loops, however few the rows; with none, by numpy."""
    with mock.patch.object(compiled, "loops_for", return_value=loops):
        yield


def columns(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Columns of all widths, some of one number, some that can't be written or have gaps."""
    found = {}
    for number in range(rng.integers(1, 7)):
        kind = rng.choice(KINDS)
        info = np.iinfo(kind)
        low = int(rng.integers(info.min, info.max, endpoint=True, dtype=kind))
        high = rng.choice([low, min(low + 9, info.max), info.max])
        values = rng.integers(low, int(high), rows, endpoint=True, dtype=kind)
        values[rng.random(rows) < 0.1] = rng.choice([low, high])
        if rng.random() < 0.3:
            values = np.repeat(values, 2)[::2]
        values.flags.writeable = False
        found[f"c{number}"] = values
    return found


def same(found: Any, expected: Any) -> bool:
    if expected is None or found is None:
        return found is expected
    alike = found.dtype == expected.dtype and found.shape == expected.shape
    return bool(alike and found.tobytes() == expected.tobytes())


@given(rows=st.integers(1, 60), seed=st.integers(0, 9_999))
@settings(max_examples=200, deadline=None)
def test_rows_are_laid_and_read_back_alike(loops: Loops, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = columns(rng, rows)
    layout = Layout.of(ranges_of(told))
    with by({}):
        plain = layout.packed(told)
    with by(loops):
        fast = layout.packed(told)
        assert plain is not None
        assert same(fast, plain)
        for name, values in told.items():
            assert layout.column(plain, name).tolist() == values.tolist()
    with by({}):
        for name, values in told.items():
            assert layout.column(plain, name).tolist() == values.tolist()


@given(rows=st.integers(1, 60), seed=st.integers(0, 9_999))
@settings(max_examples=100, deadline=None)
def test_a_number_beyond_its_range_is_refused_alike(loops: Loops, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = columns(rng, rows)
    layout = Layout.of(ranges_of({name: values[: rows // 2 + 1] for name, values in told.items()}))
    with by({}):
        plain = layout.packed(told)
    with by(loops):
        assert same(layout.packed(told), plain)


@given(rows=st.integers(0, 200), buckets=st.sampled_from([1, 2, 100, 256]), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_rows_are_parted_alike(loops: Loops, rows: int, buckets: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**64, (3, rows), np.uint64, endpoint=False)
    bucket = rng.integers(0, buckets, rows).astype(np.uint8)
    found = []
    for mine in ({}, loops):
        with by(mine):
            found.append(Parted.of(Layout.of({}), words, {}, bucket, buckets))
    plain, fast = found
    assert same(fast.words, plain.words)
    assert fast.edges == plain.edges

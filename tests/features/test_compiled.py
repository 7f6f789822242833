"""The compiled loops give what numpy gives, to the last bit; and when they are loaded."""

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.native import LARGE, WORTH_LOADING, Loader, UncompiledError
from relimit.data.vocabulary import KINDS
from relimit.features import History, compiled, feature_matrix
from relimit.features.bits import Cut, padded, words_of
from relimit.features.compiled import COMPILED, NUMPY, CompiledCut
from relimit.features.kinds import Kind
from relimit.features.timeline import Timeline

DAY = 86_400_000_000
LEAST, GREATEST = -(2**63), 2**63 - 1

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="the extra `fast` is absent")


@pytest.fixture(scope="module")
def loops() -> Iterator[None]:
    kept = compiled._loader
    compiled._loader = Loader("relimit.features.loops")  # type: ignore[misc]
    compiled._loader.load()
    assert compiled._loader.loops
    yield
    compiled._loader = kept  # type: ignore[misc]


def numbers(rng: np.random.Generator, size: int) -> np.ndarray:
    """Whole numbers as large as there are, of which sums overflow, and small ones."""
    some = rng.integers(LEAST, GREATEST, size, endpoint=True)
    some[rng.random(size) < 0.2] = LEAST
    some[rng.random(size) < 0.2] = GREATEST
    return np.where(rng.random(size) < 0.5, some, rng.integers(-9, 9, size))


def laid_out(values: np.ndarray, how: str) -> np.ndarray:
    """The same numbers in memory that can't be written, or with gaps between them."""
    if how == "gaps":
        wide = np.zeros((len(values), 3), values.dtype)
        wide[:, 1] = values
        return wide[:, 1]
    values.flags.writeable = how != "read"
    return values


layouts = st.sampled_from(["plain", "read", "gaps"])


@needs_numba
@pytest.mark.usefixtures("loops")
@given(size=st.integers(0, 300), known=st.booleans(), layout=layouts, seed=st.integers(0, 999))
@settings(max_examples=150, deadline=None)
def test_kinds_are_sorted_counted_and_added_up_alike(
    size: int, known: bool, layout: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    lowest, beyond = (-1, len(KINDS)) if known else (-128, 128)
    kind = laid_out(rng.integers(lowest, beyond, size).astype(np.int8), layout)
    amount = laid_out(numbers(rng, size), layout)
    plain, fast = NUMPY.by_kind(kind, amount), COMPILED.by_kind(kind, amount)
    for name in ("order", "starts", "values", "totals"):
        assert same(getattr(fast, name), getattr(plain, name))
    for name in KINDS:
        assert same(fast.words(name), plain.words(name))
        for part in ("rows", "value", "total"):
            assert same(getattr(Kind(name, fast), part), getattr(Kind(name, plain), part))


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two arrays have the same bits, type and shape."""
    alike = found.dtype == expected.dtype and found.shape == expected.shape
    return alike and found.tobytes() == expected.tobytes()


@needs_numba
@pytest.mark.usefixtures("loops")
@given(
    size=st.integers(0, 200),
    shape=st.sampled_from([(0,), (1,), (50,), (3, 0), (1, 7), (6, 9)]),
    density=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 999),
)
@settings(max_examples=100, deadline=None)
def test_rows_before_are_counted_alike(
    size: int, shape: tuple[int, ...], density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    flags = np.zeros(padded(size), np.bool_)
    flags[:size] = rng.random(size) < density
    words = words_of(flags)
    words.flags.writeable = False
    row = rng.integers(0, size + 1, shape)
    plain, fast = Cut(row), CompiledCut(row)
    assert same(fast.count(words), plain.count(words))
    if len(shape) == 2:  # several ends
        parts: list[Any] = [0, slice(None), slice(None, None, -2), [len(row) - 1, 0]]
        for part in parts:
            assert same(fast[part].count(words), plain[part].count(words))
            assert same(fast[part].row, plain[part].row)


def book(rng: np.random.Generator, accounts: int, longest: int, apart: int) -> EventBlock:
    """Accounts of random lengths whose events became known some days apart."""
    owner = np.repeat(np.arange(accounts), rng.integers(1, longest + 1, accounts))
    ts = rng.integers(0, 40, len(owner)) * apart
    columns: dict[str, Any] = {"account_id": owner, "ts": pa.array(ts, pa.timestamp("us", "UTC"))}
    columns["kind"] = [KINDS[place] for place in rng.integers(0, len(KINDS), len(owner))]
    columns["amount"] = pa.array(
        rng.integers(1, 10**6, len(owner)), mask=rng.random(len(owner)) < 0.1
    )
    columns["value"] = pa.array(rng.integers(0, 99, len(owner)).astype(np.int32))
    columns["loan_id"] = pa.array(rng.integers(0, 4, len(owner)), mask=rng.random(len(owner)) < 0.3)
    columns["detail"] = rng.choice(["full", "partial", "login_failed", "lender"], len(owner))
    return blocks_from_table(pa.table(columns))


@needs_numba
@pytest.mark.usefixtures("loops")
@given(
    accounts=st.integers(0, 12),
    longest=st.sampled_from([1, 5, 17, 33, 200]),
    apart=st.sampled_from([1, DAY // 2, 400 * DAY, 2**54]),
    asked=st.sampled_from([0, 1, 40, 1_200]),
    seed=st.integers(0, 999),
)
@settings(max_examples=100, deadline=None)
def test_windows_end_at_the_same_rows(
    accounts: int, longest: int, apart: int, asked: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    block = book(rng, accounts, longest, apart)
    account = rng.integers(-1, accounts, asked)
    as_of = rng.integers(-5, 45, asked) * apart + rng.integers(-1, 2, asked)
    days = rng.choice([0, 1, 7, 30, 365, 36_500], (4, 1))
    plain, fast = (engine.timeline(block, account, as_of) for engine in (NUMPY, COMPILED))
    assert same(fast.rows(days), plain.rows(days))
    assert same(fast.rows(7), plain.rows(7))
    assert same(fast.rows_at((0, 30, 400)), plain.rows_at((0, 30, 400)))
    assert same(fast.rows_at(None), plain.rows_at(None))


@needs_numba
@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("seed", range(3))
def test_all_features_have_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    block = book(rng, 300, 60, 9 * DAY)
    account, as_of = rng.integers(-1, 300, 1_500), rng.integers(0, 400, 1_500) * DAY
    found = []
    for engine in (NUMPY, COMPILED):
        monkeypatch.setattr("relimit.features.windowed.engine_for", lambda *_, given=engine: given)
        found.append(feature_matrix(History(block, account, as_of)))
    assert same(found[1], found[0])


def loader(monkeypatch: pytest.MonkeyPatch, load: Any) -> list[str]:
    """Give the engine nothing but this to load; return what it asks for."""
    asked: list[str] = []

    def noted(module: str) -> Any:
        asked.append(module)
        return load()

    monkeypatch.setattr("relimit.data.native.load", noted)
    monkeypatch.setattr(compiled, "_loader", Loader("relimit.features.loops"))
    return asked


def test_the_loops_are_loaded_once_when_enough_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = loader(monkeypatch, lambda: {"a loop": print})
    assert compiled.engine_for(WORTH_LOADING // 2, 999) is NUMPY
    assert not asked
    found = [compiled.engine_for(WORTH_LOADING, 999) for _ in range(3)]
    assert found == [COMPILED] * 3
    assert asked == ["relimit.features.loops"]
    assert compiled.engine_for(LARGE - 1, 999) is NUMPY


@pytest.mark.parametrize(("events", "snapshots"), [(LARGE - 1, 10_000), (WORTH_LOADING, 1)])
def test_neither_small_blocks_nor_decisions_at_once_load_them(
    events: int, snapshots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = loader(monkeypatch, dict)
    for _ in range(2 * WORTH_LOADING // events):
        assert compiled.engine_for(events, snapshots) is NUMPY
    assert not asked


def test_where_they_cannot_be_had_numpy_goes_on_which_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise UncompiledError("numba is not installed")

    asked = loader(monkeypatch, fails)
    with caplog.at_level(logging.INFO):
        found = [compiled.engine_for(WORTH_LOADING, 999) for _ in range(3)]
    assert found == [NUMPY] * 3
    assert len(asked) == 1
    assert [line for line in caplog.messages if "numba is not installed" in line] == caplog.messages


@pytest.mark.parametrize(("account", "as_of"), [([0, 3], [1, 1]), ([0, 1], [1])])
def test_a_snapshot_of_no_account_is_refused(account: list[int], as_of: list[int]) -> None:
    block = book(np.random.default_rng(0), 3, 9, DAY)
    with pytest.raises(IndexError, match="each snapshot"):
        COMPILED.timeline(block, np.array(account), np.array(as_of))


def test_a_timeline_of_nobody_has_no_rows() -> None:
    block = book(np.random.default_rng(0), 0, 1, DAY)
    assert Timeline(block, np.full(3, -1), np.zeros(3, np.int64)).rows(0).tolist() == [0, 0, 0]

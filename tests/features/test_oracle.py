"""Every feature equals a second definition of it in SQL, on random histories full of ties."""

import os
import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from relimit.data.events import blocks_from_table
from relimit.data.schema import events_schema
from relimit.data.vocabulary import KINDS
from relimit.features import History, feature_matrix, feature_names
from relimit.features.timeline import Timeline

EXAMPLES = 20 if os.environ.get("CI") else 100


def expand(sql: str) -> str:
    """Put the body of each `DEFINE name(parameters) AS body;` in place of its calls."""
    pattern = re.compile(r"DEFINE (\w+)\(([^)]*)\) AS\s+(.*?);\n", re.S)
    definitions = pattern.findall(sql)
    sql = pattern.sub("", sql)
    for name, parameters, body in reversed(definitions):

        def call(match: re.Match[str], body: str = body, parameters: str = parameters) -> str:
            words = zip(parameters.split(", "), re.split(r",\s*", match[1]), strict=True)
            for parameter, word in words if parameters else ():
                body = re.sub(rf"\b{parameter}\b", word, body)
            return f"({body})"

        sql = re.sub(rf"\b{name}\(([^()]*)\)", call, sql)
    return sql


SQL = expand(Path(__file__).with_name("oracle.sql").read_text())
HALF_DAY = 43_200_000_000
START = 1_700_000_000_000_000
DETAILS: dict[str, tuple[str | None, ...]] = {
    "draw": (
        "shopping",
        "travel",
        "coupon:shopping",
        "coupon:home",
        "medical",
        "education",
        "other",
        None,
    ),
    "prepayment": ("full", "partial", "full", "third_party", None),
    "repayment": ("app", "third_party", "third_party:family", None),
    "interest": ("penalty", None, None),
    "inflow": ("lender", None),
    "operation": ("login_failed", "device_change", "phone_change", "card_change", "limit_check"),
}
VALUES: dict[str, tuple[int | None, ...]] = {
    "overdue": (1, 7, 30, 60, 90, None),
    "external_score": (350, 600, 601, 950, None),
    "outage": (30, 720, 1500, 4320, None),
}
DELAYS = (0, 0, 0, 0, 1, 3, 10, 14, 40, -1)
"""Half days from `ts` to `known_at`: half the windows' edges are hit exactly."""

Row = tuple[int, str, int, int, int | None, int | None, int | None, str | None]


def random_row(
    rng: np.random.Generator, account: int, days: int, kinds: tuple[str, ...] = KINDS
) -> Row:
    kind = kinds[rng.integers(len(kinds))]
    ts = int(rng.integers(0, 2 * days))

    def one_of(options: tuple[Any, ...]) -> Any:
        return options[rng.integers(len(options))]

    return (
        account,
        kind,
        ts,
        ts + one_of(DELAYS),
        one_of((None, -3, 0, 1, 2, 5, 5, 100, 1000, 10_007)),
        one_of(VALUES.get(kind, (None,))),
        one_of((None, 1, 2, 3)),
        one_of(DETAILS.get(kind, (None, "other"))),
    )


def to_table(rows: list[Row]) -> pa.Table:
    account, kind, ts, known, amount, value, loan, detail = map(list, zip(*rows, strict=True))
    data = {
        "account_id": account,
        "ts": [START + HALF_DAY * t for t in ts],
        "known_at": [START + HALF_DAY * t for t in known],
        "kind": kind,
        "amount": amount,
        "value": value,
        "loan_id": loan,
        "detail": detail,
    }
    return pa.table(
        {field.name: pa.array(data[field.name], field.type) for field in events_schema()}
    )


def by_engine(events: pa.Table, account: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    block = blocks_from_table(events)
    place = np.searchsorted(block.account_ids, account)
    known = np.isin(account, block.account_ids)
    return feature_matrix(History(block, np.where(known, place, -1), as_of))


def by_sql(events: pa.Table, account: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    connection = duckdb.connect(config={"threads": 1})
    if len(account) < 50:
        connection.execute("PRAGMA disable_optimizer")  # it takes longer than the query
    order = pa.table({"kind": list(KINDS), "place": list(range(len(KINDS)))})
    points = pa.table({"point": np.arange(len(account)), "account_id": account, "as_of": as_of})
    for column in ("ts", "known_at"):
        place = events.schema.get_field_index(column)
        events = events.set_column(place, column, events[column].cast(pa.int64()))
    connection.register("raw", events)
    connection.register("kinds", order)
    connection.register("given", points)
    connection.execute(
        "CREATE TABLE events AS SELECT account_id, ts, known_at AS known, kind::VARCHAR AS kind,"
        " place, amount, value, loan_id, detail::VARCHAR AS detail FROM raw JOIN kinds USING (kind)"
    )
    connection.execute("CREATE TABLE snapshots AS SELECT * FROM given")
    result = connection.execute(SQL).fetchnumpy()
    assert set(result) == set(feature_names())
    columns = [np.ma.filled(result[name].astype(float), np.nan) for name in feature_names()]
    return np.stack(columns, axis=1)


def assert_same(events: pa.Table, account: np.ndarray, as_of: np.ndarray) -> None:
    ours, theirs = by_engine(events, account, as_of), by_sql(events, account, as_of)
    differ = ~np.isclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)
    names = [name for name, wrong in zip(feature_names(), differ.any(axis=0), strict=True) if wrong]
    point, column = np.argwhere(differ)[0] if differ.any() else (0, 0)
    assert not differ.any(), (
        f"{names}: snapshot {point} (account {account[point]}, half day"
        f" {(as_of[point] - START) / HALF_DAY}) has {ours[point, column]}, not"
        f" {theirs[point, column]}"
    )


BORROWING = (
    "draw",
    "prepayment",
    "repayment",
    "limit",
    "outage",
    "inflow",
    "operation",
    "interest",
)
FAULTS = ("operation", "operation", "outage")
LOANS = ("draw", "repayment", "prepayment")
BOOKS = [
    *((0, 3, KINDS), (1, 10, KINDS), (2, 100, KINDS), (3, 400, KINDS), (4, 800, KINDS)),
    *((5, 30, BORROWING), (6, 400, BORROWING), (7, 30, FAULTS), (8, 200, FAULTS)),
    *((9, 40, LOANS), (10, 400, LOANS)),
]


def random_book(
    seed: int, days: int, kinds: tuple[str, ...]
) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [
        random_row(rng, account, days, kinds)
        for account in range(60)
        for _ in range(rng.integers(0, 40))
    ]
    account = rng.integers(-1, 62, 400)
    as_of = START + HALF_DAY * rng.integers(-2, 2 * days + 60, 400)
    return to_table(rows), account, as_of


@pytest.mark.parametrize(("seed", "days", "kinds"), BOOKS)
def test_every_feature_equals_sql_on_random_books(
    seed: int, days: int, kinds: tuple[str, ...]
) -> None:
    assert_same(*random_book(seed, days, kinds))


@pytest.fixture(scope="module")
def large() -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """About 12,000 events of 240 accounts, and 600 snapshots: more than any shortcut is for."""
    rng = np.random.default_rng(11)
    rows = [
        random_row(rng, account, 500, (*KINDS, "draw", "repayment", "prepayment"))
        for account in range(240)
        for _ in range(rng.integers(0, 101))
    ]
    as_of = START + HALF_DAY * rng.integers(-2, 1100, 600)
    return to_table(rows), rng.integers(-1, 242, 600), as_of


def test_every_feature_equals_sql_in_a_large_block(
    large: tuple[pa.Table, np.ndarray, np.ndarray],
) -> None:
    assert large[0].num_rows > 10_000
    assert_same(*large)


def test_a_large_block_has_the_bits_of_a_block_an_account(
    large: tuple[pa.Table, np.ndarray, np.ndarray],
) -> None:
    events, account, as_of = large
    together = by_engine(*large)
    ids = events["account_id"].to_numpy()
    for one in np.unique(account):
        mine = account == one
        alone = by_engine(events.filter(pa.array(ids == one)), account[mine], as_of[mine])
        assert np.array_equal(together[mine], alone, equal_nan=True), f"account {one}"


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from((*BORROWING, *FAULTS, *KINDS)))
        ts = draw(st.integers(0, 60))
        rows.append(
            (
                draw(st.integers(0, 1)),
                kind,
                ts,
                ts + draw(st.sampled_from(DELAYS)),
                draw(st.sampled_from((1, None, 0, 7, 1000, -3))),
                draw(st.sampled_from(VALUES.get(kind, (None,)))),
                draw(st.sampled_from((None, 1, 2))),
                draw(st.sampled_from(DETAILS.get(kind, (None,)))),
            )
        )
    return rows


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_every_feature_equals_sql_on_small_histories(rows: list[Row], moments: list[int]) -> None:
    as_of = START + HALF_DAY * np.repeat(moments, 2)
    assert_same(to_table(rows), np.tile([0, 1], len(moments)), as_of)


def test_a_window_that_is_off_by_one_is_shrunk_to_few_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine is made to leave out what became known at the very instant of the snapshot."""

    made = Timeline.__init__

    def faulty(self: Timeline, block: Any, account: Any, as_of: Any) -> None:
        made(self, block, account, as_of - 1)

    def differs(book: tuple[list[Row], int]) -> bool:
        events, account = to_table(book[0]), np.array([0])
        as_of = np.array([START + HALF_DAY * book[1]])
        right = by_engine(events, account, as_of)
        with monkeypatch.context() as patch:
            patch.setattr(Timeline, "__init__", faulty)
            return not np.array_equal(right, by_engine(events, account, as_of), equal_nan=True)

    found, _ = find(
        st.tuples(histories(), st.integers(0, 200)), differs, settings=settings(max_examples=2000)
    )
    assert len(found) == 1


def test_the_random_books_exercise_every_feature() -> None:
    values = np.concatenate([by_engine(*random_book(*book)) for book in BOOKS])
    dull = [
        name
        for name, column in zip(feature_names(), values.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 3
    ]
    assert dull == []


def test_keys_too_wide_for_int64_change_nothing() -> None:
    events, account, as_of = random_book(3, 400, KINDS)
    expected = by_engine(events, account, as_of)
    rows: list[Row] = [
        (account, "limit", t, t, 1, None, None, None)
        for account in range(1000, 1400)
        for t in (-200_000, 200_000)
    ]
    wide = by_engine(pa.concat_tables([events, to_table(rows)]), account, as_of)
    assert np.array_equal(wide, expected, equal_nan=True)

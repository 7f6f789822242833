"""A kind of events that falls silent is told; one that is rare, or comes in bursts, is not."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.check import check_events
from relimit.data.findings import Finding
from relimit.data.silence import DailyCounts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, END = date(2025, 1, 1), date(2025, 11, 20)
DAY = timedelta(days=1)
Row = tuple[date, str, date]
"""When it happened, its kind, when it was known."""


def days(first: date, last: date, step: int = 1) -> list[date]:
    return [first + n * DAY for n in range(0, (last - first).days + 1, step)]


def rows(kind: str, when: Iterable[date], times: int = 1, late: int = 0) -> list[Row]:
    return [(day, kind, day + late * DAY) for day in when for _ in range(times)]


def silent(
    folder: Path, events: list[Row], *, shuffle: bool = False, ends: datetime | None = None
) -> list[Finding]:
    """Check events of one account and return what is told of silences."""
    if shuffle:
        events = [events[n] for n in np.random.default_rng(3).permutation(len(events))]
    at = {name: [datetime(*row[place].timetuple()[:3], 9, tzinfo=UTC) for row in events]
          for name, place in (("ts", 0), ("known_at", 2))}  # fmt: skip
    path = folder / "events.parquet"
    pq.write_table(
        pa.table(
            {
                "account_id": np.ones(len(events), np.int64),
                **{name: pa.array(times, pa.timestamp("us", "UTC")) for name, times in at.items()},
                "kind": [row[1] for row in events],
                "amount": np.arange(len(events), dtype=np.int64),
            }
        ),
        path,
    )
    report = check_events(path, now=NOW, ends=ends)
    assert report.ok
    return [found for found in report.findings if found.code.startswith("silent")]


DRAWS = rows("draw", days(FIRST, END))


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_kind_that_ceases_is_told_with_what_depends_on_it(tmp_path: Path, shuffle: bool) -> None:
    events = DRAWS + rows("interest", days(FIRST, date(2025, 10, 23)), times=2)
    (found,) = silent(tmp_path, events, shuffle=shuffle)
    assert (found.level, found.code, found.column, found.count) == (
        "warning", "silent_kind", "kind", 28)  # fmt: skip
    assert found.message == (
        "events.parquet: no interest events from 2025-10-24 to 2025-11-20 (28 days, to the end); "
        "the 6 months before had 366, between 60 and 62 each"
    )
    assert "gate unsettled_interest closes for nobody" in found.mend


def test_a_day_less_than_the_shortest_month_is_not_told(tmp_path: Path) -> None:
    assert silent(tmp_path, DRAWS + rows("interest", days(FIRST, date(2025, 10, 24)))) == []


def test_a_kind_that_pauses_is_told_and_that_it_came_back(tmp_path: Path) -> None:
    when = days(FIRST, date(2025, 8, 31)) + days(date(2025, 10, 1), END)
    (found,) = silent(tmp_path, DRAWS + rows("income", when))
    assert "no income events from 2025-09-01 to 2025-09-30 (30 days, then again)" in found.message


def test_a_kind_missing_in_one_of_the_months_before_was_rare_or_new(tmp_path: Path) -> None:
    daily = days(FIRST, date(2025, 9, 30))
    gap = [day for day in daily if day.month != 6]
    new = [day for day in daily if day.month > 4]
    assert silent(tmp_path, DRAWS + rows("inquiry", gap) + rows("income", new)) == []
    newer = [day for day in daily if day.month > 3]
    assert len(silent(tmp_path, DRAWS + rows("inquiry", gap) + rows("income", newer))) == 1


def test_too_few_events_are_not_told_and_just_enough_are(tmp_path: Path) -> None:
    monthly = [(month, day) for month in range(1, 10) for day in range(1, 28, 2)]
    fourteen = [date(2025, month, day) for month, day in monthly]
    fewer = [day for day in fourteen if day.day != 1]
    (found,) = silent(tmp_path, DRAWS + rows("income", fourteen) + rows("inquiry", fewer))
    assert "no income events" in found.message
    assert "had 84, between 14 and 14 each" in found.message


def test_bursts_are_not_regular_however_large(tmp_path: Path) -> None:
    place = [5, 9, 26, 30, 2, 21, 11, 27, 4]
    when = [date(2025, 1 + n, day) for n, day in enumerate(place)]
    assert silent(tmp_path, DRAWS + rows("inflow", when, 100)) == []


def test_a_monthly_run_is_told_when_it_is_left_out_and_not_when_it_is_small(tmp_path: Path) -> None:
    run = [date(2025, month, 3) for month in range(1, 12)]
    waited = [date(2025, 9, 11) if day.month == 9 else day for day in run]
    assert silent(tmp_path, DRAWS + rows("interest", run, 40)) == []
    assert silent(tmp_path, DRAWS + rows("interest", waited, 40)) == []
    (found,) = silent(tmp_path, DRAWS + rows("interest", run[:-1], 40) + rows("due", run[:-1], 13))
    assert "no interest events from 2025-10-04 to 2025-11-20 (48 days" in found.message
    shorter = [row for row in DRAWS if row[0] < date(2025, 11, 17)]
    assert silent(tmp_path, shorter + rows("interest", run[:-1], 40)) == []


def test_months_that_are_not_alike_are_no_regular_run(tmp_path: Path) -> None:
    run = [date(2025, month, 3) for month in range(1, 11)]
    sizes = [40, 200, 15, 90, 400, 30, 120, 20, 300, 60]
    uneven = [row for day, size in zip(run, sizes, strict=True) for row in rows("due", [day], size)]
    assert silent(tmp_path, DRAWS + uneven) == []


def test_a_short_export_is_told_nothing(tmp_path: Path) -> None:
    begun = days(date(2025, 4, 2), END)
    ceased = days(date(2025, 4, 2), date(2025, 10, 10))
    assert silent(tmp_path, rows("draw", begun) + rows("interest", ceased)) == []
    one_day_more = [*rows("draw", [date(2025, 4, 1)]), *rows("draw", begun)]
    assert len(silent(tmp_path, one_day_more + rows("interest", ceased))) == 1


def test_a_month_without_any_event_is_told_once(tmp_path: Path) -> None:
    when = days(FIRST, date(2025, 8, 31)) + days(date(2025, 10, 1), END)
    events = rows("draw", when) + rows("gift", when)
    (found,) = silent(tmp_path, events)
    assert (found.code, found.count) == ("silent_book", 30)
    assert "no events of any kind from 2025-09-01 to 2025-09-30" in found.message
    assert "had 368, between 60 and 62 each" in found.message
    gone = days(FIRST, date(2025, 8, 30))
    codes = [one.code for one in silent(tmp_path, events + rows("interest", gone))]
    assert codes == ["silent_book", "silent_kind"]


def test_a_book_that_says_when_it_ends_is_told_of_what_is_missing_by_then(tmp_path: Path) -> None:
    as_of = datetime(2025, 12, 19, tzinfo=UTC)
    (found,) = silent(tmp_path, DRAWS, ends=as_of)
    assert "no events of any kind from 2025-11-21 to 2025-12-18 (28 days" in found.message
    assert silent(tmp_path, DRAWS, ends=as_of - DAY) == []


def test_what_is_known_late_is_awaited(tmp_path: Path) -> None:
    happened = days(FIRST, date(2025, 10, 1))
    assert len(silent(tmp_path, DRAWS + rows("income", happened))) == 1
    assert silent(tmp_path, DRAWS + rows("income", happened, late=45)) == []


def test_an_instalment_that_falls_due_later_does_not_make_the_export_longer(tmp_path: Path) -> None:
    ahead = [(day + 40 * DAY, "due", day) for day in days(FIRST, END)]
    assert silent(tmp_path, DRAWS + ahead) == []
    ceased = rows("due", days(FIRST, date(2025, 10, 10)))
    beyond = (date(2025, 12, 25), "due", date(2025, 10, 10))
    (found,) = silent(tmp_path, [*DRAWS, *ceased, beyond])
    assert "from 2025-10-11 to 2025-11-20 (41 days, to the end)" in found.message


def test_rows_without_a_usable_time_are_left_out() -> None:
    latest = int(NOW.timestamp()) * 1_000_000
    begun = int(datetime(2025, 4, 2, tzinfo=UTC).timestamp()) * 1_000_000
    daily = np.arange(begun, begun + 232 * 86_400_000_000, 86_400_000_000)
    ts = np.concatenate((daily, daily[:190], [0, -1, latest + 86_400_000_000]))
    kind = np.repeat(np.array([1, 5, 1], np.int8), [232, 190, 3])
    counts = DailyCounts(latest)
    counts.see(ts, ts, kind, np.arange(len(ts)) == len(ts) - 3)
    assert counts.silences(None) == []
    counts.see(daily[:1] - 86_400_000_000, daily[:1], kind[:1], np.zeros(1, bool))
    assert [silence.kind for silence in counts.silences(None)] == [5]

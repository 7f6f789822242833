"""What stands open after a night: its answers, with what earlier nights had given back already."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from relimit.data.schema import TIME
from relimit.policy import Earlier
from relimit.serving.blocks import Answers
from relimit.serving.earlier import OpenDecisions, open_schema
from relimit.serving.lots import accounts_of
from relimit.serving.manifest import OPEN


def left_open(answers: Answers, earlier: OpenDecisions | None) -> tuple[pa.Table, int]:
    """Return what a night's answers leave open, and how many of them are about earlier decisions.

    Of the earlier decisions one that can't be decided tonight stays as it was. What is quarantined
    at first is not open: it has not been decided.
    """
    schema = open_schema(answers.decided.schema.field("account_id").type)
    before = schema.empty_table() if earlier is None else _about_the_same(answers, earlier)
    known = before["decision_id"].combine_chunks()
    again = pc.index_in(answers.decided["decision_id"], known).combine_chunks()
    stuck = pc.index_in(answers.quarantined["decision_id"], known).combine_chunks().drop_null()
    after = _after(answers.decided, before.take(again)).cast(schema)
    table = pa.concat_tables([after, before.take(stuck)])
    order = np.argsort(table["account_id"].to_numpy(), kind="stable")
    count = len(again) - again.null_count + len(stuck)
    return table.take(pa.array(order)).combine_chunks(), count


def passed_promises(out: Path, today: date) -> list[date]:
    """Return the last dates, before today, of what a finished night promises for one of them.

    A night that reaches further back than one day decides each prepayment as of its own time, and
    may so promise what is due already.
    """
    rows = pq.read_table(out / OPEN, columns=["promised", "not_later_than"])
    passed = pc.and_(pc.greater(rows["promised"], 0), pc.less(rows["not_later_than"], today))
    dates: list[date] = rows.filter(passed)["not_later_than"].to_pylist()
    return sorted(dates)


def _about_the_same(answers: Answers, earlier: OpenDecisions) -> pa.Table:
    return earlier.rows.about(accounts_of(answers))[0]


def _after(decided: pa.Table, before: pa.Table) -> pa.Table:
    """Return what stands once tonight's part has come back; `before` is null where it is new."""
    night = Earlier.from_decisions(decided)
    first = replace(
        night,
        decided_at=_known(before["decided_at"].cast(pa.int64()), night.decided_at),
        freed=_known(before["freed"], night.freed),
        restored=_known(before["restored"], np.zeros(decided.num_rows, np.int64)),
    )
    after = first.followed_by(night)
    table = pa.table(
        {
            "decision_id": decided["decision_id"],
            "account_id": decided["account_id"],
            "decided_at": pa.array(after.decided_at, TIME),
            "prepaid": decided["prepaid"],
            "freed": after.freed,
            "restored": after.restored,
            "promised": after.promised,
            "promised_on": pa.array(after.promised_on),
            "not_later_than": pa.array(after.not_later_than),
            "gate_closed": after.gate_closed,
        }
    )
    return table.filter(pa.array(after.restored < after.freed))


def _known(before: pa.ChunkedArray, otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(pc.coalesce(before, pa.array(otherwise)))

"""What borrowers are told to do works: done for real, a scored night's decisions come out so."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data import Prepayments, find_prepayments
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.times import microseconds
from relimit.features import History
from relimit.models import load_model
from relimit.policy import Earlier, decisions_schema, load_policy
from relimit.serving.scorer import Scorer

Row = dict[str, Any]
DEFAULT = load_policy()
POLICY = replace(
    DEFAULT,
    tiers=tuple(
        replace(tier, up_to=tier.up_to / 10 if tier.up_to < 1 else 1.0) for tier in DEFAULT.tiers
    ),
)
"""Stricter than the packaged policy, so that every tier binds."""
DAYS = 120
GATES = {"overdue", "unsettled_interest", "identity_lock"}


@pytest.fixture(scope="module")
def scorer(model_folder: Path) -> Scorer:
    return Scorer(load_model(model_folder), POLICY)


@pytest.fixture(scope="module")
def until(book: Path) -> datetime:
    return datetime.fromisoformat(json.loads((book / "book.json").read_text())["as_of"])


@pytest.fixture(scope="module")
def events(book: Path) -> pa.Table:
    """The book's events, and a device stolen from every twentieth account that prepays."""
    table = pq.read_table(book / "events.parquet")
    prepaid = table.filter(pc.equal(table["kind"], "prepayment"))
    robbed = prepaid.filter(pc.equal(pc.bit_wise_and(prepaid["account_id"], 31), 0))
    stolen = [
        added(table.schema, row["account_id"], row["known_at"] - timedelta(hours=1), "operation",
              detail="device_change")
        for row in robbed.to_pylist()
        for _ in range(3)
    ]  # fmt: skip
    return pa.concat_tables([table, *stolen]).sort_by(
        [("account_id", "ascending"), ("known_at", "ascending")]
    )


def added(
    schema: pa.Schema,
    account_id: int,
    at: datetime,
    kind: str,
    amount: int | None = None,
    detail: str | None = None,
) -> pa.Table:
    """One event more, in the form of the book's."""
    row = {"account_id": account_id, "ts": at, "known_at": at, "kind": kind}
    row |= {"amount": amount, "detail": detail}
    columns = {name: pa.array([row.get(name)]) for name in schema.names}
    return pa.table(columns).cast(schema)


@pytest.fixture(scope="module")
def block(events: pa.Table) -> EventBlock:
    return blocks_from_table(events)


@pytest.fixture(scope="module")
def found(block: EventBlock, until: datetime) -> Prepayments:
    """The prepayments of some months; the last of the book's are young enough for later nights."""
    return find_prepayments(block, microseconds(until - timedelta(DAYS)), microseconds(until))


@pytest.fixture(scope="module")
def decided(scorer: Scorer, block: EventBlock, found: Prepayments) -> list[Row]:
    rows: list[Row] = scorer.decide_block(block, found).to_table().to_pylist()
    return rows


@pytest.fixture(scope="module")
def history(events: pa.Table) -> Callable[[Row], pa.Table]:
    """What was known of a decision's account when it was taken."""
    ids = events["account_id"].to_numpy()

    def known(row: Row) -> pa.Table:
        first, last = np.searchsorted(ids, [row["account_id"], row["account_id"] + 1])
        mine = events.slice(first, last - first)
        return mine.filter(pc.less_equal(mine["known_at"], row["as_of"]))

    return known


def returned(row: Row) -> int:
    return int(row["restore_now"] + sum(stage["amount"] for stage in row["restore_later"]))


def last_date(row: Row, today: Any) -> Any:
    return max([stage["date"] for stage in row["restore_later"]], default=today)


def today(row: Row) -> Any:
    return (row["as_of"] + timedelta(hours=8)).date()


def alone(found: Prepayments, place: int, as_of: datetime) -> Prepayments:
    """One of the prepayments, whose account is now the only one of its block."""
    one = found.take(np.array([place]))
    return Prepayments(
        account=np.zeros(1, np.int64), as_of=np.array([microseconds(as_of)]), prepaid=one.prepaid,
        freed=one.freed, closed=one.closed, decision_id=one.decision_id,
    )  # fmt: skip


def steps(decided: list[Row]) -> Iterator[tuple[int, Row, Row]]:
    for place, row in enumerate(decided):
        for remedy in row["remedies"]:
            yield place, row, remedy


def done(known: pa.Table, row: Row, action: str, amount: int | None) -> pa.Table:
    """The history once the borrower did what the remedy says, with the amount that it says."""
    late = known.filter(pc.equal(known["kind"], "overdue"))
    arrears = late["amount"][-1].as_py() or 0 if late.num_rows else 0
    arrears = max(arrears, 0) if "clear_arrears" in action else 0
    new: list[tuple[str, int | None, str | None]] = []
    if "clear_arrears" in action:
        new += [("repayment", arrears, "app")] if arrears else []
        new += [("cured", None, None)]
    if "settle_interest" in action:
        assert amount is not None
        new += [("interest_payment", amount - arrears, None)]
    if "unlock_identity" in action:
        new += [("operation", None, "identity_confirmed")]
    more = [added(known.schema, row["account_id"], row["as_of"], *event) for event in new]
    return pa.concat_tables([known, *more])


def test_every_remedy_of_a_scored_night_works_if_it_is_done(
    scorer: Scorer, found: Prepayments, decided: list[Row], history: Callable[[Row], pa.Table]
) -> None:
    worked: dict[str, int] = {}
    for place, row, remedy in steps(decided):
        action = remedy["action"]
        if action in {"wait_for_clearing", "pay_next_due"}:
            continue
        known = blocks_from_table(done(history(row), row, action, remedy["amount"]))
        one = alone(found, place, row["as_of"])
        (after,) = scorer.decide_block(known, one).to_table().to_pylist()
        assert not GATES & set(after["reasons"]), action
        assert returned(after) - returned(row) == remedy["restores"]
        service = POLICY.service
        works = max(
            service.identity_days if "unlock_identity" in action else 0,
            service.payment_days if action != "unlock_identity" else 0,
        )
        assert remedy["days"] - works == (last_date(after, today(row)) - today(row)).days
        worked[action] = worked.get(action, 0) + 1
    assert worked.keys() >= {"settle_interest", "unlock_identity"}, worked


def due_date_met(known: pa.Table, row: Row, days: int) -> pa.Table:
    """The history with an instalment like the last one, paid when it falls due some days later."""
    kinds, amounts = known["kind"].to_pylist(), known["amount"].to_pylist()
    signs = {"draw": 1, "repayment": -1, "prepayment": -1, "charge_off": -1}
    owed = sum(
        signs.get(kind, 0) * (amount or 0) for kind, amount in zip(kinds, amounts, strict=True)
    )
    last = next(
        amount for kind, amount in zip(kinds[::-1], amounts[::-1], strict=True) if kind == "due"
    )
    at = row["as_of"] + timedelta(days=days)
    new = [("due", min(last, owed)), ("repayment", min(last, owed))]
    more = [added(known.schema, row["account_id"], at, *event) for event in new]
    return pa.concat_tables([known, *more])


def test_every_offered_due_date_brings_what_it_says_once_it_is_met(
    scorer: Scorer, found: Prepayments, decided: list[Row], history: Callable[[Row], pa.Table]
) -> None:
    offered = [one for one in steps(decided) if one[2]["action"] == "pay_next_due"]
    for place, row, remedy in offered:
        due = remedy_date(row["text_en"])
        days = (due - today(row)).days
        night = row["as_of"] + timedelta(days=days + 1)
        earlier = Earlier.from_decisions(pa.Table.from_pylist([row], decisions_schema()))
        block = blocks_from_table(due_date_met(history(row), row, days))
        again = scorer.decide_again(block, alone(found, place, night), earlier).to_table()
        (after,) = again.to_pylist()
        promised = sum(stage["amount"] for stage in row["restore_later"])
        more = returned(after) - promised
        assert remedy["restores"] == (more if more else promised)
        back = last_date(after, due + timedelta(days=1))
        assert (back - today(row)).days == remedy["days"]
    assert len(offered) > 20


def remedy_date(text: str) -> Any:
    (found,) = re.findall(r"If you pay on time on (\d+ \w+ \d{4}), ¥", text)
    return datetime.strptime(found, "%d %B %Y").date()  # noqa: DTZ007 - a date has no zone


def test_what_happens_after_the_decision_changes_no_remedy(
    scorer: Scorer, found: Prepayments, decided: list[Row], history: Callable[[Row], pa.Table]
) -> None:
    for place, row, _ in list(steps(decided))[::5]:
        known = blocks_from_table(history(row))
        alike = scorer.decide_block(known, alone(found, place, row["as_of"])).to_table()
        assert alike.to_pylist() == [row]


def test_one_account_whose_gates_are_closed_is_scored_once_with_its_remedy_beside_it(
    scorer: Scorer,
    found: Prepayments,
    decided: list[Row],
    history: Callable[[Row], pa.Table],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scored = []

    def matrix_of(self: Scorer, asked: History) -> Any:
        scored.append(asked.size)
        return whole(self, asked)

    whole = Scorer.matrix_of
    monkeypatch.setattr(Scorer, "matrix_of", matrix_of)
    place, row, _ = next(one for one in steps(decided) if one[2]["action"] == "settle_interest")
    scorer.decide_block(blocks_from_table(history(row)), alone(found, place, row["as_of"]))
    assert scored == [2]


def test_the_night_after_a_remedy_was_done_gives_back_what_it_said(
    scorer: Scorer, found: Prepayments, decided: list[Row], history: Callable[[Row], pa.Table]
) -> None:
    kept = asked = 0
    for place, row, remedy in steps(decided):
        if remedy["action"] == "pay_next_due":
            continue
        days = 1 if remedy["action"] != "wait_for_clearing" else remedy["days"]
        night = row["as_of"] + timedelta(days=days)
        table = history(row)
        if remedy["action"] != "wait_for_clearing":
            table = done(table, row, remedy["action"], remedy["amount"])
        earlier = Earlier.from_decisions(pa.Table.from_pylist([row], decisions_schema()))
        again = scorer.decide_again(
            blocks_from_table(table), alone(found, place, night), earlier
        ).to_table()
        (after,) = again.to_pylist()
        said = today(row) + timedelta(days=remedy["days"])
        asked += 1
        kept += returned(after) >= remedy["restores"] and last_date(after, night.date()) <= said
    assert asked > 50
    assert kept >= 0.9 * asked, f"{kept} of {asked} remedies were kept on the night after"

"""Night after night: what one leaves open the next takes up, once, and without contradiction."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from relimit.data.errors import DataError
from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving import answers, batch
from relimit.serving.batch import score
from relimit.serving.earlier import OpenDecisions, earlier_of, open_schema
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
Row = dict[str, Any]
NIGHTS = 12
GATES = {"overdue", "unsettled_interest", "identity_lock"}
TIERS = [(0.005, 1.0, 0), (0.015, 0.5, 0), (0.03, 0.5, 3), (1.0, 0.0, 30)]
"""Stricter than the packaged policy, so that much comes back in part, or later."""


@pytest.fixture(scope="module")
def ends(book: Path) -> list[datetime]:
    """When the nights end, the first of them the start of the first."""
    last = datetime.fromisoformat(json.loads((book / "book.json").read_text("utf-8"))["as_of"])
    return [last - timedelta(days=NIGHTS - night) for night in range(NIGHTS + 1)]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: Any) -> Path:
    """The packaged policy with other tiers."""
    text = files("relimit.policy").joinpath("default.toml").read_text("utf-8")
    head, rest = text.split("[[tiers]]", 1)
    tiers = "".join(
        f"[[tiers]]\nup_to = {up_to}\nshare = {share}\ndelay_days = {days}\n"
        f'signal = "{"score_refresh" if days and share else "none"}"\n'
        for up_to, share, days in TIERS
    )
    path: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(head + tiers + "[service]" + rest.split("[service]", 1)[1], "utf-8")
    return path


@pytest.fixture(scope="module")
def base(book: Path, model_folder: Path, policy: Path) -> list[object]:
    """The words that every night's command begins with."""
    events = book / "events.parquet"
    return ["score", "--model", model_folder, "--policy", policy, "--events", events]


@pytest.fixture(scope="module")
def scorer(model_folder: Path, policy: Path) -> Scorer:
    return Scorer(load_model(model_folder), load_policy(policy))


@pytest.fixture(scope="module")
def nights(
    base: list[object], ends: list[datetime], tmp_path_factory: Any, relimit_json: RunJson
) -> list[Path]:
    """The folder of each night, each but the first on top of the one before."""
    folder = tmp_path_factory.mktemp("nights")
    outs: list[Path] = []
    for number, end in enumerate(ends[1:]):
        begin = ["--earlier", outs[-1]] if outs else ["--since", ends[0].isoformat()]
        outs.append(folder / str(number))
        relimit_json(*base, *begin, "--as-of", end.isoformat(), "--out", outs[-1])
    return outs


def rows_of(out: Path, folder: str = "decisions") -> dict[str, Row]:
    """The rows of a run by the name of their decision, each there once."""
    rows = pq.read_table(out / folder).to_pylist()
    by_name = {row["decision_id"]: row for row in rows}
    assert len(by_name) == len(rows)
    return by_name


def test_every_open_decision_is_taken_again_and_nothing_else_is_added(
    nights: list[Path],
    base: list[object],
    ends: list[datetime],
    relimit_json: RunJson,
    tmp_path: Path,
) -> None:
    for number in (1, NIGHTS - 1):
        before, tonight = rows_of(nights[number - 1], "open"), rows_of(nights[number])
        window = ["--since", ends[number].isoformat(), "--as-of", ends[number + 1].isoformat()]
        alone = tmp_path / str(number)
        relimit_json(*base, *window, "--out", alone)
        assert before
        new = {name: row for name, row in tonight.items() if name not in before}
        assert new == rows_of(alone)
        assert tonight.keys() - new.keys() == before.keys()
        counts = json.loads((nights[number] / "manifest.json").read_text())["counts"]
        assert counts["prepayments"] == len(new) + len(before)
        assert counts["decided_again"] == len(before)
        assert counts["left_open"] == len(rows_of(nights[number], "open"))


def test_what_is_open_is_what_has_not_come_back_by_a_ledger_of_its_own(nights: list[Path]) -> None:
    back: dict[str, int] = {}
    freed: dict[str, int] = {}
    in_part_before = 0
    for out in nights:
        for name, row in rows_of(out).items():
            assert row["freed"] == freed.get(name, row["freed"]) - back.get(name, 0)
            freed.setdefault(name, row["freed"])
            in_part_before += back.get(name, 0) > 0
            back[name] = back.get(name, 0) + row["restore_now"]
            assert back[name] <= freed[name]
        left = {name: (row["freed"], row["restored"]) for name, row in rows_of(out, "open").items()}
        assert left == {
            name: (freed[name], back[name]) for name in freed if back[name] < freed[name]
        }
    assert in_part_before > 0


@pytest.fixture(scope="module")
def bounced(book: Path) -> set[int]:
    """The accounts that had a payment returned at any time of these nights, or shortly before."""
    events = pq.read_table(book / "events.parquet", columns=["account_id", "ts", "kind"])
    last = datetime.fromisoformat(json.loads((book / "book.json").read_text("utf-8"))["as_of"])
    chosen = pc.and_(
        pc.equal(events["kind"], "payment_returned"),
        pc.greater(events["ts"], pa.scalar(last - timedelta(days=NIGHTS + 1))),
    )
    return set(events.filter(chosen)["account_id"].to_pylist())


def test_a_promise_is_kept_on_its_day_and_no_last_date_moves_without_new_evidence(
    nights: list[Path], bounced: set[int]
) -> None:
    kept = stayed_closed = 0
    rows = [rows_of(out) for out in nights]
    for before, tonight in pairwise(rows):
        for name, row in before.items():
            again = tonight.get(name)
            if again is None or row["account_id"] in bounced:
                continue
            closed = bool(GATES & set(again["reasons"]))
            for promise in row["restore_later"] if not closed else []:
                came = again["restore_now"] >= promise["amount"]
                still = sum(stage["amount"] for stage in again["restore_later"])
                assert came or still + again["restore_now"] >= promise["amount"]
                if promise["date"] <= again["as_of"].date():
                    assert came
                    kept += 1
            if closed and row["restore_later"]:
                continue
            stayed_closed += closed
            passed = row["not_later_than"] <= again["as_of"].date() + timedelta(days=1)
            assert passed or again["not_later_than"] <= row["not_later_than"]
    assert min(kept, stayed_closed) > 0


def test_what_was_written_before_gates_were_kept_can_be_taken_up(nights: list[Path]) -> None:
    table = pq.read_table(nights[0] / "open").cast(open_schema())
    old = table.drop_columns(["gate_closed"])
    known = pa.concat_tables([old, table.slice(0, 0)], promote_options="default")
    read = earlier_of(known.cast(table.schema))
    assert (read.gate_closed == (read.promised == 0)).all()
    assert (earlier_of(table).gate_closed <= read.gate_closed).all()


def test_workers_and_blocks_change_no_byte(
    nights: list[Path], book: Path, scorer: Scorer, ends: list[datetime], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    whole = json.loads((nights[5] / "manifest.json").read_text())["files"]
    monkeypatch.setattr(answers, "BLOCK_ROWS", 5_000)
    monkeypatch.setattr(answers, "TOGETHER", 700)
    night = Night(ends[5], ends[6], OpenDecisions.read(nights[4]))
    manifest = score(scorer, book / "events.parquet", night, tmp_path / "out", workers=3)
    assert manifest["files"] == whole


def test_a_killed_night_takes_up_the_rest_once(
    nights: list[Path], book: Path, scorer: Scorer, ends: list[datetime], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    night = Night(ends[5], ends[6], OpenDecisions.read(nights[4]))
    events, out = book / "events.parquet", tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if len(list((out / "_unfinished" / "decisions").glob("part-*"))) >= 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as small:
        small.setattr(answers, "BLOCK_ROWS", 5_000)
        small.setattr(answers, "TOGETHER", 700)
        small.setattr(batch, "LOT_ROWS", 10)
        with pytest.raises(KeyboardInterrupt):
            score(scorer, events, night, out, progress=stop)
        resumed = score(scorer, events, night, out)
    assert resumed["counts"] == json.loads((nights[5] / "manifest.json").read_text())["counts"]
    for folder in ("decisions", "open"):
        assert rows_of(out, folder) == rows_of(nights[5], folder)


def test_an_open_decision_that_can_not_be_decided_tonight_stays_open(
    nights: list[Path], book: Path, scorer: Scorer, ends: list[datetime], tmp_path: Path
) -> None:
    before = rows_of(nights[4], "open")
    gone = next(iter(before.values()))["account_id"]
    events = pq.read_table(book / "events.parquet")
    pq.write_table(
        events.filter(pc.not_equal(events["account_id"], gone)), tmp_path / "events.parquet"
    )
    night = Night(ends[5], ends[6], OpenDecisions.read(nights[4]))
    score(scorer, tmp_path / "events.parquet", night, tmp_path / "out", max_quarantine=1)
    mine = {name: row for name, row in before.items() if row["account_id"] == gone}
    stuck = rows_of(tmp_path / "out", "quarantine")
    assert stuck.keys() == mine.keys()
    assert {row["reason"] for row in stuck.values()} == {"the account has no events"}
    after = rows_of(tmp_path / "out", "open")
    assert {name: after[name] for name in mine} == mine


def test_what_is_quarantined_can_be_named_once_its_events_are_mended(
    book: Path, model_folder: Path, ends: list[datetime], relimit_json: RunJson, tmp_path: Path
) -> None:
    events = pq.read_table(book / "events.parquet")
    window = ["--since", ends[0].isoformat(), "--as-of", ends[1].isoformat()]
    base = ["score", "--model", model_folder, "--max-quarantine", "1"]
    relimit_json(*base, "--events", book / "events.parquet", *window, "--out", tmp_path / "sound")
    sound = rows_of(tmp_path / "sound")
    spoilt_id = next(iter(sound.values()))["account_id"]
    draw = pc.and_(pc.equal(events["account_id"], spoilt_id), pc.equal(events["kind"], "draw"))
    spoilt = pc.if_else(draw, pa.scalar(None, pa.int64()), events["amount"])
    place = events.schema.get_field_index("amount")
    pq.write_table(events.set_column(place, "amount", spoilt), tmp_path / "events.parquet")
    relimit_json(*base, "--events", tmp_path / "events.parquet", *window, "--out", tmp_path / "out")
    refused = tmp_path / "out" / "quarantine"
    named = ["--prepayments", refused, "--out", tmp_path / "mended"]
    relimit_json(*base, "--events", book / "events.parquet", *named)
    mended = rows_of(tmp_path / "mended")
    assert mended == {name: row for name, row in sound.items() if row["account_id"] == spoilt_id}


def test_a_night_that_does_not_begin_where_the_other_ended_is_refused(
    nights: list[Path], ends: list[datetime]
) -> None:
    left = OpenDecisions.read(nights[0])
    with pytest.raises(DataError, match=r"earlier one ended at.*begin where the other ends"):
        Night(ends[0], ends[2], left)


def test_what_is_not_a_finished_and_whole_night_is_refused(
    nights: list[Path], base: list[object], tmp_path: Path, relimit: Run
) -> None:
    with pytest.raises(DataError, match="holds no finished run"):
        OpenDecisions.read(tmp_path)
    copy = shutil.copytree(nights[0], tmp_path / "copy")
    part = next((copy / "open").iterdir())
    table = pq.read_table(part)
    place = table.schema.get_field_index("restored")
    pq.write_table(table.set_column(place, "restored", pc.subtract(table["restored"], 1)), part)
    with pytest.raises(DataError, match=r"open/part-00000\.parquet, or they have changed"):
        OpenDecisions.read(copy)
    named = tmp_path / "named"
    rows = pq.read_table(nights[0] / "decisions").select(["account_id", "as_of", "prepaid"])
    pq.write_table(rows, tmp_path / "named.parquet")
    assert (
        relimit(*base, "--prepayments", tmp_path / "named.parquet", "--out", named).exit_code == 0
    )
    with pytest.raises(DataError, match="named, and no night follows"):
        OpenDecisions.read(named)


def test_other_ids_than_the_earlier_night_had_are_refused(
    nights: list[Path], book: Path, scorer: Scorer, ends: list[datetime], tmp_path: Path
) -> None:
    events = pq.read_table(book / "events.parquet")
    words = events.set_column(0, "account_id", events["account_id"].cast(pa.string()))
    pq.write_table(words.sort_by("account_id"), tmp_path / "events.parquet")
    night = Night(ends[1], ends[2], OpenDecisions.read(nights[0]))
    with pytest.raises(DataError, match="account_id is int64, but string"):
        score(scorer, tmp_path / "events.parquet", night, tmp_path / "out")

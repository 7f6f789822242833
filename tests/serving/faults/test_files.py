"""Files that can't be read, or not as one table: what, where, and nothing written.

`tests/serving/test_bad_input.py` has the files that are wrong from their first byte.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing, write_parquet
from relimit.data.by_account import RowsByAccount
from relimit.data.errors import DataError
from relimit.data.stream import EventPlan
from relimit.models import Artifact
from relimit.serving import account_rows, answers, batch, sources
from relimit.serving.batch import score
from relimit.serving.cluster import OnSpark
from relimit.serving.requests import NamedPrepayments
from relimit.serving.scorer import Scorer
from relimit.serving.spark import ClusterRun, ShippedModel, pack_answers


@pytest.fixture
def parts(events: Path, night: Any) -> tuple[Path, Path, pa.Table]:
    """A folder of two parts, the second still to be written, and its rows."""
    events.mkdir()
    table = night.book(30, 6)
    pq.write_table(table.slice(0, 80), events / "a.parquet")
    return events, events / "b.parquet", table.slice(80)


def test_a_part_with_a_renamed_column_is_refused(run: Any, parts: Any, tmp_path: Path) -> None:
    _, second, rows = parts
    pq.write_table(rows.rename_columns(["account_id", "ts", "kind", "amount_fen"]), second)
    result = run()
    assert result.exit_code == 1
    assert f"{second}: column amount is missing" in result.output
    assert not (tmp_path / "out").exists()


def test_a_part_with_other_ids_is_refused(run: Any, parts: Any, tmp_path: Path) -> None:
    _, second, rows = parts
    pq.write_table(rows.set_column(0, "account_id", rows["account_id"].cast(pa.string())), second)
    result = run()
    assert result.exit_code == 1
    assert f"{second}: column account_id is string" in result.output
    assert not (tmp_path / "out").exists()


def test_a_part_that_is_still_being_written_is_refused(
    run: Any, parts: Any, tmp_path: Path
) -> None:
    _, second, rows = parts
    pq.write_table(rows, second)
    second.write_bytes(second.read_bytes()[:-200])
    result = run()
    assert result.exit_code == 1
    assert f"{second}: can't be read as Parquet" in result.output
    assert "write it again" in result.output
    assert not (tmp_path / "out").exists()


def test_a_flipped_bit_late_in_the_file_leaves_nothing(
    run: Any, events: Path, night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LOT_ROWS", 5)
    monkeypatch.setattr("relimit.data.tables.ROW_GROUP_ROWS", 60)
    monkeypatch.setattr(answers, "TOGETHER", 60)
    monkeypatch.setattr(choosing, "LOT_ROWS", 60)
    write_parquet(night.book(60, 6), events)
    last = pq.read_metadata(events).row_group(4).column(1)
    content = bytearray(events.read_bytes())
    content[last.data_page_offset + last.total_compressed_size - 3] ^= 1
    events.write_bytes(content)
    result = run()
    assert result.exit_code == 1
    assert "CRC" in result.output
    assert not (tmp_path / "out").exists()


def test_a_flipped_bit_in_what_a_cluster_staged_is_found(
    scorer: Scorer, events: Path, small_model: Path, night: Any, tmp_path: Path
) -> None:
    table = night.book(30, 6)
    pq.write_table(table, events)
    run = ClusterRun(ShippedModel.of(Artifact.read(small_model)), scorer.policy, night.request)
    packed = pa.concat_tables(map(pack_answers, run.answers(table)))
    plain = {"compression": "none", "use_dictionary": False}  # so that nothing else finds it
    pq.write_table(packed, tmp_path / "staged.parquet", write_page_checksum=True, **plain)
    engine = OnSpark(
        ShippedModel.of(Artifact.read(small_model)),
        tmp_path,
        scorer,
        night.request,
        EventPlan.of(events),
        1,
    )
    assert sum(read.rows for read in engine._read([tmp_path / "staged.parquet"], None)) > 20
    decided = pq.read_metadata(tmp_path / "staged.parquet").row_group(0).column(0)
    content = bytearray((tmp_path / "staged.parquet").read_bytes())
    content[decided.data_page_offset + decided.total_compressed_size // 2] ^= 1
    (tmp_path / "staged.parquet").write_bytes(content)
    with pytest.raises(DataError, match="can't be read as Parquet"):
        list(engine._read([tmp_path / "staged.parquet"], None))


def test_events_that_change_while_they_are_read_fail_the_run(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path
) -> None:
    table = night.book(30, 6)
    pq.write_table(table, events)

    def write_again(done: int, total: int) -> None:
        pq.write_table(table.slice(0, 100), events)

    with pytest.raises(DataError, match=r"events.parquet: changed while it was read"):
        score(scorer, events, night.request, tmp_path / "out", progress=write_again)
    assert not (tmp_path / "out").exists()


def test_events_that_change_once_their_footers_are_read_fail_the_run(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(night.book(30, 6), events)
    plan_of = EventPlan.of

    def overtaken(*words: Any, **named: Any) -> EventPlan:
        plan = plan_of(*words, **named)
        pq.write_table(night.book(30, 7), tmp_path / "new.parquet")
        (tmp_path / "new.parquet").replace(events)
        return plan

    monkeypatch.setattr(EventPlan, "of", overtaken)
    with pytest.raises(DataError, match=r"events.parquet: changed while it was read"):
        score(scorer, events, night.request, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_list_that_is_written_again_is_not_taken_for_the_one_that_was_decided(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path
) -> None:
    paid, listed = (night.since, 700), tmp_path / "listed.parquet"
    pq.write_table(night.table([*night.line(1, paid), *night.line(2, paid)]), events)

    def write(account: int) -> None:
        rows = {"account_id": [account], "as_of": [night.as_of], "prepaid": [700]}
        pq.write_table(pa.table(rows), listed)

    write(1)
    first = NamedPrepayments.read(listed)
    write(2)
    score(scorer, events, first, tmp_path / "out")
    with pytest.raises(DataError, match=r"finished run of other inputs \(prepayments differ\)"):
        score(scorer, events, NamedPrepayments.read(listed), tmp_path / "out")


def test_a_list_that_is_written_again_as_it_is_read_is_refused(
    events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"account_id": [1], "as_of": [datetime(2026, 1, 1, tzinfo=UTC)], "prepaid": [700]}
    pq.write_table(pa.table(rows), events)
    read = account_rows.read_by_account

    def overtaken(path: Path, *words: Any, **named: Any) -> RowsByAccount:
        found = read(path, *words, **named)
        pq.write_table(pa.table(rows | {"prepaid": [900]}), path)
        return found

    monkeypatch.setattr(account_rows, "read_by_account", overtaken)
    with pytest.raises(DataError, match=r"events.parquet: changed while it was read"):
        NamedPrepayments.read(events)


def test_a_file_that_looks_damaged_as_it_is_written_again_has_changed(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(night.book(30, 6), events)

    def meets_half_a_file(path: Path) -> None:
        os.utime(path, (0, 0))  # whole again, for whoever else is reading it
        raise DataError("can't be read as Parquet", where=str(path))

    monkeypatch.setattr(sources, "unknown_kinds", meets_half_a_file)
    with pytest.raises(DataError, match=r"events.parquet: changed while it was read"):
        score(scorer, events, night.request, tmp_path / "out")


def test_a_finished_run_whose_part_has_changed_is_not_taken_for_whole(
    run: Any, events: Path, night: Any, tmp_path: Path
) -> None:
    pq.write_table(night.book(30, 6), events)
    assert run().exit_code == 0
    part = tmp_path / "out" / "decisions" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    result = run()
    assert result.exit_code == 1
    assert "lacks decisions/part-00000.parquet, or they have changed" in result.output


def test_a_file_without_rows_is_an_empty_night(run: Any, events: Path, night: Any) -> None:
    pq.write_table(night.book(2, 6).slice(0, 0), events)
    result = run()
    assert result.exit_code == 0, result.output
    assert "prepayments 0 = decided 0 + quarantined 0" in " ".join(result.output.split())


def test_an_empty_folder_is_refused(run: Any, events: Path, tmp_path: Path) -> None:
    events.mkdir()
    result = run()
    assert result.exit_code == 1
    assert "the folder has no *.parquet file" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [".", "out", "a/b"])
def test_an_output_among_the_events_is_refused_before_it_is_taken_for_some(
    relimit: Any, parts: Any, small_model: Path, night: Any, place: str
) -> None:
    folder, second, rows = parts
    pq.write_table(rows, second)
    out = folder / place
    words = ["--model", small_model, "--events", folder, *night.words, "--out", out]
    result = relimit("score", *words)
    assert result.exit_code == 2, result.output
    assert "would overwrite or mix with the input" in " ".join(result.output.split())
    assert sorted(path.name for path in folder.rglob("*")) == ["a.parquet", "b.parquet"]

"""`relimit simulate`: what its flags change in the book."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from click.testing import Result

SIZE = ("--accounts", 60, "--months", 4, "--seed", 1, "--workers", 1)


def test_redelivered_events_come_twice_and_out_of_order(
    tmp_path: Path, relimit_json: Callable[..., dict[str, Any]]
) -> None:
    clean = relimit_json("simulate", tmp_path / "clean", *SIZE)["events"]
    relimit_json("simulate", tmp_path / "messy", *SIZE, "--redelivered", 0.2)
    messy = pq.read_table(tmp_path / "messy" / "events.parquet")
    assert 1.15 * clean < messy.num_rows < 1.25 * clean
    assert messy.group_by(messy.column_names).aggregate([]).num_rows <= clean
    assert not pc.all(pc.greater_equal(messy["account_id"][1:], messy["account_id"][:-1])).as_py()


def test_a_share_above_one_is_wrong_usage(tmp_path: Path, relimit: Callable[..., Result]) -> None:
    result = relimit("simulate", tmp_path / "book", *SIZE, "--redelivered", 1.2)
    assert result.exit_code == 2
    assert "--redelivered" in result.stderr

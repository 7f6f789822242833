"""Checks of the tables that go with events: what was decided, what came of it, the accounts."""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.casts import cast_faults, null_faults
from relimit.data.check_files import check_files
from relimit.data.errors import DataError
from relimit.data.files import TableFiles
from relimit.data.findings import ERROR, NOTE, WARNING, Finding, from_error
from relimit.data.schema import accounts_schema, decisions_log_schema, observations_schema
from relimit.data.table_rules import TABLE_RULES, TableRule
from relimit.data.tables import read_parquet, read_whole

SCHEMAS: Final = {
    "decisions": decisions_log_schema(),
    "observations": observations_schema(),
    "accounts": accounts_schema(),
}


KEYS: Final = {
    "decisions": ("decision_id",),
    "observations": ("account_id", "as_of"),
    "accounts": ("account_id",),
}
"""The columns that name a row of each table."""


def check_beside(path: Path, name: str, ids: Any) -> list[Finding]:
    """Return what is wrong with a table that goes with events.

    Parameters
    ----------
    path
        One Parquet file or a folder of parts.
    name
        One of `SCHEMAS`.
    ids
        The distinct account ids of the events, in Arrow; None where there are none to hold it to.

    Raises
    ------
    DataError
        There is nothing at `path`.
    """
    files, findings = check_files(path, SCHEMAS[name], name)
    if files is None:
        return findings
    try:
        table = read_parquet(path, SCHEMAS[name], table=name)
    except DataError:
        return [*findings, *(from_error(fault, "unreadable") for fault in _faults(files))]
    findings += [found for rule in TABLE_RULES[name] if (found := _of_rule(rule, table, path))]
    findings += _doubled(table, name, path)
    if ids is not None:
        findings += _strangers(table, ids, name, path)
    if name == "observations":
        findings += _outcomes(table, path)
    return findings


def _faults(files: TableFiles) -> list[DataError]:
    """Return what is wrong with each file and column of a table that can't be read."""
    found: list[DataError] = []
    for file in files.files:
        where = str(file)
        try:
            rows = read_whole(file, files.schema.names)
        except DataError as error:
            found.append(error)
            continue
        found += cast_faults(rows, files.schema, where=where)
        found += null_faults(rows, files.schema, where=where)
    return found


def _of_rule(rule: TableRule, table: pa.Table, path: Path) -> Finding | None:
    """Return the finding of a rule; None if it marks no row."""
    mask = pc.fill_null(rule.broken(table), False)
    count = pc.sum(mask).as_py() or 0
    if not count:
        return None
    row = pc.index(mask, True).as_py()
    message = f"{path.name}: column {rule.column} {rule.fault} in {count:,} of {table.num_rows:,} "
    message += f"rows; first in row {row}"
    return Finding(rule.level, rule.code, rule.column, count, str(path), row, message, rule.mend)


def _doubled(table: pa.Table, name: str, path: Path) -> list[Finding]:
    """Return a finding if rows share the key of their table."""
    key = KEYS[name]
    distinct = table.select(key).group_by(list(key)).aggregate([]).num_rows
    count = table.num_rows - distinct
    if not count:
        return []
    level = WARNING if name == "observations" else ERROR
    message = f"{path.name}: {count:,} of {table.num_rows:,} rows repeat another's {', '.join(key)}"
    mend = "Keep one row for each"
    return [Finding(level, f"repeated_{name}", key[0], count, str(path), None, message, mend)]


def _strangers(table: pa.Table, ids: Any, name: str, path: Path) -> list[Finding]:
    """Return a finding if accounts of a table have no events, or ids of another type."""
    column = table["account_id"]
    mend = "Check that the table and the events are of one portfolio"
    if column.type != ids.type:
        message = f"{path.name}: column account_id is {column.type}, but {ids.type} in the events"
        count = table.num_rows
        found = Finding(ERROR, "id_type", "account_id", count, str(path), None, message, mend)
        return [found] if count else []
    count = table.num_rows - (pc.sum(pc.is_in(column, ids)).as_py() or 0)
    if not count:
        return []
    level = NOTE if name == "accounts" else WARNING
    level = ERROR if count == table.num_rows else level
    message = f"{path.name}: {count:,} of {table.num_rows:,} rows are of accounts without events"
    code = f"{name}_without_events"
    return [Finding(level, code, "account_id", count, str(path), None, message, mend)]


def _outcomes(table: pa.Table, path: Path) -> list[Finding]:
    """Return a warning if the outcomes are of one sort only, or none, and nothing can be learnt."""
    sorts = pc.unique(table["bad"]).drop_null().to_pylist()
    if len(sorts) == 2:
        return []
    words = (
        "is null everywhere" if not sorts else f"is {str(sorts[0]).lower()} wherever it is known"
    )
    message = f"{path.name}: column bad {words}, in {table.num_rows:,} rows"
    mend = "Training needs both outcomes: wait for the horizon to pass, or check the label"
    count = table.num_rows
    return [Finding(WARNING, "one_outcome", "bad", count, str(path), None, message, mend)]

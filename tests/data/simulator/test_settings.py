"""Every number of the world says where it comes from, and none is asked for twice."""

import re
import tomllib
from importlib.resources import files

import pytest

MARK = re.compile(r"#.*\[(target: .+|given: .+|assumption|scenario)\]$")
TEXT = files("relimit.data.simulator").joinpath("world.toml").read_text("utf-8")


def unmarked(text):
    """Return the keys, as `table.key`, that neither their line nor their table's header marks."""
    table, covered, found = "", False, []
    for line in text.splitlines():
        if line.startswith("["):
            table, covered = line[1 : line.index("]")], bool(MARK.search(line))
        elif "=" in line and not line.startswith("#") and not (covered or MARK.search(line)):
            found.append(f"{table}.{line.partition('=')[0].strip()}")
    return found


def leaves(value, path=()):
    """Return the paths of all values that are no table."""
    if not isinstance(value, dict):
        return [".".join(path)]
    return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]


def test_every_setting_says_where_it_comes_from():
    assert unmarked(TEXT) == []


def test_every_setting_has_a_line_of_its_own_to_say_so_on():
    lines = re.sub(r" +#.*", "", TEXT)
    assert len(leaves(tomllib.loads(TEXT))) == len(
        [line for line in lines.splitlines() if "=" in line and not line.startswith("#")]
    )


@pytest.mark.parametrize(
    "line", ["key = 1", "key = 1  # a word", "key = 1  # [source]", "key = 1  # [given]"]
)
def test_a_setting_without_a_mark_would_be_found(line):
    assert unmarked(f"[table]\nmarked = 1  # [assumption]\n{line}\n") == ["table.key"]


def test_a_mark_on_the_header_counts_for_its_table_alone():
    text = "[one]  # [assumption]\na = 1\n[two]\nb = 2\n[three]  # [scenario]\nc = 3\n"
    assert unmarked(text) == ["two.b"]

"""Kinds of events that the vocabulary doesn't have: kept, reported once, read by no feature."""

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relimit.data.files import parquet_files, unreadable
from relimit.data.vocabulary import KINDS

MOST_NAMED: Final = 10
_BATCH_ROWS: Final = 1_000_000


def unknown_kinds(path: Path) -> dict[str, int]:
    """Return the kinds of a table of events that `KINDS` lacks, by name, and how many rows each.

    Of a row group whose kinds are stored as a dictionary, only the dictionary is looked at, which
    costs next to nothing; its rows are counted only if a word there is unknown.

    Parameters
    ----------
    path
        A Parquet file or a folder of parts, its schema already checked.

    Raises
    ------
    DataError
        A page is damaged.
    """
    found = Counter[str]()
    for file in parquet_files(path):
        try:
            with pq.ParquetFile(
                file, read_dictionary=["kind"], page_checksum_verification=True
            ) as opened:
                for group in range(opened.num_row_groups):
                    counts = () if _all_known(opened, group) else _counted(opened, group)
                    for count in counts:
                        found.update(count)
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise unreadable(file, error) from error
    return dict(sorted(found.items()))


def names_of(kinds: Mapping[str, int]) -> str:
    r"""Return kinds with their counts, for a message; what may be something else is cut.

    What a terminal would obey, or a log take for a line of its own, is spelled out.

    Examples
    --------
    >>> names_of({"tide": 1_000, "moon": 2})
    'moon (2), tide (1,000)'
    >>> names_of(dict.fromkeys("abcdefghijkl", 1))
    'a (1), b (1), c (1), d (1), e (1), f (1), g (1), h (1), i (1), j (1) and 2 more'
    >>> print(names_of({"tide\x1b[2J\n": 1}))
    'tide\x1b[2J\n' (1)
    """
    named = [
        f"{kind if kind.isprintable() else repr(kind)} ({count:,})"
        for kind, count in sorted(kinds.items())
    ]
    more = f" and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more


def meant_kind(kind: str) -> str:
    """Return the kind that an unknown one is but for case, blanks and small slips, or "".

    Examples
    --------
    >>> meant_kind("Draw"), meant_kind("pre-payment"), meant_kind("prepayments"), meant_kind("tide")
    ('draw', 'prepayment', 'prepayment', '')
    """
    plain = {name.replace("_", ""): name for name in KINDS}
    letters = "".join(letter for letter in kind.lower() if letter.isalpha())
    close = get_close_matches(letters, plain, n=1, cutoff=0.9)
    return plain[close[0]] if close else ""


def count_unknown(kinds: pa.Array) -> dict[str, int]:
    """Return how many of some words, or codes of words, are of each kind that `KINDS` lacks.

    Nulls are none.
    """
    entries = pc.value_counts(kinds).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in entries}
    return {kind: count for kind, count in counts.items() if kind not in (None, *KINDS)}


def _all_known(file: pq.ParquetFile, group: int) -> bool:
    """Return whether the dictionary of a row group's kinds, which its first row brings, says so."""
    footer = file.metadata
    if footer.row_group(group).num_rows == 0:
        return True
    place = footer.schema.names.index("kind")
    if not footer.row_group(group).column(place).has_dictionary_page:
        return False
    first = next(file.iter_batches(1, row_groups=[group], columns=["kind"]))
    return set(first["kind"].dictionary.to_pylist()) <= set(KINDS)


def _counted(file: pq.ParquetFile, group: int) -> Iterator[dict[str, int]]:
    for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=["kind"]):
        yield count_unknown(batch["kind"])

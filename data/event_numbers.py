"""Events as columns of whole numbers, and back as a table."""

from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.columns import encode, numbers, one_chunk
from relimit.data.contract import is_text
from relimit.data.layout import Columns, Layout, Words


class Vocabulary:
    """Numbers for the words of a column that has few, the same in all batches.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._place: dict[bytes | None, int] = {}
        self._lock = Lock()

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Return the number of each word, `[rows]`; −1 for null."""
        words, code = encode(column)
        mine, place = words.cast(pa.binary()).to_pylist(), self._place
        with self._lock:
            known = [place.setdefault(word, len(place)) for word in mine]
        return np.array([*known, -1], np.int32).take(code)

    def column(self, codes: NDArray[np.int32]) -> pa.Array:
        """Return the words of some numbers."""
        words = pa.array(list(self._place), pa.binary()).view(pa.string())
        nulls = codes < 0
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=nulls if nulls.any() else None), words
        )


def numbers_of(events: pa.Table, words: Vocabulary) -> tuple[Columns, dict[str, pa.Array]]:
    """Return conformed events as columns of numbers, `[rows]`, and their columns of text.

    Of a text the numbers are its lengths in bytes. `known_at` is told as how long after `ts`, which
    is mostly nothing. All are 0 where the column is null; `has_NAME` is 1 where it is not.
    """
    found: Columns = {"kind": words.codes(events["kind"])}
    texts = {}
    for name in texts_of(events.schema):
        text, there = _text(events[name])
        found[name] = np.diff(offsets_of(text)) * there if len(text) else np.zeros(len(there), int)
        found[has(name)] = there.view(np.uint8)
        if found[name].any():
            texts[name] = text
    for field in events.schema:
        if field.name not in found:
            column, is_time = events[field.name], pa.types.is_timestamp(field.type)
            width = np.int32 if field.type == pa.int32() else np.int64
            values, there = numbers(column.cast(pa.int64()) if is_time else column, width)
            found[field.name], found[has(field.name)] = values, there.view(np.uint8)
    found["known_at"] = (found["known_at"] - found["ts"]) * found[has("known_at")]
    return found, texts


def _text(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return a column as plain text, empty if all is null, and where it is not null."""
    if column.null_count == len(column):
        return pa.array([], pa.string()), np.zeros(len(column), np.bool_)
    text = one_chunk(column.cast(pa.string()))
    return text, text.is_valid().to_numpy(zero_copy_only=False)


def events_of(
    layout: Layout, rows: Words, texts: dict[str, pa.Array], schema: pa.Schema, kinds: Vocabulary
) -> pa.Table:
    """Return events again as a table, in the types that blocks are made from.

    Parameters
    ----------
    layout, rows
        The numbers of `numbers_of`.
    texts
        The columns of text; one that is not there is null.
    """
    columns = []
    for field in schema:
        if field.name == "kind":
            columns.append(kinds.column(layout.column(rows, "kind").astype(np.int32)))
        elif (text := texts.get(field.name)) is not None:
            columns.append(text.cast(field.type))
        elif is_text(field.type):
            columns.append(pa.nulls(rows.shape[1], field.type))
        else:
            columns.append(_number_column(layout, rows, field))
    return pa.Table.from_arrays(columns, schema=schema)


def _number_column(layout: Layout, rows: Words, field: pa.Field) -> pa.Array:
    values = layout.column(rows, field.name)
    if field.name == "known_at":
        values = values + layout.column(rows, "ts")
    kept = np.ascontiguousarray(values, np.int32 if field.type == pa.int32() else np.int64)
    buffers = [_validity(layout.flags(rows, has(field.name))), pa.py_buffer(kept)]
    return pa.Array.from_buffers(field.type, len(kept), buffers)


def texts_of(schema: pa.Schema) -> list[str]:
    """Return the columns of text: all of words but `kind`, which has few."""
    return [field.name for field in schema if is_text(field.type) and field.name != "kind"]


def text_of(
    lengths: NDArray[np.int64], there: NDArray[np.bool_], content: NDArray[np.uint8]
) -> pa.Array:
    """Return texts of some lengths, which follow each other in an array of bytes."""
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    buffers = [_validity(there), pa.py_buffer(offsets), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.large_string(), len(lengths), buffers).cast(pa.string())


def _validity(there: NDArray[np.bool_]) -> pa.Buffer | None:
    """Return the bits that tell Arrow which rows are not null; None if none is."""
    return None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))


def offsets_of(text: pa.Array) -> NDArray[np.int32]:
    """Return where each text begins among the bytes of all, and the last ends, `[rows + 1]`."""
    whole = np.frombuffer(text.buffers()[1], np.int32)
    return whole[text.offset : text.offset + len(text) + 1]


def has(name: str) -> str:
    """Return the name of what tells where a column is not null."""
    return f"has_{name}"

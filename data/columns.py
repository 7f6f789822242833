"""Arrow columns as numpy arrays: words by their codes, numbers with where they are not null."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.errors import DataError


def encode(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.signedinteger[Any]]]:
    """Return a string column's dictionary and its codes, as narrow as they came; −1 for null."""
    whole = one_chunk(column)
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    code = whole.indices
    if code.null_count:
        code = pc.fill_null(code, -1)
    return whole.dictionary, code.to_numpy()


def plain_words(words: pa.Array) -> list[str]:
    """Return words as Python has them.

    Raises
    ------
    DataError
        They are not UTF-8: Arrow doesn't look as it reads them.
    """
    try:
        found: list[str] = words.to_pylist()
    except UnicodeDecodeError as error:
        mend = "Write account_id, kind and detail as UTF-8"
        raise DataError(f"text that is not UTF-8 ({error})", where="events", mend=mend) from error
    return found


def numbers(column: pa.ChunkedArray, kind: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a nullable integer column as numbers, 0 where null, and where it is not null."""
    size = len(column)
    if column.null_count == size:
        return np.zeros(size, kind), np.zeros(size, np.bool_)
    if column.null_count == 0:
        return column.to_numpy(), np.ones(size, np.bool_)
    whole = one_chunk(column)
    flags, numbers = (np.frombuffer(buffer, np.uint8) for buffer in whole.buffers())
    end = whole.offset + size
    there = np.unpackbits(flags, count=end, bitorder="little").view(np.bool_)[whole.offset :]
    return numbers.view(kind)[whole.offset : end] * there, there


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, copied only if it comes in several."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)

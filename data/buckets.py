"""Rows parted into a file for each bucket, and read back from it."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import compiled
from relimit.data.event_numbers import offsets_of
from relimit.data.layout import Layout, Words

Bytes = NDArray[np.uint8]
Content = dict[str, Bytes]
"""The bytes of each column of text."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A batch of rows, those of one bucket after those of the one before.

    Attributes
    ----------
    layout, words
        `[words, rows]`: their numbers, and how these are laid out.
    edges
        `[buckets + 1]`: which rows are of each bucket.
    texts
        By column: the bytes of all rows' texts, and `[buckets + 1]` which are of each bucket.
    """

    layout: Layout
    words: Words
    edges: list[int]
    texts: dict[str, tuple[Bytes, list[int]]]

    @classmethod
    def of(
        cls,
        layout: Layout,
        words: Words,
        texts: dict[str, pa.Array],
        bucket: NDArray[np.uint8],
        buckets: int,
    ) -> Self:
        """Part rows by the bucket of each, `[rows]`; rows of a bucket stay in their order."""
        edges = np.concatenate(([0], np.cumsum(np.bincount(bucket, minlength=buckets))))
        if not texts and (loops := compiled.loops_for(len(bucket))):
            return cls(layout, compiled.parted(loops, words, bucket, edges), edges.tolist(), {})
        order = np.argsort(bucket, kind="stable")  # numbers this short are sorted in linear time
        content = {}
        for name, text in texts.items():
            mine = text.take(pa.array(order))
            offsets = offsets_of(mine)
            content[name] = np.frombuffer(mine.buffers()[2], np.uint8), offsets[edges].tolist()
        return cls(layout, words.take(order, axis=1), edges.tolist(), content)


class Buckets:
    """Files of the rows of each bucket.

    Parameters
    ----------
    folder
        An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, BinaryIO] = {}
        self._batches: list[_Written] = []

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let batches be written, and close the files."""
        with ExitStack() as stack:
            self._stack = stack
            yield

    def write(self, batch: Parted) -> None:
        """Write the rows of a batch behind those of their bucket."""
        texts = {name: edges for name, (_, edges) in batch.texts.items()}
        self._batches.append(_Written(batch.layout, batch.edges, texts))
        kept = [(word, batch.edges) for word in batch.words] + list(batch.texts.values())
        for bucket in np.flatnonzero(np.diff(batch.edges)).tolist():
            parts = [values[edges[bucket] : edges[bucket + 1]] for values, edges in kept]
            self._file(bucket).write(b"".join(parts))

    def _file(self, bucket: int) -> BinaryIO:
        if bucket not in self._files:
            self._files[bucket] = self._stack.enter_context(self._path(bucket).open("wb"))
        return self._files[bucket]

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:03}"

    def filled(self) -> list[int]:
        """Return the buckets that have rows, ascending."""
        return sorted(self._files)

    def take(self, bucket: int, layout: Layout) -> tuple[Words, Content]:
        """Return the rows of a bucket in a layout, and their texts; drop its file.

        The layout holds the numbers of every batch.
        """
        content = np.fromfile(self._path(bucket), np.uint8)
        self._path(bucket).unlink()
        words, texts, at = [], defaultdict(list), 0
        for batch in self._batches:
            rows = batch.edges[bucket + 1] - batch.edges[bucket]
            begin, at = at, at + 8 * rows * batch.layout.words
            words.append(content[begin:at].view(np.uint64).reshape(batch.layout.words, rows))
            for name, edges in batch.texts.items():
                begin, at = at, at + edges[bucket + 1] - edges[bucket]
                texts[name].append(content[begin:at])
        joined = {name: np.concatenate(parts) for name, parts in texts.items()}
        return self._in_one(words, layout), joined

    def _in_one(self, words: list[Words], layout: Layout) -> Words:
        """Return the words of all batches, in one layout."""
        pairs = zip((batch.layout for batch in self._batches), words, strict=True)
        found = []
        for _, alike in groupby(pairs, lambda pair: id(pair[0])):
            before, mine = zip(*alike, strict=True)
            whole = np.concatenate(mine, axis=1)
            found.append(whole if before[0] is layout else layout.moved(whole, before[0]))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


@dataclass(frozen=True, slots=True)
class _Written:
    """What is kept in mind of a batch: see `Parted`."""

    layout: Layout
    edges: list[int]
    texts: dict[str, list[int]]

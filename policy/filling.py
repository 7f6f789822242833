"""Templates filled: a decision by itself where there are few, else all together in Arrow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.policy.cases import Ints
from relimit.policy.phrases import LANGUAGES, Phrase
from relimit.policy.story import FIELDS, SETTINGS, Story

AT_ONCE: Final = 100_000
"""So many texts are joined at once: one of Arrow's arrays of strings holds 2 GB."""

Places = NDArray[np.int32]


class Template(NamedTuple):
    """A text in each language: its pieces, and the fields of decisions that they show.

    A piece is some words and the field that follows them; either may be empty.
    """

    pieces: Mapping[str, tuple[tuple[str, str], ...]]
    fields: frozenset[str]


class Plan(NamedTuple):
    """Rows that are told the same, and how."""

    rows: Ints
    template: Template


class Coded(NamedTuple):
    """A part of what a field shows: its different values, and `[n]` places in them, by plan."""

    values: list[Any]
    places: Places


@dataclass(frozen=True, slots=True)
class Texts:
    """`[n]` strings, of few decisions a list and of many Arrow's, which are dear one by one."""

    held: list[str] | pa.ChunkedArray

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, row: int) -> str:
        return str(self.held[row])

    def tolist(self) -> list[str]:
        """Return the strings."""
        strings: list[str] = self.to_arrow().to_pylist()
        return strings

    def to_arrow(self) -> pa.ChunkedArray:
        """Return the strings as a column of a table."""
        if isinstance(self.held, list):
            return pa.chunked_array([self.held], pa.string())
        return self.held


class Pool(dict[str, int]):
    """Words, each with the place that it got when it was first asked for."""

    def __missing__(self, word: str) -> int:
        place = self[word] = len(self)
        return place


def fill_one(story: Story, row: int, template: Template) -> dict[str, str]:
    """Return the text of one row by language."""
    said: dict[tuple[str, str], str] = {}
    return {
        language: "".join([text + _word(story, row, name, language, said) for text, name in pieces])
        for language, pieces in template.pieces.items()
    }


def _word(
    story: Story, row: int, name: str, language: str, said: dict[tuple[str, str], str]
) -> str:
    """Return what a field says in a row; `said` is what was said already, maybe otherwise."""
    if not name:
        return ""
    if name in SETTINGS:
        return SETTINGS[name](story.policy)
    values, phrase = FIELDS[name]
    how = _how(story, phrase, language)
    if (name, how) not in said:
        said[name, how] = phrase.write(values(story)[row].item(), how)
    return said[name, how]


def _how(story: Story, phrase: Phrase, language: str) -> str:
    if phrase.varies_by == "language":
        return language
    return story.policy.wording.currency if phrase.varies_by else ""


def fill_all(story: Story, plans: Sequence[Plan]) -> dict[str, Texts]:
    """Return by language `[n]` texts of all rows, each of which is in one plan.

    They are what `fill_one` says. A word, be it of a template or of a part of a field, is written
    once; a text is a list of places in the words, and Arrow joins them without holding the
    interpreter's lock.
    """
    order = np.concatenate([plan.rows for plan in plans])
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    coded, pool = _coded(story, plans, order), Pool()
    said = _settings(story, pool) | _words(story, coded, pool)
    told = {
        language: _lists(plans, language, pool, said | _words(story, coded, pool, language))
        for language in LANGUAGES
    }
    words = pa.array(list(pool), pa.string())
    return {
        language: Texts(_joined(lists.take(pa.array(back)), words))
        for language, lists in told.items()
    }


def _coded(story: Story, plans: Sequence[Plan], order: Ints) -> dict[str, list[Coded]]:
    """Return by field its parts, coded in the rows that show it."""
    sizes = [len(plan.rows) for plan in plans]
    found = {}
    for name in frozenset[str]().union(*(plan.template.fields for plan in plans)):
        values, phrase = FIELDS[name]
        shows = np.repeat([name in plan.template.fields for plan in plans], sizes)
        parts = phrase.parts(values(story)[order[shows]])
        found[name] = [_code(part, shows) for part in parts]
    return found


def _code(values: NDArray[Any], shows: NDArray[np.bool_]) -> Coded:
    coded = pa.array(values).dictionary_encode()
    places = np.zeros(len(shows), np.int32)
    places[shows] = coded.indices.to_numpy()
    return Coded(coded.dictionary.to_numpy(zero_copy_only=False).tolist(), places)


Words = dict[str, list[Places]]
"""By field, for each of its parts the `[n]` places of its words in the pool, by plan."""


def _settings(story: Story, pool: Pool) -> Words:
    said = {name: pool[say(story.policy)] for name, say in SETTINGS.items()}
    return {"": []} | {name: [np.full(len(story), place)] for name, place in said.items()}


def _words(story: Story, coded: Mapping[str, list[Coded]], pool: Pool, language: str = "") -> Words:
    """Return the words of the fields that vary by language in one, or else of all others."""
    words = {}
    for name, parts in coded.items():
        phrase = FIELDS[name].phrase
        if (phrase.varies_by == "language") != bool(language):
            continue
        how = _how(story, phrase, language)
        words[name] = [
            np.array([pool[write(value, how)] for value in values], np.int32)[places]
            for write, (values, places) in zip(phrase.writers, parts, strict=True)
        ]
    return words


def _lists(plans: Sequence[Plan], language: str, pool: Pool, words: Words) -> pa.ListArray:
    """Return for each row, by plan, the places in the pool that make up its text."""
    blocks, lengths, begin = [], [], 0
    for rows, template in plans:
        end = begin + len(rows)
        line: list[int] = []
        gaps: list[tuple[int, Places]] = []
        for text, name in template.pieces[language]:
            line.append(pool[text])
            for places in words[name]:
                gaps.append((len(line), places))
                line.append(0)
        block = np.full((len(rows), len(line)), line, np.int32)
        for gap, places in gaps:
            block[:, gap] = places[begin:end]
        blocks.append(block.ravel())
        lengths.append(len(line))
        begin = end
    ends = np.cumsum(np.repeat(lengths, [len(plan.rows) for plan in plans]))
    offsets = pa.array(np.append(0, ends), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(blocks)))


def _joined(lists: pa.ListArray, words: pa.StringArray) -> pa.ChunkedArray:
    """Return the texts that lists of places in the words make up."""
    texts = []
    for begin in range(0, len(lists), AT_ONCE):
        part = lists.slice(begin, AT_ONCE)
        offsets = pc.subtract(part.offsets, part.offsets[0])
        texts.append(
            pc.binary_join(pa.ListArray.from_arrays(offsets, words.take(part.flatten())), "")
        )
    return pa.chunked_array(texts, pa.string())

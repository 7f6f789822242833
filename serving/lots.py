"""Answers cut into lots of whole accounts: the same lots, however the blocks came."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.accounts import Ids
from relimit.serving.blocks import Answers

LOT_ROWS: Final = 50_000
"""Rows of a lot: some tens of megabytes with their texts, and what a killed run has to do again."""

MONEY: Final = ("prepaid", "freed", "restore_now", "restore_later", "withheld")


@dataclass(frozen=True, slots=True)
class Lot:
    """The answers about consecutive accounts.

    Attributes
    ----------
    through
        The last account that it covers.
    answers
        Its rows, each table in one piece, so that equal rows make equal files.
    """

    through: Any
    answers: Answers

    def statuses(self) -> dict[str, int]:
        """Return how many decisions have each status."""
        return dict(Counter(self.answers.decided["status"].to_pylist()))

    def binding(self) -> dict[str, int]:
        """Return of how many decisions each code is the first reason, the rule that binds."""
        first = pc.list_element(self._with_reasons()["reasons"], 0)
        return dict(Counter(first.to_pylist()))

    def _with_reasons(self) -> pa.Table:
        decided = self.answers.decided
        return decided.filter(pc.greater(pc.list_value_length(decided["reasons"]), 0))

    def reasons(self) -> dict[str, int]:
        """Return how many prepayments are quarantined for each reason."""
        return dict(Counter(self.answers.quarantined["reason"].to_pylist()))

    def money(self) -> dict[str, int]:
        """Return what the decisions' amounts add up to, fen."""
        decided = self.answers.decided
        promises = pc.list_flatten(decided["restore_later"]).combine_chunks()
        later = pc.struct_field(promises, "amount")
        columns = {name: decided[name] for name in MONEY if name != "restore_later"}
        columns["restore_later"] = later
        return {name: int(pc.sum(columns[name]).as_py() or 0) for name in MONEY}


class Lots:
    """Puts answers together until a lot is full.

    A lot is full with the account that brings it to `rows` rows, so that what is in which depends
    on the answers alone.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._held: list[Answers] = []
        self._held_rows = 0

    def add(self, answers: Answers) -> Iterator[Lot]:
        """Take in the answers about the next accounts; yield the lots that are full."""
        while answers.rows >= self.rows - self._held_rows:
            decided, quarantined = _ids(answers.decided), _ids(answers.quarantined)
            last = np.sort(np.concatenate([decided, quarantined]))[self.rows - self._held_rows - 1]
            cuts = [int(np.searchsorted(ids, last, side="right")) for ids in (decided, quarantined)]
            self._hold(
                Answers(*(table.slice(0, cut) for table, cut in zip(answers, cuts, strict=True)))
            )
            answers = Answers(*(table.slice(cut) for table, cut in zip(answers, cuts, strict=True)))
            yield from self.rest()
        self._hold(answers)

    def rest(self) -> Iterator[Lot]:
        """Yield what has come together, if anything."""
        held, self._held, self._held_rows = self._held, [], 0
        if held:
            answers = Answers(*map(_in_one_piece, zip(*held, strict=True)))
            held.clear()  # a lot is written from its one piece: the others would double it
            lasts = [table["account_id"][-1].as_py() for table in answers if table.num_rows]
            yield Lot(max(lasts), answers)

    def _hold(self, answers: Answers) -> None:
        if answers.rows:
            self._held.append(answers)
            self._held_rows += answers.rows


def _in_one_piece(parts: tuple[pa.Table, ...]) -> pa.Table:
    return pa.concat_tables(parts).combine_chunks()


def accounts_of(answers: Answers) -> Ids:
    """Return the distinct accounts that answers are about, ascending."""
    return np.unique(np.concatenate([_ids(table) for table in answers]))


def _ids(table: pa.Table) -> Ids:
    ids: Ids = table["account_id"].to_numpy()
    return ids

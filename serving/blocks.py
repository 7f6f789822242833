"""A block of whole accounts in, its decisions and its quarantine out: what every engine runs."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.accounts import Ids
from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.schema import TIME
from relimit.policy import decisions_schema
from relimit.serving.earlier import Again
from relimit.serving.quarantine import quarantine_schema, undecidable
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer
from relimit.serving.unusable import Unusable


class Answers(NamedTuple):
    """What became of some accounts' prepayments, each table by account and then time.

    Attributes
    ----------
    decided
        `decisions_schema`.
    quarantined
        `quarantine_schema`.
    """

    decided: pa.Table
    quarantined: pa.Table

    @property
    def rows(self) -> int:
        """How many prepayments they are about."""
        return int(self.decided.num_rows + self.quarantined.num_rows)


def no_answers(account_id: pa.DataType) -> Answers:
    """Return answers about nobody."""
    return Answers(
        decisions_schema(account_id).empty_table(), quarantine_schema(account_id).empty_table()
    )


def with_quarantined(answers: Answers, more: pa.Table) -> Answers:
    """Return answers with more in their quarantine, by account."""
    if not more.num_rows:
        return answers
    return Answers(answers.decided, _by_account(pa.concat_tables([answers.quarantined, more])))


def decide_events(scorer: Scorer, request: Request, events: pa.Table) -> tuple[Answers, Ids]:
    """Decide what is asked about the accounts of some events; pure, each account by itself.

    Parameters
    ----------
    events
        Of whole accounts, `conform_events` leniently: one that lacks its time or kind keeps its
        account's later prepayments from being decided.

    Returns
    -------
    Answers, Ids
        And the accounts that have events.

    Raises
    ------
    DataError
        A prepayment would be neither decided nor quarantined.
    """
    block, unusable = Unusable.part(events)
    answers = no_answers(events.schema.field("account_id").type)
    if len(block.account_ids):
        answers = decide_block(scorer, request, block, unusable)
    if not unusable.events.num_rows:
        return answers, block.account_ids
    answers = with_quarantined(answers, unusable.asking(request.wanted))
    useless = unusable.accounts_beside(block.account_ids)
    return (
        with_quarantined(answers, request.without_usable_events(useless)),
        np.union1d(block.account_ids, useless),
    )


def decide_block(
    scorer: Scorer, request: Request, block: EventBlock, unusable: Unusable
) -> Answers:
    """Decide what is asked about the accounts of a block beside their events that can't be used.

    Raises
    ------
    DataError
        A prepayment would be neither decided nor quarantined.
    """
    again = request.again(block)
    answers = _new(scorer, block, request.prepayments(block), unusable)
    if again is None:
        return answers
    return _together(answers, _again(scorer, block, again, unusable))


def _new(scorer: Scorer, block: EventBlock, found: Prepayments, unusable: Unusable) -> Answers:
    reasons = unusable.spoil(undecidable(block, found), block.account_ids, found)
    refused = _given(reasons)
    decided = scorer.decide_block(block, found.take(~refused)).to_table()
    return _answers(block, found, decided, reasons)


def _again(scorer: Scorer, block: EventBlock, again: Again, unusable: Unusable) -> Answers:
    found = again.prepayments
    reasons = unusable.spoil(undecidable(block, found), block.account_ids, found)
    sound = ~_given(reasons)
    mine = again.prepayments.take(sound)
    decided = scorer.decide_again(block, mine, again.earlier(sound)).to_table()
    return _answers(block, again.prepayments, decided, reasons)


def _given(reasons: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([reason is not None for reason in reasons], bool)


def _answers(
    block: EventBlock, found: Prepayments, decided: pa.Table, reasons: NDArray[np.object_]
) -> Answers:
    """Put the refused beside the decided, once each of the found is one of them."""
    refused = _given(reasons)
    refusals = found.take(refused)
    quarantined = pa.Table.from_arrays(
        [
            pa.array(refusals.decision_id, pa.string()),
            pa.array(block.account_ids[refusals.account]),
            pa.array(refusals.as_of, TIME),
            pa.array(refusals.prepaid),
            pa.array(reasons[refused], pa.string()),
        ],
        schema=quarantine_schema(decided.schema.field("account_id").type),
    )
    answers = Answers(decided, quarantined)
    if answers.rows != len(found):
        what = f"{len(found)} prepayments were found, but {answers.rows} answered"
        raise DataError(what, mend="Report this: it is a fault of relimit")
    return answers


def _together(new: Answers, again: Answers) -> Answers:
    """Put an account's earlier decisions after tonight's."""
    return Answers(*(_by_account(pa.concat_tables(pair)) for pair in zip(new, again, strict=True)))


def _by_account(table: pa.Table) -> pa.Table:
    return table.take(pa.array(np.argsort(table["account_id"].to_numpy(), kind="stable")))

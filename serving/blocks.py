"""A block of whole accounts in, its decisions and its quarantine out: what every engine runs."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.schema import TIME
from relimit.serving.quarantine import quarantine_schema, undecidable
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer


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


def decide_block(scorer: Scorer, request: Request, block: EventBlock) -> Answers:
    """Decide what is asked about the accounts of a block; pure, each account by itself.

    Raises
    ------
    DataError
        A prepayment would be neither decided nor quarantined.
    """
    found = request.prepayments(block)
    reasons = undecidable(block, found)
    refused = np.array([reason is not None for reason in reasons], bool)
    decided = scorer.decide_block(block, found.take(~refused)).to_table()
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

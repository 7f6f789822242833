"""What the lender knew about some accounts at an instant, as a block of events."""

from typing import TYPE_CHECKING

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.simulator.recorder import DETAILS, NO_DETAIL, NO_LOAN
from relimit.data.simulator.streams import Ints
from relimit.data.simulator.tables import AMOUNT_KINDS, VALUE_KINDS, loan_ids

if TYPE_CHECKING:
    from relimit.data.simulator.block import Block


def known_history(block: "Block", row: Ints, now: Ints) -> EventBlock:
    """Return the events of the accounts `row` (ascending) that were known at `now` (of each)."""
    columns = block.recorder.columns()
    place = np.full(len(block.people.key), -1)
    place[row] = np.arange(len(row))
    account = place[columns["row"]]
    known = columns["known_at"]
    chosen = np.flatnonzero((account >= 0) & (known <= now[np.maximum(account, 0)]))
    order = np.lexsort((columns["ts"][chosen], known[chosen], account[chosen]))
    chosen = chosen[order]
    picked = {name: column[chosen] for name, column in columns.items()}
    details = (*DETAILS, *block.decisions.columns().get("decision_id", np.empty(0)).tolist())
    names, detail = _sorted_details(details, picked["detail"])
    has_loan = picked["loan"] != NO_LOAN
    return EventBlock(
        account_ids=block.people.account_id[row],
        starts=np.searchsorted(account[chosen], np.arange(len(row) + 1)),
        ts=picked["ts"],
        known_at=picked["known_at"],
        kind=picked["kind"].astype(np.int8),
        amount=picked["amount"],
        has_amount=AMOUNT_KINDS[picked["kind"]],
        value=picked["value"].astype(np.int32),
        has_value=VALUE_KINDS[picked["kind"]],
        loan_id=np.where(
            has_loan, loan_ids(block.people.account_id[row][account[chosen]], picked["loan"]), 0
        ),
        has_loan_id=has_loan,
        detail=detail,
        details=names,
    )


def _sorted_details(
    details: tuple[str, ...], code: Ints
) -> tuple[tuple[str, ...], "np.typing.NDArray[np.int32]"]:
    used, inverse = np.unique(code, return_inverse=True)
    names = [details[c] for c in used.tolist() if c != NO_DETAIL]
    ranked = tuple(sorted(names))
    rank = {name: i for i, name in enumerate(ranked)}
    codes = [rank[details[c]] if c != NO_DETAIL else -1 for c in used.tolist()]
    return ranked, np.array(codes, dtype=np.int32)[inverse]

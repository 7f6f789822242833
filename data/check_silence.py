"""What a check says of kinds of events that fell silent, and of what depends on them."""

from pathlib import Path
from typing import Final

import numpy as np

from relimit.data.findings import WARNING, Finding
from relimit.data.silence import MONTHS_BEFORE, Silence
from relimit.data.vocabulary import (
    CHARGE_OFF,
    CURED,
    DRAW,
    INTEREST,
    INTEREST_PAYMENT,
    KINDS,
    LIMIT,
    OPERATION,
    OUTAGE,
    OVERDUE,
    PAYMENT_RETURNED,
    PREPAYMENT,
    REPAYMENT,
)

_PRINCIPAL: Final = "principal outstanding, and with it what a prepayment frees, is wrong"
_INTEREST: Final = "the gate unsettled_interest"

DEPENDS: Final = {
    LIMIT: "limits that changed are not known",
    DRAW: _PRINCIPAL,
    REPAYMENT: _PRINCIPAL,
    PREPAYMENT: f"there is nothing to decide, and {_PRINCIPAL}",
    CHARGE_OFF: _PRINCIPAL,
    INTEREST: f"{_INTEREST} closes for nobody because of what was charged then",
    INTEREST_PAYMENT: f"{_INTEREST} stays closed for those who settled",
    OVERDUE: "the gate overdue closes for nobody who fell behind, and labels take them for good",
    CURED: "the gate overdue stays closed for those who caught up",
    OPERATION: "the gate identity_lock closes for nobody",
    PAYMENT_RETURNED: "no prepayment has to clear first because of what bounced",
    OUTAGE: "no fault of the lender's systems is seen",
}
"""What goes wrong where events of a kind are lost, by kind; of the others features go without."""


def of_silence(silence: Silence, path: Path) -> Finding:
    """Return the warning that a kind of events, or all of them, fell silent; it counts the days."""
    kind = None if silence.kind is None else KINDS[silence.kind]
    what = "events of any kind" if kind is None else f"{kind} events"
    first, last = (np.datetime64(day, "D") for day in (silence.begins, silence.ends))
    until = "then again" if silence.over else "to the end"
    low, high, total = min(silence.before), max(silence.before), sum(silence.before)
    message = (
        f"{path.name}: no {what} from {first} to {last} ({silence.days:,} days, {until}); the "
        f"{MONTHS_BEFORE} months before had {total:,}, between {low:,} and {high:,} each"
    )
    mend = "See whether the export lost them: what is missing no feature sees"
    if kind in DEPENDS:
        mend += f", and {DEPENDS[kind]}"
    code = "silent_book" if kind is None else "silent_kind"
    return Finding(WARNING, code, "kind", silence.days, str(path), None, message, mend)

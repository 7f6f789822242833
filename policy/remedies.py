"""What the borrower can do: a remedy is offered only if deciding again shows that it works."""

from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.policy.cases import Bools, Cases, Facts, Ints, Standing
from relimit.policy.config import Policy
from relimit.policy.gates import GATES, closed_gates
from relimit.policy.next_due import PAY_NEXT_DUE, days_to_due, may_help, once_met
from relimit.policy.outcome import Ruling, outcome_of, situation_of
from relimit.policy.rescore import Rescore, Rescored
from relimit.policy.timetable import Timetable

STEPS: Final = ("clear_arrears", "settle_interest", "unlock_identity")
"""What opens each of `GATES`."""

WAIT_FOR_CLEARING: Final = "wait_for_clearing"
STEPS_OF_MASK: Final = tuple(
    tuple(compress(STEPS, (bool(mask >> place & 1) for place in range(len(STEPS)))))
    for mask in range(1, 2 ** len(STEPS))
)
ACTIONS: Final = (*("+".join(steps) for steps in STEPS_OF_MASK), WAIT_FOR_CLEARING, PAY_NEXT_DUE)
"""Every action. Where several gates are closed, opening one alone changes nothing: their steps are
one action, joined by a plus."""

NO_ACTION: Final = -1
NO_ROWS: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Remedies:
    """At most one remedy a decision, `[n]` each.

    Attributes
    ----------
    action
        int8 place in `ACTIONS`, -1 where none works.
    amount, has_amount
        Fen to pay; `has_amount` is false where nothing is to be paid or the sum is not known.
    days
        int32 days from doing it until the limit is back; from the decision for what is done later
        than at once, a due date that is met and a payment that clears.
    restores
        Fen that returns because of it: more than without it or, if not more, sooner.
    """

    action: NDArray[np.int8]
    amount: Ints
    has_amount: Bools
    days: NDArray[np.int32]
    restores: Ints


def remedies_of(
    policy: Policy, ruling: Ruling, timetable: Timetable, rescore: Rescore | None = None
) -> Remedies:
    """Return what would bring back more of each limit, or bring it back sooner.

    `timetable` is what each decision promises. `rescore`, if given, says what the
    cases are once the action is done; without it the risk stays, and the gates are taken to open.
    """
    n = len(ruling.cases)
    found = Remedies(
        action=np.full(n, NO_ACTION, np.int8),
        amount=np.zeros(n, np.int64),
        has_amount=np.zeros(n, bool),
        days=np.zeros(n, np.int32),
        restores=np.zeros(n, np.int64),
    )
    if not len(ruling.short):
        return found
    ruling = replace(ruling, cases=_bare(ruling.cases))
    _offer_wait(found, policy, ruling, timetable.restore_later)
    blocked = _blocked(ruling.situation.closed)
    due = may_help(policy, ruling, timetable, found.action == NO_ACTION)
    gates, met = _rescored(rescore, blocked, due)
    if len(blocked[0]):
        _offer_gates(found, policy, ruling, blocked, gates)
    if len(due):
        _offer_due(found, policy, ruling, timetable, due, met)
    return found


def gate_actions(policy: Policy, facts: Standing) -> tuple[Ints, list[str]]:
    """Return the rows with closed gates, and the action that opens those of each.

    `remedies_of` asks what is known of these once it is done, whatever their risk.
    """
    rows, mask = _blocked(closed_gates(policy, facts))
    return rows, _actions(mask)


def _blocked(closed: Bools) -> tuple[Ints, Ints]:
    """Return the rows with closed gates, and which are closed in each as bits."""
    if not np.count_nonzero(closed):
        return NO_ROWS, NO_ROWS
    mask = closed @ (1 << np.arange(len(GATES)))
    rows = mask.nonzero()[0]
    return rows, mask[rows]


def _actions(mask: Ints) -> list[str]:
    return [ACTIONS[one - 1] for one in mask.tolist()]


def _rescored(
    rescore: Rescore | None, blocked: tuple[Ints, Ints], due: Ints
) -> tuple[Rescored | None, Rescored | None]:
    """Return what is known once the gates' steps are done, and once the due dates are met.

    Both are asked for at once: each time costs much, however few the rows are.
    """
    rows, mask = blocked
    if rescore is None or not len(rows) + len(due):
        return None, None
    actions = _actions(mask) + [PAY_NEXT_DUE] * len(due)
    every = rescore(np.concatenate([rows, due]), actions)
    return every.take(slice(len(rows))), every.take(slice(len(rows), None))


def _offer_gates(
    found: Remedies,
    policy: Policy,
    ruling: Ruling,
    blocked: tuple[Ints, Ints],
    rescored: Rescored | None,
) -> None:
    rows, mask = blocked
    part = ruling.some(rows)
    after = (
        replace(part.cases, facts=_cured(part.cases.facts, mask))
        if rescored is None
        else rescored.of(part.cases)
    )
    for one in np.bincount(mask).nonzero()[0].tolist():
        mine = (mask == one).nonzero()[0]
        then = after if len(mine) == len(rows) else after.take(mine)
        _offer_steps(found, policy, part.some(mine), rows[mine], STEPS_OF_MASK[one - 1], then)


def _bare(cases: Cases) -> Cases:
    """Return the cases without what no remedy reads, which is dear to take rows of."""
    ids = np.asarray(cases.decision_id, dtype=object)
    return replace(cases, decision_id=ids, contributions=None, feature_names=())


def _cured(facts: Facts, mask: Ints) -> Facts:
    """Return the facts as they should be once the steps of each mask are done."""
    keeps = {step: (mask >> place & 1) == 0 for place, step in enumerate(STEPS)}
    return replace(
        facts,
        overdue=facts.overdue * keeps["clear_arrears"],
        days_past_due=facts.days_past_due * keeps["clear_arrears"],
        unsettled_interest=facts.unsettled_interest * keeps["settle_interest"],
        identity_changes=facts.identity_changes * keeps["unlock_identity"],
        login_failures=facts.login_failures * keeps["unlock_identity"],
    )


def _offer_steps(  # noqa: PLR0917 - every one is needed, and all differ in type
    found: Remedies,
    policy: Policy,
    ruling: Ruling,
    rows: Ints,
    steps: tuple[str, ...],
    after: Cases,
) -> None:
    now = ruling.situation
    promise = now.promise and replace(
        now.promise,
        amount=np.zeros(len(now), np.int64),
        was_closed=np.ones(len(now), np.bool_),
    )
    situation = replace(
        situation_of(policy, after), elapsed_days=now.elapsed_days, promise=promise
    )  # a gate that closes ends a promise, and opening it brings none back
    then = outcome_of(policy, situation)
    gain = then.amount - ruling.outcome.amount
    works = gain > 0
    amount, known = _to_pay(ruling.cases, steps)
    place = rows[works]
    found.action[place] = ACTIONS.index("+".join(steps))
    found.amount[place] = amount[works]
    found.has_amount[place] = known[works]
    found.days[place] = _working_days(policy, steps) + then.days[works]
    found.restores[place] = gain[works]


def _to_pay(cases: Cases, steps: tuple[str, ...]) -> tuple[Ints, Bools]:
    arrears = cases.facts.overdue * ("clear_arrears" in steps)
    interest = cases.facts.unsettled_interest * ("settle_interest" in steps)
    unknown = ("clear_arrears" in steps) & (arrears == 0)
    known = (arrears + interest > 0) & ~unknown
    return np.where(known, arrears + interest, 0), known


def _working_days(policy: Policy, steps: tuple[str, ...]) -> int:
    service = policy.service
    pays = "clear_arrears" in steps or "settle_interest" in steps
    identity = service.identity_days if "unlock_identity" in steps else 0
    return max(service.payment_days if pays else 0, identity)


def _offer_wait(found: Remedies, policy: Policy, ruling: Ruling, later: Ints) -> None:
    """Offer to wait only where the payment's clearing is what sets the date."""
    waiting = ((ruling.situation.clearing_days > 0) & (later > 0)).nonzero()[0]
    if not len(waiting):
        return
    part = ruling.take(waiting)
    cleared = replace(part.situation, clearing_days=np.zeros(len(waiting), np.int64))
    rows = waiting[outcome_of(policy, cleared).better_than(part.outcome)]
    found.action[rows] = ACTIONS.index(WAIT_FOR_CLEARING)
    found.days[rows] = ruling.outcome.days[rows]
    found.restores[rows] = later[rows]


def _offer_due(  # noqa: PLR0917 - every one is needed, and all differ in type
    found: Remedies,
    policy: Policy,
    ruling: Ruling,
    timetable: Timetable,
    rows: Ints,
    rescored: Rescored | None,
) -> None:
    """Offer to pay on the due date where the night after it gives more, or the same sooner."""
    part = ruling.take(rows)
    then = once_met(policy, part, timetable, rows, rescored)
    gain = then.amount - part.outcome.amount
    cases = part.cases
    days = days_to_due(policy, cases.as_of, cases.facts.next_due) + 1 + then.days
    sooner = (gain == 0) & (days < part.outcome.days)
    works = (gain > 0) | sooner
    place = rows[works]
    found.action[place] = ACTIONS.index(PAY_NEXT_DUE)
    found.days[place] = days[works]
    found.restores[place] = np.where(gain > 0, gain, timetable.restore_later[rows])[works]

"""Why the limit is not all back now: at most four reasons, each true by ablation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from relimit.policy.cases import Bools, Cases, Floats, Ints
from relimit.policy.causes import CAUSES, cause_contributions, evidence, loss_without
from relimit.policy.config import Policy
from relimit.policy.gates import GATES
from relimit.policy.outcome import (
    Outcome,
    Ruling,
    Situation,
    bound_by_risk,
    dated_by_fault,
    outcome_of,
)

SYSTEM_FAULT: Final = "system_fault"
PAYMENT_CLEARING: Final = "payment_clearing"
REGULATORY_CAP: Final = "regulatory_cap"
ASSESSMENT: Final = "assessment"
"""The model's whole assessment, where no single cause explains it."""

RULES: Final = (SYSTEM_FAULT, *GATES, PAYMENT_CLEARING, REGULATORY_CAP)
REASONS: Final = (*RULES, *CAUSES, ASSESSMENT)
"""Every reason code, the binding rule first."""

NO_REASON: Final = -1


def reads_contributions(policy: Policy, cases: Cases, *, again: bool = False) -> Bools:
    """Return `[n]`: the cases whose reasons may need the model's contributions, costly to compute.

    Those whose tier holds something back, on a later night if `again`, and whose history shows a
    cause that could be named.
    """
    bound: Bools = bound_by_risk(policy, cases, again=again)
    return bound & evidence(policy, cases).any(axis=1) if np.count_nonzero(bound) else bound


@dataclass(frozen=True, slots=True)
class Pull:
    """How far the model's causes pull: `[n, 4]` contributions to the log-odds, and loss scales.

    `scale` is what is left of the expected loss without the cause; 1 where the cause does not
    raise the risk or the history does not show it.
    """

    contribution: Floats
    scale: Floats


def reasons_of(policy: Policy, ruling: Ruling) -> NDArray[np.int8]:
    """Return `[n, at_most]` places in `REASONS`, -1 where there are fewer.

    A reason is given if, without its cause, the decision would restore more, or the same sooner.
    Where several rules hold the limit back together, or what is withheld of it, or its date, so
    that undoing one alone changes nothing, each that would do so by itself is given. `assessment`
    stands for the model where no single cause does. A system fault that sets the date is the only
    reason for it, and never risk; what is withheld beside it has its own. One that does not set it
    is a reason only if there is no other, as where it keeps a promise from being bettered.
    """
    listed = np.full((len(ruling.cases), policy.reasons.at_most), NO_REASON, np.int8)
    short = ruling.short
    if len(short):
        situation, now = _some(ruling.situation, short), _some(ruling.outcome, short)
        pull = _pull(policy, ruling.cases, short)
        true = _true_reasons(policy, situation, now, pull)
        listed[short] = _first(true, pull.contribution, policy.reasons.at_most)
    return listed


def _pull(policy: Policy, cases: Cases, rows: Ints) -> Pull:
    contribution = np.maximum(cause_contributions(policy, cases, rows), 0.0)
    scale = np.ones(contribution.shape)
    row, cause = contribution.nonzero()
    if len(row):
        scale[row, cause] = loss_without(cases.risk[rows[row]], contribution[row, cause])
    return Pull(contribution, scale)


def _true_reasons(policy: Policy, situation: Situation, now: Outcome, pull: Pull) -> Bools:
    """Return `[n, reasons]`: the reasons that ablation bears out."""
    true, more, sooner = _true_alone(policy, situation, now, pull)
    silent = np.asarray(~true.any(axis=1))
    kept = (now.amount < situation.freed) & ~more.any(axis=1)
    waits = (now.days > 0) & ~sooner.any(axis=1)
    joint = np.flatnonzero(silent | kept | waits)
    if len(joint):
        column = (joint, np.newaxis)
        better, withholds, delays = _jointly_true(policy, situation.take(joint), pull)
        more[joint] |= withholds & kept[column]
        true[joint] |= more[joint] | (delays & waits[column]) | (better & silent[column])
    if np.count_nonzero(situation.fault_days):
        # One that ties with clearing changes nothing alone, and is the reason all the same.
        dated = dated_by_fault(policy, situation, now)
        fault = REASONS.index(SYSTEM_FAULT)
        others = slice(fault + 1, None)
        true[:, fault] = dated | (true[:, fault] & ~true[:, others].any(axis=1))
        true[dated, others] &= more[dated, others]
    causes = [REASONS.index(cause) for cause in CAUSES]
    true[:, REASONS.index(ASSESSMENT)] &= ~true[:, causes].any(axis=1)
    return true


def _true_alone(
    policy: Policy, situation: Situation, now: Outcome, pull: Pull
) -> tuple[Bools, Bools, Bools]:
    """Return `[n, reasons]` thrice: those without which more would return, or the same sooner.

    And of these, those without which more would, and those without which it would be sooner.
    """
    true, more, sooner = np.zeros((3, len(situation), len(REASONS)), bool)
    there = _there(situation, pull)
    asked = {place: there[:, place].nonzero()[0] for place in np.flatnonzero(there.any(axis=0))}
    undone = [_some(without(situation, REASONS[p], pull), rows) for p, rows in asked.items()]
    for (place, rows), then in zip(asked.items(), _outcomes_of(policy, undone), strict=True):
        before = _some(now, rows)
        true[rows, place] = then.better_than(before)
        more[rows, place], sooner[rows, place] = _parts(then, before)
    return true, more, sooner


def _parts(free: Outcome, bound: Outcome) -> tuple[Bools, Bools]:
    """Return `[n]` twice: whether an outcome restores more than another, and whether sooner."""
    return free.amount > bound.amount, (free.amount > 0) & (free.days < bound.days)


def _jointly_true(policy: Policy, situation: Situation, pull: Pull) -> tuple[Bools, Bools, Bools]:
    """Return `[n, reasons]` thrice: the rules that hold the limit back with all others undone.

    Those that do in any way, those that withhold a part, and those that delay it.
    """
    rules = (*RULES, ASSESSMENT)
    undone = [tuple(other for other in rules if other != code) for code in rules]
    asked = [_without_all(situation, codes, pull) for codes in (rules, *undone)]
    free, *alone = _outcomes_of(policy, asked)
    true, more, sooner = np.zeros((3, len(situation), len(REASONS)), bool)
    for code, its in zip(rules, alone, strict=True):
        place = REASONS.index(code)
        true[:, place] = free.better_than(its)
        more[:, place], sooner[:, place] = _parts(free, its)
    return true, more, sooner


def _outcomes_of(policy: Policy, situations: Sequence[Situation]) -> list[Outcome]:
    """Return the outcome of each situation: asked at once, few rows cost less."""
    if not situations:
        return []
    every = outcome_of(policy, Situation.joined(situations))
    bounds = pairwise(accumulate(map(len, situations), initial=0))
    return [every.take(slice(begin, end)) for begin, end in bounds]


Part = TypeVar("Part", Situation, Outcome)


def _some(part: Part, rows: Ints) -> Part:
    """Return rows that ascend: the part itself if they are all."""
    return part if len(rows) == len(part) else part.take(rows)


def _without_all(situation: Situation, codes: tuple[str, ...], pull: Pull) -> Situation:
    for code in codes:
        situation = without(situation, code, pull)
    return situation


def _there(situation: Situation, pull: Pull) -> Bools:
    """Return `[n, reasons]`: where undoing a reason's cause changes the situation."""
    column = (slice(None), np.newaxis)
    there = [  # in the order of REASONS
        situation.fault_days[column] > 0,
        situation.closed,
        situation.clearing_days[column] > 0,
        (situation.room < situation.freed)[column],
        pull.scale != 1.0,
        situation.loss_ratio[column] > 0,
    ]
    return np.concatenate(there, axis=1)


def without(situation: Situation, code: str, pull: Pull) -> Situation:
    """Return the situation with the cause of one reason undone."""
    nothing = np.zeros(len(situation), np.int64)
    if code == SYSTEM_FAULT:
        return replace(situation, fault_days=nothing)
    if code == PAYMENT_CLEARING:
        return replace(situation, clearing_days=nothing)
    if code == REGULATORY_CAP:
        return replace(situation, room=np.maximum(situation.room, situation.freed))
    if code in GATES:
        return replace(situation, closed=situation.closed & (np.array(GATES) != code))
    if code == ASSESSMENT:
        return replace(situation, loss_ratio=np.zeros(len(situation)))
    return replace(situation, loss_ratio=situation.loss_ratio * pull.scale[:, CAUSES.index(code)])


def _first(true: Bools, contribution: Floats, at_most: int) -> NDArray[np.int8]:
    """Rules in their order, then causes by their contribution, then the assessment."""
    rank = np.empty(true.shape)
    rank[:] = np.arange(len(REASONS))
    first = len(RULES)
    rank[:, first : first + len(CAUSES)] = first + 1.0 / (1.0 + contribution)
    rank[~true] = np.inf
    order = rank.argsort(axis=1, kind="stable")[:, :at_most]
    kept = true[np.arange(len(true))[:, np.newaxis], order]
    return np.where(kept, order, NO_REASON).astype(np.int8)

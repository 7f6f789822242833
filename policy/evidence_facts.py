"""The facts that show a cause: what the account's own history says of each, in the window."""

from typing import Any

import numpy as np

from relimit.data.vocabulary import DRAW, EXTERNAL_SCORE, MICROSECONDS_PER_DAY, OVERDUE
from relimit.features.funding import FROM_LENDER
from relimit.features.history import Floats, History, Window
from relimit.features.sequences import cycles
from relimit.policy.cases import Dates
from relimit.policy.config import Policy
from relimit.policy.timetable import local_dates


def evidence_facts(history: History, policy: Policy) -> dict[str, Any]:
    """Return by name those of `Facts` that only the evidence of causes reads."""
    evidence = Window(policy.evidence.window_days)
    return {
        "cycles": history.count(cycles(history), evidence),
        "cycles_until": _cycles_until(policy, history),
        "days_since_draw": history.since(DRAW),
        "lender_inflow": history.sum(FROM_LENDER, evidence),
        "score_drop": _score_drop(history, evidence),
        "overdues": history.count(OVERDUE, evidence),
    }


def no_evidence(size: int) -> dict[str, Any]:
    """Return by name what `evidence_facts` has of histories that show no cause."""
    nothing, unknown = np.zeros(size, np.int64), np.full(size, np.nan)
    return {
        "cycles": nothing,
        "cycles_until": np.full(size, np.datetime64("NaT", "D")),
        "days_since_draw": unknown,
        "lender_inflow": nothing,
        "score_drop": unknown,
        "overdues": nothing,
    }


def _cycles_until(policy: Policy, history: History) -> Dates:
    """Return the last day on which the cycles in the evidence window are as many as count."""
    window = Window(policy.evidence.window_days)
    series = cycles(history)
    enough = (history.count(series, window) >= policy.evidence.cycles).nonzero()[0]
    until = np.full(history.size, np.datetime64("NaT", "D"))
    if len(enough):
        place, _ = history.last(series, policy.evidence.cycles - 1)
        known = history.block.known_at[series.rows[place[enough]]]
        until[enough] = local_dates(policy, known + window.days * MICROSECONDS_PER_DAY)
    return until


def _score_drop(history: History, window: Window) -> Floats:
    """Return the points between the highest score in the window and the last; NaN without one."""
    scores = history.values(EXTERNAL_SCORE)
    return history.largest(scores, window) - history.last_amount(scores)

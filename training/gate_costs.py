"""What each hard gate costs: the same tiers with that gate never closed."""

from dataclasses import dataclass, replace

import numpy as np

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy import Policy
from relimit.policy.gates import GATES
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import tier_arm, worth_over_nights


@dataclass(frozen=True, slots=True)
class GateCost:
    """One gate.

    Attributes
    ----------
    gate
        Its name.
    part
        Part of the decisions that it holds when they are taken.
    loss_rate, loss_rate_elsewhere
        Expected loss over freed limit of restoring everything: of the rows that it holds, and of
        those that no gate does. A gate on risk holds the riskier.
    restored_yuan, loss_yuan, net_yuan
        What more would come of the same tiers if it were never closed.
    """

    gate: str
    part: float
    loss_rate: float
    loss_rate_elsewhere: float
    restored_yuan: float
    loss_yuan: float
    net_yuan: float


def gate_costs(policy: Policy, book: LoggedBook) -> list[GateCost]:
    """Return what each gate that holds something costs under a policy's tiers."""
    now = _come_to(policy, book)
    held = book.situation.closed
    lost = book.situation.loss_ratio * book.freed
    free = ~held.any(axis=1)
    elsewhere = lost[free].sum() / max(float(book.freed[free].sum()), 1.0)
    found = []
    for place, name in enumerate(GATES):
        if not held[:, place].any():
            continue
        its = held[:, place]
        then = _come_to(policy, _without(book, place))
        sums = [(after - before) / FEN_PER_YUAN for after, before in zip(then, now, strict=True)]
        rate = float(lost[its].sum() / book.freed[its].sum())
        found.append(GateCost(name, float(its.mean()), rate, float(elsewhere), *sums))
    return found


def _come_to(policy: Policy, book: LoggedBook) -> tuple[float, float, float]:
    """Return what a policy restores, loses and is worth net, fen."""
    worth, own = worth_over_nights(policy, book), (np.arange(len(book)), tier_arm(policy, book))
    parts = (worth.restored, worth.loss, worth.net(policy))
    restored, loss, net = (float(part[own].sum()) for part in parts)
    return restored, loss, net


def _without(book: LoggedBook, gate: int) -> LoggedBook:
    """Return the book with one gate open at every look."""
    keep = np.arange(len(GATES)) != gate
    situation = replace(book.situation, closed=book.situation.closed & keep)
    signals = replace(book.signals, closed=book.signals.closed & keep)
    return replace(book, situation=situation, signals=signals)

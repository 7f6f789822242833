"""What each group of borrowers is kept from: getting less back than before, or losing more."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS
from relimit.policy import Guardrails, Policy
from relimit.training.ground import Ground
from relimit.training.logged_book import LoggedBook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_GROUP: Final = 0.01
"""Groups with a smaller part of the freed limit are reported but not guarded: chance rules them."""
FULL: Final = ARMS.index((1.0, 0))


def guardrails_of(policy: Policy, book: LoggedBook, ground: Ground, budget: float) -> Guardrails:
    """Return the limits of a book's groups, `member` for each of its rows.

    `ground` is that of the book under the policy's rules.

    A group gets back `value.group_share` of what it got before, as far as the gates leave it. Its
    loss rate is at most `value.group_loss`; and it is above the budget only as far as the log's
    arms lost more of it, at most `value.group_rise` times that. Both sides are told by the same
    models, which have not seen the borrowers: what they get wrong of a group cancels, where its own
    few losses in the log would say little.
    """
    weighed = policy.stated_value
    freed = _by_group(book, book.freed)
    guarded = np.flatnonzero(freed >= LEAST_GROUP * freed.sum())
    left = np.bincount(ground.nights.looks.row, ground.sample.worth.restored[:, FULL])
    had, most = _by_group(book, book.share * book.freed), _by_group(book, left)
    floors = weighed.group_share * np.minimum(had, most)[guarded] / freed[guarded]
    before = weighed.group_rise * loss_as_logged(book)[guarded] / freed[guarded]
    return Guardrails(
        names=tuple(book.groups[of] for of in guarded),
        member=book.shown[:, guarded],
        least_share=floors,
        most_loss=np.minimum(weighed.group_loss, np.maximum(budget, before)),
    )


def loss_as_logged(book: LoggedBook) -> Floats:
    """Return what the log's arms are expected to lose of each of a book's groups, fen."""
    return _by_group(book, book.outcomes.loss[np.arange(len(book)), book.arm])


def loss_rates(guard: Guardrails, freed: Ints, loss: Floats) -> Floats:
    """Return the loss rates of guarded groups by `[n]` fen freed and lost."""
    return np.asarray((loss @ guard.member) / (freed @ guard.member))


def mean_share(share: Floats, freed: Ints, rows: Bools) -> float:
    """Return the share restored of what some rows freed."""
    return float(np.average(share[rows], weights=freed[rows]))


def _by_group(book: LoggedBook, of: NDArray[Any]) -> Floats:
    return np.asarray(of.astype(np.float64) @ book.shown)

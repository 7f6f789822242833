"""How well the figures of an optimised policy are known: 95% limits, with accounts drawn anew."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy import Policy, Worth
from relimit.policy.resample import resampled_sums
from relimit.policy.worth import THOUSAND_YUAN
from relimit.training.logged_book import Came, LoggedBook

Floats = NDArray[np.float64]
Ranges = dict[str, tuple[float, float]]

LEVEL: Final = 0.95


def ranges_of(
    policy: Policy, book: LoggedBook, worth: Worth, arm: NDArray[np.int64], *, seed: int = 0
) -> Ranges:
    """Return the limits of the `Figures` that `[n]` arms come to, by their names.

    Each draw has other borrowers, and with them another level of losses and margins: what came of
    the whole log's decisions over, or less, what was expected of them. How losses differ between
    borrowers and arms is held as estimated. Limits of losses are NaN if nothing was ever lost.
    """
    rows, came = np.arange(len(book)), book.came
    parts = (worth.loss, worth.margin, worth.restored, worth.waited)
    own = np.column_stack([book.freed, *(part[rows, arm] for part in parts)])
    both = np.zeros((len(own) + len(came.account), 9))
    both[: len(own), :5], both[len(own) :, 5:] = own, _of_level(came)
    account = np.concatenate([book.account, came.account])
    freed, loss, margin, restored, waited, *level = resampled_sums(both, account, seed=seed).T
    share, total = restored / freed, float(book.freed.sum())
    late = waited / freed - (1.0 - share) * policy.service.review_days
    loss_rate = loss / freed * _losses_by(level, came)
    earned = margin / freed + _margins_by(level, came)
    price = policy.stated_value.waiting / THOUSAND_YUAN
    yuan = total / FEN_PER_YUAN
    drawn = {
        "loss_rate": loss_rate,
        "share": share,
        "loss_yuan": loss_rate * yuan,
        "margin_yuan": earned * yuan,
        "restored_yuan": share * yuan,
        "mean_days": np.divide(late, share, out=np.full_like(late, np.nan), where=share > 0),
        "net_yuan": (earned - loss_rate - price * waited / freed) * yuan,
    }
    return {name: _limits(values) for name, values in drawn.items()}


def _of_level(came: Came) -> Floats:
    surplus = came.margin - came.margin_expected
    return np.column_stack([came.loss, came.loss_expected, surplus, came.freed])


def _losses_by(level: list[Floats], came: Came) -> Floats:
    """Return `[draws]` by what the level of losses differs from the log's own."""
    lost, expected = level[:2]
    seen = float(came.loss.sum() / came.loss_expected.sum()) if came.loss.any() else float("nan")
    return lost / expected / seen


def _margins_by(level: list[Floats], came: Came) -> Floats:
    """Return `[draws]` what margins over freed limit differ by from the log's own."""
    surplus, freed = level[2:]
    return surplus / freed - float((came.margin - came.margin_expected).sum() / came.freed.sum())


def _limits(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
    return float(low), float(high)

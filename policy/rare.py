"""Limits where few events tell: exact where none was seen, normal where there were many.

A mean that hangs on a handful of bad borrowers varies less in resamples than it might have come
out, and one without any has no spread at all. What happened is therefore taken for a weighted sum
of Poisson counts, an account each, with gamma limits (Fay & Feuer 1997): those of Garwood (1936),
which are to Poisson counts what Clopper & Pearson's are to shares, if all weights are equal. The
noise of all else is added to them as an independent part (Zou & Donner 2008).
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from relimit.policy.cases import Bools, Floats

TAIL: Final = 0.025
"""What each limit leaves out."""


class Reach(NamedTuple):
    """How far a mean may lie from what the events that were seen give, and their own variance."""

    below: float
    above: float
    variance: float

    def halves(self, variance: float, quantile: float) -> tuple[float, float]:
        """Return how far the limits lie below and above a value; no nearer than the normal ones.

        Where events are no rarity, they vary less than Poisson counts: by what the sample shows.

        Parameters
        ----------
        variance
            Of the value, that of the events included.
        quantile
            What its square root is multiplied by.
        """
        normal = quantile * variance**0.5
        rest = quantile * max(variance - self.variance, 0.0) ** 0.5
        scale = min(variance / self.variance, 1.0) ** 0.5 if self.variance else 1.0
        below, above = (
            max(normal, float(np.hypot(rest, scale * reach))) for reach in (self.below, self.above)
        )
        return below, above


NO_REACH: Final = Reach(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RareEvents:
    """The events that an outcome hangs on, `[n]` rows.

    Attributes
    ----------
    happened
        Which rows had one.
    size
        What it added to the row's outcome, or would have; of one sign.
    chance
        How likely a model that has not seen the row thinks it.
    """

    happened: Bools
    size: Floats
    chance: Floats

    def reach(self, weight: Floats, account: NDArray[Any]) -> Reach:
        """Return the reach of the sum of weight x size over the rows with an event.

        An account's rows are one event. The one that might have come besides is of an account as
        the model expects it, and of as large a part of that account's rows as those that were seen
        are of theirs; of all its rows if none was.

        Parameters
        ----------
        weight
            `[n]`, at least 0.
        account
            `[n]` ids.

        Examples
        --------
        >>> none = RareEvents(np.zeros(100, bool), np.ones(100), np.full(100, 0.01))
        >>> round(none.reach(np.full(100, 0.01), np.arange(100)).above, 4)
        0.0369
        """
        _, place = np.unique(account, return_inverse=True)
        sizes = weight * np.abs(self.size)
        seen = np.bincount(place, weights=np.where(self.happened, sizes, 0.0))
        whole = np.bincount(place, weights=sizes)
        likely = np.bincount(place, weights=sizes * self.chance)
        expected = float(likely.sum())
        total, squares = float(seen.sum()), float(np.square(seen).sum())
        part = total / float(whole[seen > 0.0].sum()) if total else 1.0
        one_more = part * float(likely @ whole) / expected if expected else 0.0
        below = total - gamma_quantile(TAIL, total, squares)
        above = gamma_quantile(1.0 - TAIL, total + one_more, squares + one_more**2) - total
        if self.size.sum() < 0.0:
            below, above = above, below
        return Reach(below, above, squares)


def gamma_quantile(part: float, mean: float, variance: float) -> float:
    """Return a quantile of the gamma law with a mean and a variance; 0 if the mean is.

    Examples
    --------
    >>> round(gamma_quantile(0.975, 4.0, 4.0), 2)
    8.77
    """
    if not mean:
        return 0.0
    return float(chi2.ppf(part, 2.0 * mean**2 / variance)) * variance / (2.0 * mean)

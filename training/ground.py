"""What tiers are chosen on in a book: found once, as neither tiers nor losses change it."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from relimit.policy import Guardrails, Policy, Sample
from relimit.policy.optimise import sample_bounds
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import Carried, loss_of, worth_of_looks
from relimit.training.nights import Nights


@dataclass(frozen=True, slots=True)
class Ground:
    """The looks at a book's decisions under a policy's rules, whatever its tiers.

    Attributes
    ----------
    nights
        See `Nights`.
    every
        What comes of every arm of each look, `[looks, 25]`.
    sample
        Each look with what it is worth until the next by the book's own losses; no group guarded.
    bounds
        `[bins]` candidate bounds of tiers, those of the policy among them.
    """

    nights: Nights
    every: Carried
    sample: Sample
    bounds: NDArray[np.float64]

    @classmethod
    def of(cls, policy: Policy, book: LoggedBook) -> Self:
        """Go through a book's nights."""
        nights = Nights.of(policy, book)
        every, row = Carried.every(nights), nights.looks.row
        freed = np.where(np.arange(len(row)) < len(book), book.freed[row], 0)
        sample = Sample(nights.looks.ratio, freed, worth_of_looks(policy, book, every))
        return cls(nights, every, sample, sample_bounds(policy, sample))

    def priced(self, book: LoggedBook, guard: Guardrails | None) -> Sample:
        """Return the sample with the losses of the same book where they are others.

        The members of `guard` are the book's rows.
        """
        guard = guard and replace(guard, member=guard.member[self.nights.looks.row])
        worth = replace(self.sample.worth, loss=loss_of(book, self.every))
        return replace(self.sample, worth=worth, guardrails=guard)

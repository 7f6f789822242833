"""A book's outcomes if a policy took all of the log's decisions, not one of them alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from relimit.policy import Policy
from relimit.policy.arms import tier_of
from relimit.training.line_outcomes import LineOutcomes
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import share_back
from relimit.training.nights import Nights

Floats = NDArray[np.float64]


def withheld_by(
    policy: Policy, book: LoggedBook, lines: LineOutcomes, nights: Nights | None = None
) -> Floats:
    """Return `[m]` the share that a policy withholds of every decision of the log.

    Of the book's rows as later nights carry it out; of the rest, of whose gates nothing is known,
    what the tier withholds.
    """
    shares = np.array([tier.share for tier in policy.tiers])
    withheld = 1.0 - shares[tier_of(policy, lines.lines.log.ratio)]
    withheld[book.place] = 1.0 - share_back(policy, book, nights)
    return withheld


def lived(policy: Policy, book: LoggedBook, nights: Nights | None = None) -> LoggedBook:
    """Return the book with every row's outcomes where the policy takes all other decisions.

    `nights` are those of the book under the policy's rules; found if None.
    """
    if book.lines is None:
        return book
    return with_withheld(book, book.lines, withheld_by(policy, book, book.lines, nights))


def with_withheld(book: LoggedBook, lines: LineOutcomes, withheld: Floats) -> LoggedBook:
    """Return the book with every row's outcomes where all decisions withhold `withheld` `[m]`."""
    return _with_others(book, lines, lines.lines.others(withheld))


def with_spill(book: LoggedBook, lines: LineOutcomes, withheld: Floats) -> LoggedBook:
    """Return the book with what each arm loses, also on the account's other decisions, as its loss.

    To first order about decisions that withhold `withheld` `[m]`: the losses of arms near these add
    up to what their being lived would lose.
    """
    others = lines.lines.others(withheld)
    found = _with_others(book, lines, others)
    loss = found.outcomes.loss + lines.spilled(others, withheld, book.place)
    return replace(found, outcomes=replace(found.outcomes, loss=loss))


def _with_others(book: LoggedBook, lines: LineOutcomes, others: Floats) -> LoggedBook:
    """Return the book with every row's outcomes where the account's others withhold `[m]` parts."""
    bad, loss = lines.by_arm(others, book.place)
    return replace(book, outcomes=replace(book.outcomes, bad=bad, loss=loss))

"""What would be known of an account if a remedy were done."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from relimit.policy.cases import Cases, Facts, Floats, Ints, check_cases


class Rescored(NamedTuple):
    """What is known of some cases once something is done, `[n]` each."""

    risk: Floats
    expected_loss: Floats
    facts: Facts

    def take(self, rows: slice) -> "Rescored":
        """Return some rows."""
        return Rescored(self.risk[rows], self.expected_loss[rows], self.facts.take(rows))

    def of(self, cases: Cases) -> Cases:
        """Return the cases with what is known then; the prepayment's age stays that of the cases.

        The account's last prepayment may be another.

        Raises
        ------
        DataError
            As in `check_cases`.
        """
        facts = replace(self.facts, prepayment_age_days=cases.facts.prepayment_age_days)
        after = replace(cases, risk=self.risk, expected_loss=self.expected_loss, facts=facts)
        check_cases(after)
        return after


Rescore = Callable[[Ints, Sequence[str]], Rescored]
"""Scores cases, and gathers their facts, as if something were done: (rows, an action each).

All is done at the decision, but a due date is met on that date and looked at on the day after.
"""

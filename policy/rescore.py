"""What would be known of an account if a remedy were done."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from relimit.policy.cases import Facts, Floats, Ints


class Rescored(NamedTuple):
    """What is known of some cases once something is done, `[n]` each."""

    risk: Floats
    expected_loss: Floats
    facts: Facts


Rescore = Callable[[Ints, Sequence[str]], Rescored]
"""Scores cases, and gathers their facts, as if something were done: (rows, an action each).

All is done at the decision, but a due date is met on that date and looked at on the day after.
"""

"""A block of accounts as arrays: who they are, where they stand, what they owe."""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from relimit.data.simulator.streams import Bools, Floats, Ints, Keys

NEVER = -1
"""A day that has not come: inside the simulator only, never written."""


@dataclass(slots=True)
class People:
    """Who the borrowers are: fixed for life, `[accounts]` each, hidden but for what events show."""

    account_id: Ints
    key: Keys
    kind: Ints
    quality: Floats
    income: Ints
    rate_ppm: Ints
    payday: Ints
    bill_day: Ints
    bank: Bools
    income_visible: Bools
    loss_given_default: Floats
    draw: Floats
    draw_excitation: Floats
    draw_decay: Floats
    prepay: Floats
    prepay_excitation: Floats
    prepay_decay: Floats
    need: Floats
    hidden: Floats
    open_day: Ints
    open_limit: Ints


@dataclass(slots=True)
class Standing:
    """Where the accounts stand tonight, `[accounts]` each; money in fen, days from the start.

    `held` is the limit that prepayments freed and the lender has not given back.
    """

    open: Bools
    limit: Ints
    outstanding: Ints
    held: Ints
    residual: Ints
    stress: Floats
    last_stress: Floats
    debt: Floats
    last_debt: Floats
    score: Ints
    draw_heat: Floats
    prepay_heat: Floats
    cycle_heat: Floats
    overdue_since: Ints
    last_overdue: Ints
    next_prepay: Ints
    plan_day: Ints
    decide_day: Ints
    decide_time: Ints
    decide_prepaid: Ints
    last_draw: Ints
    held_since: Ints
    bust_day: Ints
    left: Bools
    loans: Ints
    forced_day: Ints
    forced_arm: Ints


@dataclass(slots=True)
class Loans:
    """Open loans, `[accounts, slots]` each; a slot with no instalments left is free.

    `accrued` and `penalty` are in fen x ppm, complete up to the day `accrued_to`; `charged` and
    `charged_penalty` are what was charged of them and not settled; `past_due` is the principal of
    missed instalments.
    """

    principal: Ints
    accrued: Ints
    penalty: Ints
    accrued_to: Ints
    charged: Ints
    charged_penalty: Ints
    past_due: Ints
    next_due: Ints
    instalments: Ints
    bullet: Bools
    number: Ints


@dataclass(slots=True)
class Tally:
    """What became of the accounts, for the truth of branches: `[accounts]` each, fen."""

    interest_paid: Ints
    balance_days: Ints
    charged_off: Ints
    bad_day: Ints
    bad_balance: Ints


Part = TypeVar("Part", People, Standing, Loans, Tally)


def take(part: Part, rows: Ints) -> Part:
    """Return the same table for some rows; a row asked for twice is copied."""
    return type(part)(**{field.name: getattr(part, field.name)[rows] for field in fields(part)})


def join(first: Part, second: Part) -> Part:
    """Return one table with the rows of both."""
    pairs = {f.name: (getattr(first, f.name), getattr(second, f.name)) for f in fields(first)}
    return type(first)(**{name: np.concatenate(pair) for name, pair in pairs.items()})

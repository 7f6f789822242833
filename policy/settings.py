"""The sections of the policy file, one frozen class each; money in fen, times in days."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import DELAYS_DAYS, SHARES
from relimit.policy.phrases import YUAN_SIGN
from relimit.policy.reading import number, one_of, whole, word, words, yuan

TIER_SIGNALS = ("none", "score_refresh", "next_due")
"""What can end the wait of a tier early."""

YEARS = 3650
PACKAGE = "relimit.policy"


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """When an outage counts as a system fault."""

    window_days: int = whole(1, 30)
    outage_minutes: int = whole(1, 100_000)


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When the hard gates close; money in fen."""

    overdue: int = yuan()
    days_past_due: int = whole(1, YEARS)
    unsettled_interest: int = yuan()
    interest_grace_days: int = whole(0, 90)
    identity_window_days: int = whole(7, 90)
    identity_changes: int = whole(1, 100)
    login_failures: int = whole(0, 1000)


@dataclass(frozen=True, slots=True)
class FinalitySettings:
    """When a prepayment has to clear before its limit returns."""

    returned_window_days: int = whole(1, YEARS)
    returned_payments: int = whole(1, 100)
    clearing_days: int = whole(0, 30)


@dataclass(frozen=True, slots=True)
class CapSettings:
    """The regulatory cap in fen."""

    limit: int = yuan(1)


@dataclass(frozen=True, slots=True)
class RoundingSettings:
    """The unit in fen to which partial amounts are rounded down."""

    unit: int = yuan(1)


@dataclass(frozen=True, slots=True)
class Tier:
    """An arm and the largest expected loss over freed limit that still gets it."""

    up_to: float = number(0.0, 1.0)
    share: float = one_of(*SHARES)
    delay_days: int = one_of(*DELAYS_DAYS)
    signal: str = one_of(*TIER_SIGNALS)


class TierColumns(NamedTuple):
    """The tiers as columns, `[tiers]` each; `quarters` are four times the share.

    `holds_back` says which don't return all at once.
    """

    up_to: NDArray[np.float64]
    quarters: NDArray[np.int64]
    delay_days: NDArray[np.int64]
    holds_back: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ValueSettings:
    """What a policy is optimised for; no decision reads it.

    `waiting` is in fen per 1,000 yuan withheld or delayed for a day; `loss_budget` and
    `group_loss` are expected loss over freed limit; `group_share` is a part of what a group of
    borrowers got before, and `group_rise` how many times what was lost of it may be lost now if
    that is above the budget.
    """

    waiting: int = yuan()
    loss_budget: float = number(0.0, 1.0)
    group_share: float = number(0.0, 1.0)
    group_loss: float = number(0.0, 1.0)
    group_rise: float = number(0.0, 100.0, absent=100.0)  # as files say that don't limit it


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The service levels in days, and by how much a later assessment must be better to count."""

    fault_days: int = whole(1, 30)
    slack_days: int = whole(0, 30)
    review_days: int = whole(1, 365)
    payment_days: int = whole(0, 30)
    identity_days: int = whole(0, 30)
    better_by: float = number(0.0, 10.0, absent=0.0)  # as files say that were written before it


@dataclass(frozen=True, slots=True)
class ReasonSettings:
    """How many reasons a decision gives."""

    at_most: int = whole(1, 4)


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """What the history must show before a cause is named."""

    window_days: int = whole(1, YEARS)
    cycles: int = whole(1, 1000)
    low_use: float = number(0.0, 1.0)
    idle_days: int = whole(0, YEARS)
    lender_inflow_share: float = number(0.0, 10.0)
    score_drop: int = whole(1, 600)
    overdues: int = whole(1, 1000)
    returned_payments: int = whole(1, 1000)


@dataclass(frozen=True, slots=True)
class CauseSettings:
    """The feature families or name patterns that speak for each cause."""

    payment_return: tuple[str, ...] = words()
    distress: tuple[str, ...] = words()
    cycling: tuple[str, ...] = words()
    low_need: tuple[str, ...] = words()


def is_time_zone(name: str) -> bool:
    """Say whether a time zone of this name is known."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class TimetableSettings:
    """The time zone of the dates that borrowers read."""

    calendar: str = word(is_time_zone, "a time zone such as Asia/Shanghai")


def is_wording(name: str) -> bool:
    """Say whether a table of texts of this name is packaged."""
    return name.isidentifier() and files(PACKAGE).joinpath(f"wording_{name}.toml").is_file()


@cache
def load_wording(table: str) -> Mapping[str, Mapping[str, str]]:
    """Return the templates of a packaged table: by name, such as `reason.overdue`, and language."""
    text = files(PACKAGE).joinpath(f"wording_{table}.toml").read_text("utf-8")
    groups = tomllib.loads(text)
    return {f"{group}.{name}": entry for group in groups for name, entry in groups[group].items()}


MOST_CURRENCY = 6
"""Letters of the longest sign of a currency."""


def is_currency(sign: str) -> bool:
    """Say whether this can stand before an amount: a few letters or signs, no digit, no quote."""
    plain = sign.isprintable() and not any(c.isdigit() or c in '"\\.,-' for c in sign)
    return plain and 0 < len(sign.strip()) <= len(sign) <= MOST_CURRENCY


@dataclass(frozen=True, slots=True)
class WordingSettings:
    """The tables of texts, `wording_<name>.toml` beside this module, and what amounts are in."""

    borrower: str = word(is_wording, "the name of a packaged table of texts, such as borrower")
    analyst: str = word(is_wording, "the name of a packaged table of texts, such as analyst")
    currency: str = word(is_currency, "the sign of a currency, such as ¥ or US$", absent=YUAN_SIGN)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables."""
        return self.borrower, self.analyst

"""The world's settings: `world.toml` read, a scenario laid over it, every key checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import DataError

WORLD = "world.toml"


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """Dates that move borrowing and repaying."""

    start: date
    spring_festivals: tuple[date, ...]
    festival_days_before: int
    festival_borrowing: float
    festival_arrears: float
    festival_arrears_days: int
    sales: tuple[str, ...]
    sales_days_before: int
    sales_borrowing: float
    paydays: tuple[int, ...]
    payday_prepayment: float
    payday_prepayment_days: int
    payday_borrowing: float
    payday_borrowing_days: int


@dataclass(frozen=True, slots=True)
class ProductSettings:
    """The revolving line: limits, terms, rates, write-off."""

    limit_minimum: int
    limit_maximum: int
    terms_months: tuple[int, ...]
    terms_share: tuple[float, ...]
    interest_first_share: float
    purpose_share: tuple[float, ...]
    rate_ppm_minimum: int
    rate_ppm_maximum: int
    rate_spread: float
    penalty_percent: int
    draw_minimum: int
    open_loans: int
    bank_channel_share: float
    residual_share: float
    residual_settled: float
    residual_settled_held: float
    charge_off_days: int
    loss_given_default: tuple[float, ...]
    funding_cost_yearly: float


@dataclass(frozen=True, slots=True)
class PopulationSettings:
    """Who opens an account, and when."""

    opening_share_of_period: float
    opening_power: float
    income_median: float
    income_spread: float
    limit_to_income: tuple[float, ...]
    limit_by_quality: float
    score_mean: float
    quality_points: float
    income_visible_share: float
    stress_spread: float
    opening_draw: float


@dataclass(frozen=True, slots=True)
class TypeSettings:
    """The latent types: `[types]` arrays, one place a type."""

    name: tuple[str, ...]
    share: NDArray[np.float64]
    quality: NDArray[np.float64]
    stress: NDArray[np.float64]
    draw: NDArray[np.float64]
    draw_excitation: NDArray[np.float64]
    draw_decay_days: NDArray[np.float64]
    prepay: NDArray[np.float64]
    prepay_excitation: NDArray[np.float64]
    prepay_decay_days: NDArray[np.float64]
    prepay_full: NDArray[np.float64]
    use: NDArray[np.float64]
    lender_funded: NDArray[np.float64]
    coupon: NDArray[np.float64]
    inquiry: NDArray[np.float64]
    off_platform_debt: NDArray[np.float64]
    forgetful: NDArray[np.float64]
    cure: NDArray[np.float64]
    leave: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BehaviourSettings:
    """How borrowers draw, prepay, leave and bust out."""

    heterogeneity: float
    need_spread: float
    constraint: float
    constraint_score: tuple[float, ...]
    held_long_days: int
    held_long_share: float
    draw_calms: float
    prepay_by_stress: float
    prepay_part: tuple[float, ...]
    prepay_returned: float
    lender_funds_next_day: float
    second_prepayment: float
    distress_stress: tuple[float, ...]
    distress_draw: float
    distress_fill: float
    bust_monthly: float
    bust_tenure_days: int
    bust_lead_days: tuple[int, ...]
    bust_grace_days: int
    bust_miss: float
    bust_cure: float
    stress_reversion: float
    stress_shock: float
    debt_decay: float


@dataclass(frozen=True, slots=True)
class DelinquencySettings:
    """Missing an instalment, curing, rolling on."""

    entry_multiplier: float
    shock_from: float
    shock_days: int
    by_stress: float
    debt_service: float
    by_burden: float
    burden_most: float
    by_use: float
    cure_by_stress: float
    cure_1_29: float
    cure_30_59: float
    cure_60_89: float
    cure_90: float
    partial_share: float
    partial_days: int
    partial_most: float
    returned_share: float


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """What the lender sees besides the ledger."""

    score_range: tuple[int, ...]
    score_noise: float
    score_noise_thin: float
    score_by_stress: float
    score_by_debt: float
    income_noise: float
    income_missed: float
    income_missed_by_stress: float
    inquiry_by_stress: float
    stress_most: float
    inflow: float
    inflow_size: float
    inflow_spread: float
    lender_inflow_seen: float
    lender_inflow_noise: float
    login_failed: float
    login_failed_by_stress: float
    device_change: float
    phone_change: float
    card_change: float
    limit_check: float
    limit_check_held: float
    bust_operations: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """Outages, late postings, stuck restorations."""

    outage_daily: float
    outage_median_minutes: float
    outage_tail: float
    outage_shortest_minutes: float
    outage_longest_minutes: float
    outage_touched: float
    bank_lag_share: float
    bank_lag_next_day: float
    stuck_share: float
    stuck_forever: float
    stuck_days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LenderSettings:
    """The older rule that decided in this book."""

    name: str
    cycle_days: int
    cycle_memory_days: float
    suspicion_per_cycle: float
    suspicion_low_score: float
    score_floor: float
    score_step: float
    suspicion_overdue: float
    overdue_memory_days: int
    thresholds: tuple[float, ...]
    arms: tuple[tuple[float, int], ...]
    exploration: float
    exploration_near: float
    near: float
    hidden: float
    unlogged_noise: float
    logs_propensity: bool
    review_days: int
    limit_review_days: int
    limit_raise: float
    limit_raise_score: float
    limit_raise_share: float


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How the population moves; at rest in the base scenario."""

    from_: float
    share: NDArray[np.float64]
    activity: float
    stress: float
    score_shift: float


@dataclass(frozen=True, slots=True)
class Settings:
    """Every number that shapes the simulated world; see `world.toml` for sources."""

    calendar: CalendarSettings
    product: ProductSettings
    population: PopulationSettings
    types: TypeSettings
    behaviour: BehaviourSettings
    delinquency: DelinquencySettings
    signals: SignalSettings
    faults: FaultSettings
    lender: LenderSettings
    drift: DriftSettings


def scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that `world.toml` describes."""
    return tuple(_world()["scenarios"])


def load_settings(
    scenario: str = "base", overrides: Mapping[str, Mapping[str, object]] | None = None
) -> Settings:
    """Read `world.toml`, lay the scenario over it, then `overrides` (section to key to value).

    Raises
    ------
    DataError
        The scenario, a section or a key is unknown.

    Examples
    --------
    >>> load_settings().product.open_loans
    5
    >>> load_settings("shock").delinquency.entry_multiplier
    2.3
    """
    world = _world()
    described = world.pop("scenarios")
    if scenario not in described:
        near = get_close_matches(scenario, described, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        mend = f"{meant}The scenarios are {', '.join(described)}"
        raise DataError(f"unknown scenario {scenario!r}", mend=mend)
    for layer in (described[scenario], overrides or {}):
        for name, values in layer.items():
            if name not in world:
                raise DataError(f"unknown section [{name}]", where=WORLD)
            world[name] = {**world[name], **values}
    sections = {field.name: _section(field.type, world[field.name]) for field in fields(Settings)}
    return Settings(**sections)


def _world() -> dict[str, Any]:
    return tomllib.loads(files("relimit.data.simulator").joinpath(WORLD).read_text("utf-8"))


def _section(kind: Any, values: Mapping[str, object]) -> Any:
    known = {field.name.rstrip("_"): field for field in fields(kind)}
    if set(known) != set(values):
        odd = ", ".join(sorted(set(known) ^ set(values)))
        raise DataError(f"missing or unknown keys: {odd}", where=f"{WORLD} {kind.__name__}")
    return kind(**{known[key].name: _frozen(known[key].type, values[key]) for key in values})


def _frozen(kind: object, value: Any) -> Any:
    if kind == NDArray[np.float64]:
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return value

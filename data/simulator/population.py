"""Who opens an account: latent types, incomes, limits, rates and tempers."""

from typing import Any

import numpy as np

from relimit.data.simulator.settings import Settings
from relimit.data.simulator.state import NEVER, Loans, People, Standing, Tally
from relimit.data.simulator.streams import (
    Bools,
    Floats,
    Ints,
    Keys,
    Purpose,
    account_keys,
    normal,
    uniform,
)
from relimit.data.vocabulary import FEN_PER_YUAN

BIRTH = -1
"""The day of numbers that are drawn once in a life."""

_HUNDRED_YUAN = 100 * FEN_PER_YUAN


def make_people(settings: Settings, account_id: Ints, *, days: int, seed: int) -> People:
    """Return the borrowers of some accounts; the same whoever else is in the block."""
    key = account_keys(seed, account_id)
    open_day = _open_day(settings, key, days)
    kind = _kind(settings, key, open_day >= settings.drift.from_ * days)
    types, temper = settings.types, settings.behaviour.heterogeneity
    quality = types.quality[kind] + normal(key, BIRTH, Purpose.QUALITY)
    income = _income(settings, key)
    return People(
        account_id=account_id,
        key=key,
        kind=kind,
        quality=quality,
        income=income,
        rate_ppm=_rate(settings, key, quality),
        payday=_choice(key, Purpose.PAYDAY, len(settings.calendar.paydays)),
        bill_day=_choice(key, Purpose.BILL_DAY, 28) + 1,
        bank=uniform(key, BIRTH, Purpose.CHANNEL) < settings.product.bank_channel_share,
        income_visible=uniform(key, BIRTH, Purpose.VISIBLE)
        < settings.population.income_visible_share,
        loss_given_default=_between(key, Purpose.LGD, settings.product.loss_given_default),
        draw=types.draw[kind] * _temper(key, Purpose.DRAW_TEMPER, temper),
        draw_excitation=types.draw_excitation[kind],
        draw_decay=np.exp(-1.0 / types.draw_decay_days[kind]),
        prepay=types.prepay[kind] * _temper(key, Purpose.PREPAY_TEMPER, temper),
        prepay_excitation=types.prepay_excitation[kind],
        prepay_decay=np.exp(-1.0 / types.prepay_decay_days[kind]),
        need=types.use[kind] * income * _temper(key, Purpose.NEED_TEMPER, temper),
        hidden=normal(key, BIRTH, Purpose.HIDDEN),
        open_day=open_day,
        open_limit=_limit(settings, key, income, quality),
    )


def make_standing(settings: Settings, people: People) -> Standing:
    """Return accounts that have not opened yet."""
    n = len(people.key)
    spread = settings.population.stress_spread * normal(people.key, BIRTH, Purpose.STRESS)
    stress = settings.types.stress[people.kind] + spread
    debt = settings.types.off_platform_debt[people.kind].copy()
    never = [
        "overdue_since",
        "last_overdue",
        "plan_day",
        "decide_day",
        "last_draw",
        "held_since",
        "bust_day",
    ]
    zero = "limit outstanding held residual score loans next_prepay decide_time decide_prepaid"
    columns: dict[str, Any] = {name: np.zeros(n, dtype=np.int64) for name in zero.split()}
    columns |= {name: np.full(n, NEVER) for name in [*never, "forced_day", "forced_arm"]}
    columns |= {name: np.zeros(n) for name in ("draw_heat", "prepay_heat", "cycle_heat")}
    columns |= {name: np.zeros(n, dtype=bool) for name in ("open", "left")}
    columns |= {"stress": stress, "last_stress": stress.copy()}
    columns |= {"debt": debt, "last_debt": debt.copy()}
    return Standing(**columns)


def make_loans(accounts: int, slots: int) -> Loans:
    """Return empty loan slots."""
    names = [
        "principal",
        "accrued",
        "penalty",
        "accrued_to",
        "charged",
        "charged_penalty",
        "past_due",
        "instalments",
        "number",
    ]
    shape = (accounts, slots)
    columns: dict[str, Any] = {name: np.zeros(shape, dtype=np.int64) for name in names}
    columns |= {"next_due": np.full(shape, NEVER), "bullet": np.zeros(shape, dtype=bool)}
    return Loans(**columns)


def make_tally(accounts: int) -> Tally:
    """Return an empty account of what has come of the borrowers."""
    names = ["interest_paid", "balance_days", "charged_off", "bad_balance"]
    columns = {name: np.zeros(accounts, dtype=np.int64) for name in names}
    return Tally(**columns, bad_day=np.full(accounts, NEVER))


def _open_day(settings: Settings, key: Keys, days: int) -> Ints:
    share = uniform(key, BIRTH, Purpose.OPENING) ** settings.population.opening_power
    return (share * settings.population.opening_share_of_period * days).astype(np.int64)


def _kind(settings: Settings, key: Keys, late: Bools) -> Ints:
    u = uniform(key, BIRTH, Purpose.TYPE)
    early_kind = np.searchsorted(np.cumsum(settings.types.share)[:-1], u, side="right")
    late_kind = np.searchsorted(np.cumsum(settings.drift.share)[:-1], u, side="right")
    return np.where(late, late_kind, early_kind)


def _income(settings: Settings, key: Keys) -> Ints:
    spread = settings.population.income_spread * normal(key, BIRTH, Purpose.INCOME)
    yuan = settings.population.income_median * np.exp(spread)
    return (yuan * FEN_PER_YUAN).astype(np.int64)


def _rate(settings: Settings, key: Keys, quality: Floats) -> Ints:
    low, high = settings.product.rate_ppm_minimum, settings.product.rate_ppm_maximum
    noise = settings.product.rate_spread * normal(key, BIRTH, Purpose.RATE)
    share = 1.0 / (1.0 + np.exp(quality + noise))
    return np.rint(low + (high - low) * share).astype(np.int64)


def _limit(settings: Settings, key: Keys, income: Ints, quality: Floats) -> Ints:
    multiple = _between(key, Purpose.LIMIT, settings.population.limit_to_income)
    raw = income * multiple * np.exp(settings.population.limit_by_quality * quality)
    low, high = settings.product.limit_minimum, settings.product.limit_maximum
    rounded = np.rint(raw / _HUNDRED_YUAN).astype(np.int64) * _HUNDRED_YUAN
    return np.clip(rounded, low * FEN_PER_YUAN, high * FEN_PER_YUAN)


def _temper(key: Keys, purpose: Purpose, spread: float) -> Floats:
    return np.exp(spread * normal(key, BIRTH, purpose))


def _choice(key: Keys, purpose: Purpose, size: int) -> Ints:
    return (uniform(key, BIRTH, purpose) * size).astype(np.int64)


def _between(key: Keys, purpose: Purpose, bounds: tuple[float, ...]) -> Floats:
    low, high = bounds
    return low + (high - low) * uniform(key, BIRTH, purpose)

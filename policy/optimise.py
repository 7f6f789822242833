"""The tiers worth most under a loss budget, with each group of borrowers guarded.

Maximises margin - loss - price of waiting (`Worth.net`) subject to loss <= budget x freed, over all
that a policy file can say: bounds on the loss ratio, and arms that only get harder from tier to
tier. So more risk never restores more or sooner, and what is deployed is what was optimised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.policy.cases import Bools, Floats, Ints
from relimit.policy.columns import Plan, price_limits
from relimit.policy.config import Policy
from relimit.policy.knapsack import choose_arms
from relimit.policy.ladder import Binned, best_within, candidate_bounds, excess, pool
from relimit.policy.settings import Tier
from relimit.policy.worth import Worth

BINS: Final = 100
"""Candidate bounds: each bin holds about a hundredth of the freed limit."""
BUDGET: Final = "loss budget"


@dataclass(frozen=True, slots=True)
class Guardrails:
    """What each group of borrowers is kept from.

    Attributes
    ----------
    names
        Of the G groups.
    member
        `[n, G]` which groups each row is in: none, one or several.
    least_share
        `[G]` of what the group freed, so much must return.
    most_loss
        `[G]` the group's loss may be at most this part of what it freed.
    """

    names: tuple[str, ...]
    member: Bools
    least_share: Floats
    most_loss: Floats


@dataclass(frozen=True, slots=True)
class Sample:
    """What a policy is optimised on: decisions, or the nights on which they are read, `[n]` rows.

    Attributes
    ----------
    ratio
        Expected loss over freed limit, as the policy's tiers read it.
    freed
        Fen; 0 where another row is of the same decision and has it.
    worth
        `[n, 25]`; those of one decision add up.
    guardrails
        None to guard no group.
    """

    ratio: Floats
    freed: Ints
    worth: Worth
    guardrails: Guardrails | None = None

    def __len__(self) -> int:
        return len(self.freed)


@dataclass(frozen=True, slots=True)
class Optimised:
    """Tiers and what they come to.

    Attributes
    ----------
    tiers
        As a policy file has them.
    arm
        `[n]` the place in `ARMS` of each row's tier.
    shadow_price
        Yuan of net value that one yuan more of loss budget would bring.
    group_prices
        By group, the same for one yuan more that must return, and for one yuan more of its loss.
    value, bound
        Net value over freed: of these tiers, and at most of any tiers with these candidate bounds
        (a mixture of two such policies reaches it). See also `free_bound`.
    """

    tiers: tuple[Tier, ...]
    arm: Ints
    shadow_price: float
    group_prices: dict[str, tuple[float, float]]
    value: float
    bound: float


def optimise_tiers(
    policy: Policy,
    sample: Sample,
    *,
    budget: float,
    allowed: Bools | None = None,
    bounds: Floats | None = None,
) -> Optimised:
    """Return the best tiers within the budget and the guardrails.

    Parameters
    ----------
    policy
        Its `[value]` prices waiting, and its tiers say which signal ends a wait.
    budget
        Loss over freed limit.
    allowed
        `[bins, 25]`, or `[25]` for all bins: the arms that may be used; all if None.
    bounds
        `[bins]` candidate bounds, the last 1; about even parts of the freed limit if None.

    Raises
    ------
    PolicyError
        No tiers keep the budget and the guardrails; the message says which are short, by how much.
    """
    bounds = sample_bounds(policy, sample) if bounds is None else bounds
    binned, limits, names = _binned(sample, sample.worth.net(policy), bounds, budget)
    if allowed is not None:
        binned = replace(binned, value=np.where(allowed, binned.value, -np.inf))
    priced = price_limits(binned.best_at, limits)
    best = best_within(binned, priced.plans, limits)
    _check_kept(best, limits, names)
    prices = dict(zip(names, priced.prices.tolist(), strict=True))
    groups = sample.guardrails.names if sample.guardrails else ()
    return Optimised(
        tiers=tiers_of(policy, bounds, best.choice),
        arm=best.choice[np.searchsorted(bounds[:-1], sample.ratio, side="left")],
        shadow_price=prices[BUDGET],
        group_prices={g: (prices[_share(g)], prices[_loss(g)]) for g in groups},
        value=best.value,
        bound=priced.bound,
    )


def free_bound(policy: Policy, sample: Sample, budget: float) -> float:
    """Return the net value over freed that no arms chosen decision by decision pass in a budget."""
    total = float(sample.freed.sum())
    return choose_arms(sample.worth.net(policy), sample.worth.loss, budget * total).bound / total


def sample_bounds(policy: Policy, sample: Sample) -> Floats:
    """Return the candidate bounds of a sample's tiers, the given policy's own among them."""
    even = candidate_bounds(sample.ratio, sample.freed.astype(float), BINS)
    return np.union1d(even, [tier.up_to for tier in policy.tiers])


def _share(group: str) -> str:
    return f"restored share of {group}"


def _loss(group: str) -> str:
    return f"loss of {group}"


def _binned(
    sample: Sample, net: Floats, bounds: Floats, budget: float
) -> tuple[Binned, Floats, list[str]]:
    """Return the sample by bins, over what was freed, with its limits and their names."""
    total = float(sample.freed.sum())
    limits = [(BUDGET, pool(bounds, sample.ratio, sample.worth.loss), budget * total)]
    if sample.guardrails is not None:
        limits += _guarded(sample, sample.guardrails, bounds)
    names, used, most = zip(*limits, strict=True)
    value = pool(bounds, sample.ratio, net) / total
    return Binned(bounds, value, np.stack(used) / total), np.array(most) / total, list(names)


def _guarded(sample: Sample, guard: Guardrails, bounds: Floats) -> list[tuple[str, Floats, float]]:
    """Return the name, the use by bins and the most of it of every group's limits."""
    found = []
    for place, name in enumerate(guard.names):
        rows = guard.member[:, place]
        freed, ratio = float(sample.freed[rows].sum()), sample.ratio[rows]
        returned = pool(bounds, ratio, -sample.worth.restored[rows])
        lost = pool(bounds, ratio, sample.worth.loss[rows])
        found.append((_share(name), returned, -float(guard.least_share[place]) * freed))
        found.append((_loss(name), lost, float(guard.most_loss[place]) * freed))
    return found


def _check_kept(plan: Plan, limits: Floats, names: Sequence[str]) -> None:
    over = excess(plan.used, limits)
    if over.any():
        pairs = zip(names, over, strict=True)
        short = [f"{name} by {by:.3%} of all freed" for name, by in pairs if by]
        raise PolicyError(
            f"no tiers were found that keep every limit; short are {', '.join(short)}",
            where="[value]",
            mend="Raise `loss_budget`, `group_loss` or `group_rise`, or lower `group_share`",
        )


def tiers_of(policy: Policy, bounds: Floats, path: Ints) -> tuple[Tier, ...]:
    """Return the tiers of a chain of arms; neighbours with one arm are one tier.

    A wait ends with the signal that the given policy names for its longest wait not above it.
    """
    last = np.append(np.flatnonzero(np.diff(path)), len(path) - 1)
    return tuple(
        Tier(
            up_to=float(bounds[place]),
            share=ARMS[path[place]][0],
            delay_days=ARMS[path[place]][1],
            signal=_signal(policy, *ARMS[path[place]]),
        )
        for place in last
    )


def _signal(policy: Policy, share: float, days: int) -> str:
    if not share or not days:
        return "none"
    known = [tier for tier in policy.tiers if tier.signal != "none"]
    signals = [tier.signal for tier in known if tier.delay_days <= days]
    return signals[-1] if signals else "score_refresh"

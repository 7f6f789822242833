"""What each arm of each decision brings, costs and makes the borrower wait for."""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.vocabulary import ARMS, FEN_PER_YUAN
from relimit.policy.arms import grid_arm
from relimit.policy.cases import Floats, Ints
from relimit.policy.config import Policy
from relimit.policy.outcome import Situation, outcome_of
from relimit.policy.settings import Tier

ARM_SHARES: Final = np.array([share for share, _ in ARMS])
ARM_DAYS: Final = np.array([float(days) for _, days in ARMS])
THOUSAND_YUAN: Final = 1_000 * FEN_PER_YUAN
NOTHING: Final = 0
"""The arm that stands for all that return nothing: when is then no question."""
COMES_TO: Final = np.where(ARM_SHARES > 0, np.arange(len(ARMS)), NOTHING)
"""`[25]` the place of each arm, with `NOTHING` for all that return nothing."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What the 25 arms of each decision are worth, `[n, 25]` fen each, in the order of `ARMS`.

    Attributes
    ----------
    margin
        What the lender earns on the account.
    loss
        The expected loss that the restoration can add.
    restored
        What returns, now or later.
    waited
        Fen-days: what returns later times the days until then, and what is withheld times the days
        until it is decided anew (`service.review_days`), which is when it can return at the
        earliest.
    """

    margin: Floats
    loss: Floats
    restored: Floats
    waited: Floats

    def __len__(self) -> int:
        return len(self.loss)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def net(self, policy: Policy) -> Floats:
        """Return `[n, 25]` fen: margin, less loss, less the price of waiting.

        Waiting costs `value.waiting` for 1,000 yuan a day. It is the borrower's cost, weighed as if
        it were the lender's.
        """
        price = policy.stated_value.waiting / THOUSAND_YUAN
        return np.asarray(self.margin - self.loss - price * self.waited)


def worth_of(policy: Policy, freed: Ints, arm: Ints, margin: Floats, loss: Floats) -> Worth:
    """Return what arms come to where the rules turn them into others, `[n, k]`.

    Parameters
    ----------
    freed
        `[n]` fen.
    arm
        `[n, k]` the places in `ARMS` of what they become, see `applied_arms`.
    margin, loss
        `[n, 25]` fen by arm.

    Raises
    ------
    DataError
        The outcomes are not `[n, 25]`, or not all numbers.
    """
    require_outcomes("margin", margin, len(freed))
    require_outcomes("loss", loss, len(freed))
    earned, lost = (np.take_along_axis(of, arm, axis=1) for of in (margin, loss))
    return Worth(earned, lost, *returned_of(policy, freed, arm))


def returned_of(policy: Policy, freed: Ints, arm: Ints) -> tuple[Floats, Floats]:
    """Return `restored` and `waited` of `[n, k]` arms, see `Worth`."""
    amount, share = freed[:, None].astype(float), ARM_SHARES[arm]
    days = share * ARM_DAYS[arm] + (1.0 - share) * policy.service.review_days
    return amount * share, amount * days


def require_outcomes(name: str, values: Floats, rows: int) -> None:
    """Refuse outcomes that are not `[rows, 25]` numbers.

    Raises
    ------
    DataError
        Their shape is another, or some are not numbers.
    """
    if values.shape != (rows, len(ARMS)):
        raise DataError(f"{name} is {values.shape}, not {rows} x {len(ARMS)}")
    if not np.isfinite(values).all():
        raise DataError(f"{name} is not a number in {(~np.isfinite(values)).sum():,} places")


def applied_arms(policy: Policy, situation: Situation) -> Ints:
    """Return `[n, 25]` the place in `ARMS` of what each arm becomes under the rules.

    A closed gate leaves nothing of any arm, a payment that has to clear delays it, the cap cuts it.
    """
    return np.stack([ruled_arms(only(policy, *arm), situation) for arm in ARMS], axis=1)


def ruled_arms(policy: Policy, situation: Situation) -> Ints:
    """Return `[n]` the place in `ARMS` of what the rules make of each row's tier."""
    outcome = outcome_of(policy, situation)
    arms: Ints = COMES_TO[grid_arm(outcome.amount, situation.freed, outcome.days)]
    return arms


def only(policy: Policy, share: float, days: int) -> Policy:
    """Return the policy with one arm for everybody."""
    waits = share > 0 and days > 0
    tier = Tier(up_to=1.0, share=share, delay_days=days, signal="next_due" if waits else "none")
    return replace(policy, tiers=(tier,))

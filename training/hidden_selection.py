"""Whether the older policy chose by something that the log lacks, and what it would mean.

Weights and arms mend a choice that the features explain. For the rest there are two tests and a
bound. An effect of known direction betrays hidden bias (Rosenbaum 1989): the more of a limit is
withheld, the fewer go bad, so if the accounts held back go bad *more* often than accounts alike
that were restored, they were chosen by something else. Where the policy drew arms at random, those
held back by choice must fare like those held back by chance. And hidden selection of a given
strength leaves a range for the risk (marginal sensitivity model, Tan 2006).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from relimit.training.bootstrap import bootstrap_mean
from relimit.training.discrimination import Bools, Floats, Interval, half_width
from relimit.training.metrics import fit_logistic, log_odds

VERDICT_LEVEL: Final = 0.99
"""Two tests are made of each version: at 95% one sound log in ten would be called unsound."""
ENOUGH_BADS: Final = 25
"""Bads below which a group shows nothing."""
ALMOST_WHOLE: Final = 0.05
"""Withheld part of the limit-days up to which a limit counts as restored: three days of 180."""
LARGEST: Final = 100.0
"""Strength beyond which nobody looks for an explanation."""


@dataclass(frozen=True, slots=True)
class HiddenSelection:
    """What a log shows of a choice by something that it lacks.

    Attributes
    ----------
    direction
        Log-odds by which accounts held back wholly go bad more often than accounts alike that were
        restored, with 99% limits: above 0 against the known direction of the effect.
    exploration
        Log-odds by which accounts held back by choice go bad more often than accounts alike held
        back by chance, with 99% limits; None if too few arms were drawn by chance.
    too_low
        Bad rate of the accounts held back less their mean restoration risk, 95% limits over
        accounts. Restored, no fewer of them would have gone bad: at least so much is missing.
    bad, restored, alike
        `[n]` outcomes, whether restored, and the risk of accounts alike that were restored.
    """

    direction: Interval
    exploration: Interval | None
    too_low: Interval
    bad: Bools
    restored: Bools
    alike: Floats

    @property
    def found(self) -> bool:
        """Whether the log can't be explained without hidden selection."""
        by_chance = self.exploration
        return self.direction.low > 0.0 or (
            by_chance is not None and (by_chance.low > 0.0 or by_chance.high < 0.0)
        )

    def risk_range(self, strength: float) -> tuple[float, float]:
        """Return the lowest and highest mean restoration risk that hidden selection can hide.

        Given all features, what the log lacks may multiply the odds of being restored by at most
        `strength` for those who would go bad, or divide them by it; 1 means that nothing is
        hidden. The risk of the accounts restored is known from their outcomes; that of the others
        but for this factor, and it is no lower than their bad rate at the arm they got (Manski
        1997).
        """
        held = self.alike[~self.restored]
        at_arm = float(self.bad[~self.restored].sum())
        low = max(float(np.maximum(held / strength, 1.0 - strength * (1.0 - held)).sum()), at_arm)
        high = max(float(_highest(held, strength).sum()), low)
        seen = float(self.bad[self.restored].sum())
        return (seen + low) / self.bad.size, (seen + high) / self.bad.size

    @property
    def least_strength(self) -> float:
        """The smallest strength that explains the bads of those held back; 1 if none is needed."""
        held = self.alike[~self.restored]
        rate = float(self.bad[~self.restored].mean())

        def missing(strength: float) -> float:
            return float(_highest(held, strength).mean()) - rate

        if missing(1.0) >= 0.0:
            return 1.0
        return float(brentq(missing, 1.0, LARGEST)) if missing(LARGEST) > 0.0 else float("inf")


def judge_selection(
    bad: Bools,
    risk: Floats,
    withheld: Floats,
    expected: Floats,
    *,
    account: NDArray[Any],
    drawn: Bools | None = None,
) -> HiddenSelection | None:
    """Look for hidden selection in rows that the model hasn't learnt from.

    Parameters
    ----------
    bad, risk
        `[n]` outcomes at the arms taken, and the risk at full restoration.
    withheld, expected
        `[n]` part withheld, and what is expected of it by the features.
    account
        `[n]` ids; rows of one account are not independent.
    drawn
        `[n]` rows whose arm was drawn by chance; None if the log doesn't tell.

    Returns
    -------
    HiddenSelection | None
        None if the rows held back or those restored have fewer than 25 bads.
    """
    restored = withheld <= ALMOST_WHOLE
    if min(bad[restored].sum(), bad[~restored].sum()) < ENOUGH_BADS:
        return None
    alike = np.column_stack([np.ones(bad.size), log_odds(risk), expected])
    direct = fit_logistic(np.column_stack([withheld, alike]), bad)
    if direct is None:
        return None
    by_chance = None
    if drawn is not None and ENOUGH_BADS <= bad[drawn].sum() < drawn.sum():
        chosen = (~drawn).astype(np.float64)
        by_chance = fit_logistic(np.column_stack([withheld * chosen, withheld, chosen, alike]), bad)
    return HiddenSelection(
        direction=_first(direct, account),
        exploration=None if by_chance is None else _first(by_chance, account),
        too_low=bootstrap_mean(bad[~restored] - risk[~restored], account[~restored]),
        bad=bad,
        restored=restored,
        alike=np.asarray(expit(alike @ direct[0][1:])),
    )


def _first(fitted: tuple[Floats, Floats], account: NDArray[Any]) -> Interval:
    value = float(fitted[0][0])
    half = half_width(fitted[1][:, 0], account, VERDICT_LEVEL)
    return Interval(value, value - half, value + half)


def _highest(held: Floats, strength: float) -> Floats:
    return np.asarray(np.minimum(strength * held, 1.0 - (1.0 - held) / strength))

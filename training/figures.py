"""What arms come to in all: loss, share, days and net value."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy import Policy, Worth

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """What arms come to in all.

    Attributes
    ----------
    loss_rate, share
        Expected loss, and what returns, over what was freed.
    loss_yuan, margin_yuan, restored_yuan
        Sums.
    mean_days
        Days until what returns is back, by amount; NaN if nothing returns.
    net_yuan
        Margin, less loss, less the price of waiting.
    """

    loss_rate: float
    share: float
    loss_yuan: float
    margin_yuan: float
    restored_yuan: float
    mean_days: float
    net_yuan: float


def figures_of(policy: Policy, worth: Worth, freed: Ints, arm: Ints) -> Figures:
    """Return what `[n]` arms come to."""
    rows = np.arange(len(arm))
    total = float(freed.sum())
    restored = worth.restored[rows, arm]
    loss = float(worth.loss[rows, arm].sum())
    back = float(restored.sum())
    withheld = (total - back) * policy.service.review_days
    late = float(worth.waited[rows, arm].sum()) - withheld
    return Figures(
        loss_rate=loss / total,
        share=back / total,
        loss_yuan=loss / FEN_PER_YUAN,
        margin_yuan=float(worth.margin[rows, arm].sum()) / FEN_PER_YUAN,
        restored_yuan=back / FEN_PER_YUAN,
        mean_days=late / back if back else float("nan"),
        net_yuan=float(worth.net(policy)[rows, arm].sum()) / FEN_PER_YUAN,
    )

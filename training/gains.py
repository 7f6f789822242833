"""How much of the bads, and of the loss, the riskiest rows hold."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.discrimination import Bools, Floats, weights_or_ones

GAIN_BANDS: Final = 10


@dataclass(frozen=True, slots=True)
class Gain:
    """One band of a gains table; cumulative figures run from the riskiest band down.

    Attributes
    ----------
    band
        1 is the riskiest.
    rows, bads
        Counts, unweighted.
    bad_rate, lift
        Weighted; the lift is against all rows.
    rows_share, bads_share, goods_share, loss_share
        Cumulative shares of the weight; of the loss in fen, NaN where none is known.
    """

    band: int
    rows: int
    bads: int
    bad_rate: float
    lift: float
    rows_share: float
    bads_share: float
    goods_share: float
    loss_share: float


def gains_table(
    bad: Bools,
    risk: Floats,
    *,
    loss: Floats | None = None,
    weight: Floats | None = None,
    bands: int = GAIN_BANDS,
) -> list[Gain]:
    """Return the gains table over bands of equal row count, the riskiest first.

    Rows of equal risk share a band, so that there may be fewer bands.

    Parameters
    ----------
    bad, risk, weight
        `[n]`.
    loss
        `[n]` fen, NaN where unknown: such rows count as no loss, unless all are unknown.
    bands
        How many.
    """
    weights = weights_or_ones(weight, bad.size)
    cuts = np.quantile(-risk, np.arange(1, bands) / bands)
    band = np.unique(np.searchsorted(np.unique(cuts), -risk, side="left"), return_inverse=True)[1]
    lost = np.full(bad.size, np.nan) if loss is None else loss
    totals = [_by_band(band, weights * part) for part in (np.ones(bad.size), bad, ~bad)]
    rates = totals[1] / totals[0]
    shares = [np.cumsum(total) / total.sum() for total in totals]
    losses = np.full(len(rates), np.nan)
    if np.nansum(lost) > 0.0:
        losses = np.cumsum(_by_band(band, weights * np.nan_to_num(lost)))
        losses = losses / losses[-1]
    rows, bads = np.bincount(band), np.bincount(band, weights=bad)
    overall = float(totals[1].sum() / totals[0].sum())
    return [
        Gain(
            band=place + 1,
            rows=int(rows[place]),
            bads=int(bads[place]),
            bad_rate=float(rates[place]),
            lift=float(rates[place]) / overall,
            rows_share=float(shares[0][place]),
            bads_share=float(shares[1][place]),
            goods_share=float(shares[2][place]),
            loss_share=float(losses[place]),
        )
        for place in range(len(rates))
    ]


def _by_band(band: NDArray[np.intp], values: Floats) -> Floats:
    return np.asarray(np.bincount(band, weights=values), dtype=np.float64)

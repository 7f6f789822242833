"""The report's section on what the riskiest rows hold of the bads and of the loss."""

from collections.abc import Mapping, Sequence
from typing import Final

from relimit.training.charts import draw_gains, png
from relimit.training.document import Cell, Grid, Picture, Section
from relimit.training.gains import Gain, gains_table
from relimit.training.judged import Judged
from relimit.training.views import views_of

COUNTED: Final = ("rows", "bads", "bad_rate")
SHOWN: Final = {"lift": "lift", "bads_share": "bads captured", "loss_share": "loss captured"}
"""Figures that stand view by view, and what they are called."""


def gains(judged: Judged) -> Section:
    """Return the gains table: what the riskiest rows hold of the bads and of the loss."""
    found = _gains_by_view(judged)
    caption = "Tenths of each view's rows, the riskiest first; captured shares add up"
    return Section(
        "Gains and loss capture",
        (
            _gains_grid(caption, found),
            Picture(
                "Share of bads and of loss that the riskiest rows hold", png(draw_gains(found))
            ),
        ),
    )


def _gains_by_view(judged: Judged) -> dict[str, list[Gain]]:
    test, risk = judged.test, judged.fitted.test_risk
    return {
        name: gains_table(
            test.bad[view.rows], risk[view.rows], loss=test.loss[view.rows], weight=view.weight
        )
        for name, view in views_of(test, judged.weight).items()
    }


def _gains_grid(caption: str, found: Mapping[str, Sequence[Gain]]) -> Grid:
    """Return a band a row; rows, bads and bad rate are naive, the rest stands view by view."""
    naive, *_ = found.values()
    bands = range(max(map(len, found.values())))
    rows = []
    for band in bands:
        row: list[Cell] = [band + 1]
        row += [getattr(naive[band], x) if band < len(naive) else None for x in COUNTED]
        for figure in SHOWN:
            row += [getattr(g[band], figure) if band < len(g) else None for g in found.values()]
        rows.append(tuple(row))
    heads = (f"{words}, {view}" for words in SHOWN.values() for view in found)
    return Grid(caption, ("band", "rows", "bads", "bad rate", *heads), tuple(rows))

"""The report's section on the expected-loss head: what was lost against what was expected."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from relimit.models import CurveSeverity, LossHead
from relimit.training.document import Block, Grid, Section
from relimit.training.expected import Groups, months, named
from relimit.training.judged import Judged
from relimit.training.loss_check import LossGroup, LossRows, loss_groups, loss_overall, loss_tenths
from relimit.training.views import views_of

TITLE: Final = "Expected loss"
ALL: Final = "all rows"
PARTS: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Parts of a limit that severity is shown for."""
ASSUMED: Final = (
    "No loss is known on the test rows: the expected-loss head rests on its assumption, and "
    "nothing here checks it."
)


def expected_loss(judged: Judged) -> Section:
    """Return the head's own calibration: of all rows, by tenth of expected loss, by month."""
    found = judged.fitted.losses
    if found is None:
        return Section(TITLE, (ASSUMED,))
    month = months(judged.test.as_of)[found.place]
    everyone = named(np.zeros(found.observed.size, np.int64), [ALL])
    blocks: list[Block] = [
        "Loss at the arm that was taken, over risk × severity × what was restored: the loss head "
        "and the risk together. Limits are over accounts, of all rows with accounts resampled; a "
        "group that lost nothing has none. Sums in yuan are naive; each view's ratio is its own.",
        _grid("Loss observed over expected", judged, found, everyone, loss_overall),
        _grid(
            "Loss observed over expected by tenth of expected loss",
            judged,
            found,
            loss_tenths(found.expected),
        ),
        _grid("Loss observed over expected by month", judged, found, month),
    ]
    return Section(TITLE, (*blocks, *_severity(judged.fitted.model.loss)))


def _severity(head: LossHead) -> tuple[Grid, ...]:
    """Return the severity that a curve says; a constant or trees have none to show."""
    if not isinstance(head, CurveSeverity):
        return ()
    said = head.at(np.array(PARTS)).tolist()
    rows = tuple((f"{part:.0%}", lost) for part, lost in zip(PARTS, said, strict=True))
    caption = f"Severity by the part of the limit that is restored, learnt from {head.bads:,} bads"
    return (Grid(caption, ("restored, of the limit", "lost of it if bad"), rows),)


def _grid(
    caption: str,
    judged: Judged,
    found: LossRows,
    labels: Groups,
    sums: Callable[..., list[LossGroup]] = loss_groups,
) -> Grid:
    group = pd.Categorical(labels)
    views: dict[str, Sequence[LossGroup]] = {}
    for name, view in views_of(judged.test, judged.weight).items():
        held = np.isin(found.place, view.rows)
        weight = None if view.weight is None else view.weight[found.place]
        views[name] = sums(found.take(held), group[held], weight)
    return _by_view(caption, views)


def _by_view(caption: str, views: Mapping[str, Sequence[LossGroup]]) -> Grid:
    ratios = [{g.group: g.ratio for g in groups} for groups in views.values()]
    naive, *_ = views.values()
    rows = tuple(
        (g.group, g.rows, g.observed_yuan, g.expected_yuan, *(r.get(g.group) for r in ratios))
        for g in naive
    )
    heads = (f"observed/expected, {view}" for view in views)
    return Grid(caption, ("", "rows", "loss, yuan", "expected, yuan", *heads), rows)

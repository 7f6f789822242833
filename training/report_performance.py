"""The report's sections on how well the risk ranks, how true it is, and how it did by month."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from relimit.models import Platt
from relimit.models.calibration import LEVEL
from relimit.training.backtest import BacktestMonth
from relimit.training.charts import draw_calibration, draw_expected, png
from relimit.training.discrimination import Floats, Interval
from relimit.training.document import Block, Grid, Notice, Picture, Section
from relimit.training.expected import Expected, Groups, months, named, observed_expected, risk_tiers
from relimit.training.judged import Judged
from relimit.training.metric_limits import BINS
from relimit.training.metrics import reliability
from relimit.training.propensity import number_arms
from relimit.training.views import EXPLORED, NAIVE, PREFERRED, least_preferred, views_of

RANKING: Final = ("auc", "gini", "ks", "h_measure", "pr_auc")
TRUTH: Final = (
    "brier",
    "log_loss",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "spiegelhalter_z",
)
RANKED: Final = "Ranking, with 95% limits by account: AUC and Gini DeLong's, the others resampled"
TRUE: Final = "Truth of the risk, with 95% limits by account"
TRIED: Final = (
    "Calibrations tried on the later slice, log-loss on rows each was not fitted on; another than "
    "level is taken only if lower by more than one standard error"
)
SHOWN: Final = {
    "roc": "Receiver operating characteristic",
    "score_distribution": "Risk by outcome",
}
FIFTHS: Final = 5
"""Parts of the explored slice, which is small."""


def discrimination(judged: Judged) -> Section:
    """Return how well the risk ranks, by view, with intervals clustered by account."""
    few = [Notice(judged.few_bads)] if judged.few_bads else []
    return Section(
        "Discrimination",
        (
            *few,
            _views(judged),
            views_grid(RANKED, judged, RANKING),
            *(Picture(words, judged.plots[name]) for name, words in SHOWN.items()),
        ),
    )


def _views(judged: Judged) -> str:
    """Say what the views are, and how a preferred arm is told."""
    least = least_preferred(judged.test)
    told = "an arm of at least half the chances is preferred"
    if least < PREFERRED:
        told = (
            "most rows have no arm of half the chances, and one of less than "
            f"{least:.3f} is surely not preferred"
        )
    return (
        "Three views: naive, as the log is; weighted by the inverse of the older policy's "
        "propensity; explored, the rows whose arm that policy drew although it preferred another "
        f"({told}). A view that the rows can't give is left out."
    )


def calibration(judged: Judged) -> Section:
    """Return how true the risk is: by view, tenth, month, tier, segment; and the maps tried."""
    curves = _curves(judged)
    by_month = _expected_by_view(judged, months(judged.test.as_of))
    caption = "Observed over expected bads by month"
    blocks: list[Block] = [
        views_grid(TRUE, judged, TRUTH),
        "Tables by month, tier and segment count rows, bads, bad rate and mean risk naively; each "
        "view's ratio has Wilson's limits, weighted for the effective rows, and Spiegelhalter's z "
        "beyond ±1.96 speaks against the risks: both as if rows of one account were independent, "
        "so that limits are too narrow where few accounts hold the bads.",
        Picture("Mean risk against bad rate, tenths of the rows", png(draw_calibration(curves))),
        _tenths(curves),
        _expected_grid(caption, by_month),
        Picture(caption, png(draw_expected(by_month))),
    ]
    tiers = risk_tiers(judged.fitted.test_risk, judged.fitted.model.reference.risk)
    for name, group in {"risk tier": tiers, **segments(judged)}.items():
        by_group = _expected_by_view(judged, group)
        blocks.append(_expected_grid(f"Observed over expected bads by {name}", by_group))
    return Section("Calibration", (*blocks, _tried(judged)))


def backtest(found: Sequence[BacktestMonth]) -> Section:
    """Return the walk-forward table."""
    columns = ("month", "rows learnt from", "rows", "bads", "AUC", "log-loss", "observed/expected")
    rows = tuple(
        (m.month, m.learnt, m.rows, m.bads, m.auc, m.log_loss, m.observed_expected) for m in found
    )
    return Section(
        "Walk-forward back-test",
        (
            "Each month is judged by a model fitted anew on what had matured before it.",
            Grid("By month", columns, rows),
        ),
    )


def segments(judged: Judged) -> dict[str, Groups]:
    """Return the test rows' group by segment: account, arm, freed amount, audit columns."""
    test = judged.test
    seen = (~judged.new_accounts).astype(np.int64)
    found: dict[str, Groups] = {"account": named(seen, ("new account", "seen in learning"))}
    if judged.fitted.model.has_arms:
        arms, place = number_arms(test.arms)
        words = [f"{100 * share:03.0f}% after {days:02.0f} days" for share, days in arms]
        found["arm taken"] = named(place, words)
    if (test.freed > 0.0).any():
        edges = np.unique(np.nanquantile(test.freed, [0.25, 0.5, 0.75]))
        names = [*(f"quarter {i}" for i in range(1, 5)), "unknown"]
        place = np.searchsorted(edges, test.freed, side="left")
        found["freed amount"] = named(np.where(np.isnan(test.freed), 4, place), names)
    audit = judged.audit
    return found | (dict(audit.groups) if audit is not None else {})


def views_grid(caption: str, judged: Judged, figures: Sequence[str]) -> Grid:
    """Return a figure a row, a view a column; a figure with limits shows them."""
    views = judged.fitted.views
    counts = [(name, *(int(view[name]) for view in views.values())) for name in ("rows", "bads")]
    rows = [
        (name.replace("_", " "), *(_figure(view, name) for view in views.values()))
        for name in figures
    ]
    return Grid(caption, ("", *views), (*counts, *rows))


def _figure(view: Mapping[str, float], name: str) -> float | Interval:
    if f"{name}_low" not in view:
        return view[name]
    return Interval(view[name], view[f"{name}_low"], view[f"{name}_high"])


def _curves(judged: Judged) -> dict[str, tuple[Floats, Floats, Floats]]:
    bad, risk = judged.test.bad, judged.fitted.test_risk
    return {
        name: reliability(
            bad[view.rows], risk[view.rows], view.weight, FIFTHS if name == EXPLORED else BINS
        )
        for name, view in views_of(judged.test, judged.weight).items()
    }


def _tenths(curves: Mapping[str, tuple[Floats, Floats, Floats]]) -> Grid:
    rows = tuple(
        (view, place + 1, float(risk), float(rate), float(share))
        for view, curve in curves.items()
        for place, (risk, rate, share) in enumerate(zip(*curve, strict=True))
    )
    columns = ("view", "part", "mean risk", "bad rate", "share of weight")
    return Grid("Mean risk and bad rate by rising risk", columns, rows)


def _tried(judged: Judged) -> Block:
    """Return the log-loss of every calibration that was tried on the later slice."""
    choice = judged.fitted.calibration
    chosen, tried = choice.calibration, choice.log_loss
    if not tried:
        return (
            "No calibration was tried: the later slice has too few bads, or goods, to measure any."
        )
    taken = chosen.kind
    if isinstance(chosen, Platt) and chosen.slope == 1.0:
        taken = LEVEL
    rows = tuple(
        (name, loss, "taken" if name == taken else "")
        for name, loss in sorted(tried.items(), key=lambda item: item[1])
    )
    return Grid(TRIED, ("calibration", "log-loss", ""), rows)


def _expected_by_view(judged: Judged, labels: Groups) -> dict[str, list[Expected]]:
    test, risk = judged.test, judged.fitted.test_risk
    group = pd.Categorical(labels)  # so that its names are sorted once
    return {
        name: observed_expected(test.bad[view.rows], risk[view.rows], group[view.rows], view.weight)
        for name, view in views_of(test, judged.weight).items()
    }


def _expected_grid(caption: str, views: Mapping[str, Sequence[Expected]]) -> Grid:
    """Return a group a row, a ratio a view; a view without rows of a group has none."""
    ratios = {view: {g.group: g.ratio for g in groups} for view, groups in views.items()}
    rows = tuple(
        (
            g.group,
            g.rows,
            g.bads,
            g.bad_rate,
            g.mean_risk,
            *(r.get(g.group) for r in ratios.values()),
        )
        for g in views[NAIVE]
    )
    heads = (f"observed/expected, {view}" for view in views)
    return Grid(caption, ("", "rows", "bads", "bad rate", "mean risk", *heads), rows)

"""The report's sections on how well the risk ranks, how true it is, and what it captures."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.backtest import BacktestMonth
from relimit.training.bootstrap import bootstrap_ratio
from relimit.training.charts import draw_calibration, draw_expected, draw_gains, png
from relimit.training.discrimination import Floats, Interval
from relimit.training.document import Block, Grid, Notice, Picture, Section
from relimit.training.expected import Expected, months, observed_expected, risk_tiers
from relimit.training.gains import gains_table
from relimit.training.judged import Judged
from relimit.training.metrics import reliability
from relimit.training.views import EXPLORED, NAIVE, WEIGHTED, explored

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
SHOWN: Final = {
    "roc": "Receiver operating characteristic",
    "score_distribution": "Risk by outcome",
}
VIEWS: Final = (
    "Three views: naive, as the log is; weighted by the inverse of the older policy's propensity; "
    "explored, the rows whose arm that policy drew although it preferred another. A view that the "
    "rows can't give is left out."
)


def discrimination(judged: Judged) -> Section:
    """Return how well the risk ranks, by view, with intervals clustered by account."""
    few = [Notice(judged.few_bads)] if judged.few_bads else []
    return Section(
        "Discrimination",
        (
            *few,
            VIEWS,
            views_grid(RANKED, judged, RANKING),
            *(Picture(words, judged.plots[name]) for name, words in SHOWN.items()),
        ),
    )


def calibration(judged: Judged) -> Section:
    """Return how true the risk is: by view, by tenth, by month, tier and segment, and in money."""
    curves = _curves(judged)
    by_month = observed_expected(
        judged.test.bad, judged.fitted.test_risk, months(judged.test.as_of), judged.weight
    )
    blocks: list[Block] = [
        views_grid(TRUE, judged, TRUTH),
        "Tables by month, tier and segment are weighted where there are weights; their limits are "
        "Wilson's. Spiegelhalter's z beyond ±1.96 speaks against the risks, were the rows "
        "independent.",
        Picture("Mean risk against bad rate, tenths of the rows", png(draw_calibration(curves))),
        _tenths(curves),
        _expected_grid("Observed over expected bads by month", by_month),
        Picture("Observed over expected bads by month", png(draw_expected(by_month))),
    ]
    tiers = risk_tiers(judged.fitted.test_risk, judged.fitted.model.reference.risk)
    blocks.append(_grouped("Observed over expected bads by risk tier", judged, tiers))
    for name, group in segments(judged).items():
        blocks.append(_grouped(f"Observed over expected bads by {name}", judged, group))
    return Section("Calibration", (*blocks, *_loss(judged)))


def gains(judged: Judged) -> Section:
    """Return the gains table: what the riskiest rows hold of the bads and of the loss."""
    test = judged.test
    found = gains_table(test.bad, judged.fitted.test_risk, loss=test.loss, weight=judged.weight)
    columns = ("band", "rows", "bads", "bad rate", "lift", "bads captured", "loss captured")
    rows = tuple(
        (g.band, g.rows, g.bads, g.bad_rate, g.lift, g.bads_share, g.loss_share) for g in found
    )
    return Section(
        "Gains and loss capture",
        (
            Grid("Tenths of the rows, the riskiest first; captured shares add up", columns, rows),
            Picture(
                "Share of bads and of loss that the riskiest rows hold", png(draw_gains(found))
            ),
        ),
    )


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


def segments(judged: Judged) -> dict[str, NDArray[Any]]:
    """Return the test rows' group by segment: account, arm, freed amount, audit columns."""
    test = judged.test
    found: dict[str, NDArray[Any]] = {
        "account": np.where(judged.new_accounts, "new account", "seen in learning")
    }
    if judged.fitted.model.has_arms:
        arms, place = np.unique(test.arms, axis=0, return_inverse=True)
        words = [f"{100 * share:03.0f}% after {days:02.0f} days" for share, days in arms]
        found["arm taken"] = np.array(words)[place]
    if (test.freed > 0.0).any():
        edges = np.unique(np.nanquantile(test.freed, [0.25, 0.5, 0.75]))
        names = np.array([f"quarter {i}" for i in range(1, 5)] + ["unknown"])
        place = np.searchsorted(edges, test.freed, side="left")
        found["freed amount"] = names[np.where(np.isnan(test.freed), 4, place)]
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
    curves = {NAIVE: reliability(bad, risk)}
    if judged.weight is None:
        return curves
    curves[WEIGHTED] = reliability(bad, risk, judged.weight)
    rows = explored(judged.test)
    if EXPLORED in judged.fitted.views:
        curves[EXPLORED] = reliability(bad[rows], risk[rows], bins=5)
    return curves


def _tenths(curves: Mapping[str, tuple[Floats, Floats, Floats]]) -> Grid:
    rows = tuple(
        (view, place + 1, float(risk), float(rate), float(share))
        for view, curve in curves.items()
        for place, (risk, rate, share) in enumerate(zip(*curve, strict=True))
    )
    columns = ("view", "part", "mean risk", "bad rate", "share of weight")
    return Grid("Mean risk and bad rate by rising risk", columns, rows)


def _grouped(caption: str, judged: Judged, group: NDArray[Any]) -> Grid:
    found = observed_expected(judged.test.bad, judged.fitted.test_risk, group, judged.weight)
    return _expected_grid(caption, found)


def _expected_grid(caption: str, found: Sequence[Expected]) -> Grid:
    columns = ("", "rows", "bads", "bad rate", "mean risk", "observed/expected")
    rows = tuple((g.group, g.rows, g.bads, g.bad_rate, g.mean_risk, g.ratio) for g in found)
    return Grid(caption, columns, rows)


def _loss(judged: Judged) -> list[Block]:
    """Hold the loss that happened against the loss expected at the arm that was taken."""
    test, model = judged.test, judged.fitted.model
    share = np.where(np.isnan(test.share), 1.0, test.share)
    known = np.isfinite(test.loss) & (test.freed * share > 0.0)
    if not test.loss[known].any():
        return [
            "No loss is known on the test rows: the expected-loss head rests on its assumption."
        ]
    severity = model.loss.severity(judged.test_features[known])
    exposure = test.freed[known] * share[known]
    expected = judged.fitted.test_risk[known] * severity * exposure
    ratio = bootstrap_ratio(test.loss[known], expected, test.account_id[known])
    columns = ("rows", "expected loss, yuan", "loss, yuan", "observed/expected")
    row = (int(known.sum()), expected.sum() / 100.0, test.loss[known].sum() / 100.0, ratio)
    caption = "Expected-loss head at the arm taken (limits by bootstrap over accounts)"
    return [Grid(caption, columns, (row,))]

"""The report's sections on the model itself: drift of its inputs, drivers, feature families."""

from collections.abc import Sequence
from typing import Final

from relimit.training.charts import draw_dependence, draw_summary, png
from relimit.training.document import Grid, Notice, Picture, Section
from relimit.training.explain import (
    EXPLAINED_ROWS,
    PERMUTED_ROWS,
    Direction,
    check_directions,
    family_sensitivity,
    importances,
)
from relimit.training.judged import Judged
from relimit.training.splits import sample_rows
from relimit.training.stability import Shift, feature_shifts, risk_shift

SHIFT_ROWS: Final = 20_000
LISTED: Final = 20
DRAWN: Final = 12
DEPENDENCES: Final = 6


def shifts_of(judged: Judged) -> list[Shift]:
    """Return the shift of the risk, first, and of every feature on the test rows or a sample."""
    model, X = judged.fitted.model, judged.test_features
    X = X[sample_rows(len(X), SHIFT_ROWS)]
    return [risk_shift(model, model.restoration_risk(X)), *feature_shifts(model, X)]


def stability(shifts: Sequence[Shift]) -> Section:
    """Return the PSI of the risk and the CSI of every feature, against the model's reference."""
    columns = ("", "index", "noise", "missing in training", "missing in test", "verdict")
    return Section(
        "Stability",
        (
            "Population stability index of the restoration risk, and characteristic stability "
            "index of each feature, in tenths of the rows fitted on; a missing value is a bin. "
            "Below 0.1, or below what two samples of one distribution exceed once in a hundred "
            "times (noise), is stable; from 0.25 on, shifted.",
            Grid("Test slice against the rows fitted on", columns, tuple(map(_shift_row, shifts))),
        ),
    )


def drivers(judged: Judged) -> tuple[Section, Section]:
    """Return the features' importance with their SHAP summary, and dependence with directions."""
    model = judged.fitted.model
    X = judged.test_features
    X = X[sample_rows(len(X), EXPLAINED_ROWS)]
    contributions = model.contributions(X)
    found = importances(model, contributions)
    places = [model.feature_names.index(item.name) for item in found if item.contribution > 0.0]
    top, few = places[:DRAWN], places[:DEPENDENCES]
    names = [model.feature_names[place] for place in places]
    listed = tuple((i.name, i.family, i.contribution, i.share) for i in found[:LISTED])
    columns = ("feature", "family", "mean |contribution|", "share")
    importance = Section(
        "Feature importance",
        (
            f"Mean absolute contribution to the log-odds at arm (1, 0), on {len(X):,} test rows "
            "(SHAP values for trees, points for a scorecard).",
            Grid(f"The {len(listed)} most important features", columns, listed),
            Picture(
                "Contributions, a dot a row, blue low and red high values",
                png(draw_summary(names[:DRAWN], X[:, top], contributions[:, top])),
            ),
        ),
    )
    picture = Picture(
        "Contribution against value",
        png(draw_dependence(names[:DEPENDENCES], X[:, few], contributions[:, few])),
    )
    return importance, _dependence(picture, check_directions(model, X, contributions))


def families(judged: Judged) -> Section:
    """Return what shuffling each feature family costs."""
    found = family_sensitivity(judged.fitted.model, judged.test_features, judged.test)
    columns = ("family", "features", "AUC lost", "log-loss risen")
    rows = tuple((s.family, s.features, s.auc_loss, s.log_loss_rise) for s in found)
    return Section(
        "Sensitivity to feature families",
        (
            "All columns of a family are shuffled together among at most "
            f"{PERMUTED_ROWS:,} test rows; the model is not fitted again.",
            Grid("Without what the family tells", columns, rows),
        ),
    )


def _dependence(picture: Picture, found: list[Direction]) -> Section:
    wrong = [item.name for item in found if item.against]
    verdict = (
        Notice(f"{len(wrong)} constrained features go the wrong way: {', '.join(wrong)}.")
        if wrong
        else f"All {len(found)} constrained features keep their direction in a sweep of the "
        "training deciles, other features held."
    )
    columns = ("feature", "expected", "correlation", "steps swept", "against")
    rows = tuple(
        (d.name, "rises" if d.expected > 0 else "falls", d.correlation, d.steps, d.against)
        for d in found
    )
    caption = "Constrained features: Spearman's correlation of value and contribution, and sweep"
    return Section("Dependence and directions", (picture, verdict, Grid(caption, columns, rows)))


def _shift_row(shift: Shift) -> tuple[str | float, ...]:
    missing = shift.missing_before, shift.missing_now
    return (shift.name, shift.index, shift.noise, *missing, shift.verdict)

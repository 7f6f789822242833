"""The report's sections on the model itself: drift of its inputs, drivers, feature families."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.models import ARM_COLUMNS
from relimit.training.charts import draw_dependence, draw_summary, png
from relimit.training.discrimination import Bools, Floats
from relimit.training.document import Block, Grid, Notice, Picture, Section
from relimit.training.explain import (
    EXPLAINED_ROWS,
    PERMUTED_ROWS,
    REFIT_ROWS,
    REFIT_TREES,
    Direction,
    Refit,
    check_directions,
    family_refits,
    family_sensitivity,
    importances,
)
from relimit.training.judged import Judged
from relimit.training.splits import OUT_OF_ACCOUNT, sample_rows
from relimit.training.stability import RISK, Shift, feature_shifts, risk_shift, shifts_by_weight
from relimit.training.views import EXPLORED, NAIVE, WEIGHTED, explored

SHIFT_ROWS: Final = 10_000
LISTED: Final = 20
DRAWN: Final = 12
DEPENDENCES: Final = 6
SAME_MONTHS: Final = (
    "Tested were other accounts in the same months as those fitted on: this can't show what "
    "changes over time."
)
UNMOVED: Final = "No feature moves the risk of these rows: there is nothing to draw."


def shifts_of(judged: Judged) -> dict[str, list[Shift]]:
    """Return by view the shift of the risk, first, and of every feature, on at most 10,000 rows.

    Naively the test rows are held against the model's own reference, in the other views against
    rows fitted on that are weighted, or picked, alike.
    """
    model, slices = judged.fitted.model, judged.data.split
    fit = slices.fit[sample_rows(len(slices.fit), SHIFT_ROWS)]
    places = sample_rows(len(slices.test), SHIFT_ROWS)
    test, risk = slices.test[places], judged.restoration_risk(places)
    X = judged.data.X[test]
    naive = [risk_shift(model, risk), *feature_shifts(model, X)]
    before, now = _view_weights(judged, fit), _view_weights(judged, test)
    views = [view for view in before if view in now]
    if not views:
        return {NAIVE: naive}
    learnt = judged.data.X[fit]
    sides = {
        name: (learnt[:, place], X[:, place]) for place, name in enumerate(model.feature_names)
    } | {RISK: (model.restoration_risk(learnt), risk)}
    references = {**model.reference.features, RISK: model.reference.risk}
    found = [
        shifts_by_weight(
            shift.name,
            references[shift.name],
            (sides[shift.name][0], {view: before[view] for view in views}),
            (sides[shift.name][1], {view: now[view] for view in views}),
        )
        for shift in naive
    ]
    return {NAIVE: naive} | {view: [shifts[view] for shifts in found] for view in views}


def _view_weights(judged: Judged, rows: NDArray[np.int64]) -> dict[str, Floats]:
    """Return what rows count in each view but the naive; a view without rows is absent."""
    found = judged.fitted.propensities
    if found is None:
        return {}
    drawn = explored(judged.data.labelled.take(rows)).astype(np.float64)
    weights = {WEIGHTED: found.weight[rows]}
    return weights | ({EXPLORED: drawn} if drawn.any() else {})


def stability(shifts: Mapping[str, Sequence[Shift]], split: str) -> Section:
    """Return the PSI of the risk and the CSI of every feature, a view beside the other.

    After a split by account it says that it can't show what changes over time.
    """
    named = ("index", "noise", "verdict")
    columns = ("", *(f"{name}, {view}" for view in shifts for name in named))
    columns += ("missing in training", "missing in test")
    rows = tuple(map(_shift_row, zip(*shifts.values(), strict=True)))
    notices = [Notice(SAME_MONTHS)] if split == OUT_OF_ACCOUNT else []
    return Section(
        "Stability",
        (
            *notices,
            "Population stability index of the restoration risk, and characteristic stability "
            "index of each feature, in tenths of the rows fitted on; a missing value is a bin. "
            "Below 0.1, or below what two samples of one distribution exceed once in a hundred "
            "times (noise; of effective rows where they are weighted), is stable; from 0.25 on, "
            "shifted. Weighted and explored test rows are held against rows fitted on that are "
            "weighted or picked alike.",
            Grid("Test slice against the rows fitted on", columns, rows),
        ),
    )


def drivers(judged: Judged) -> tuple[Section, Section]:
    """Return the features' importance with their SHAP summary, and dependence with directions."""
    model = judged.fitted.model
    X = judged.test_features(EXPLAINED_ROWS)
    contributions = model.contributions(X)
    found = importances(model, contributions)
    places = [model.feature_names.index(item.name) for item in found if item.contribution > 0.0]
    names = [model.feature_names[place] for place in places]
    summary, dependence = _drawn(names, X[:, places], contributions[:, places])
    listed = tuple((i.name, i.family, i.contribution, i.share) for i in found[:LISTED])
    columns = ("feature", "family", "mean |contribution|", "share")
    importance = Section(
        "Feature importance",
        (
            f"Mean absolute contribution to the log-odds at arm (1, 0), on {len(X):,} test rows "
            "(SHAP values for trees, points for a scorecard).",
            Grid(f"The {len(listed)} most important features", columns, listed),
            summary,
        ),
    )
    return importance, _dependence(dependence, check_directions(model, X, contributions))


def _drawn(names: Sequence[str], X: Floats, contributions: Floats) -> tuple[Block, Block]:
    """Draw the features that move the risk, the most important first, or say that none does."""
    if not names:
        return Notice(UNMOVED), UNMOVED
    return Picture(
        "Contributions, a dot a row, blue low and red high values",
        png(draw_summary(names[:DRAWN], X[:, :DRAWN], contributions[:, :DRAWN])),
    ), Picture(
        "Contribution against value",
        png(
            draw_dependence(names[:DEPENDENCES], X[:, :DEPENDENCES], contributions[:, :DEPENDENCES])
        ),
    )


def families(judged: Judged) -> Section:
    """Return what shuffling each feature family costs, and what doing without it."""
    test = judged.test
    test = test.take(sample_rows(len(test), PERMUTED_ROWS))
    X = judged.test_features(PERMUTED_ROWS)
    found = family_sensitivity(judged.fitted.model, X, test)
    refits = {refit.family: refit for refit in _refits(judged)}
    columns = (
        "family",
        "features",
        "AUC lost, shuffled",
        "log-loss risen, shuffled",
        "AUC lost, fitted without",
        "log-loss risen, fitted without",
    )
    rows = []
    for item in found:
        without = refits.get(item.family)
        lost = (None, None) if without is None else (without.auc_loss, without.log_loss_rise)
        rows.append((item.family, item.features, item.auc_loss, item.log_loss_rise, *lost))
    return Section(
        "Sensitivity to feature families",
        (
            "Shuffled: all columns of a family are mixed together among at most "
            f"{PERMUTED_ROWS:,} test rows, and the model is not fitted again. Fitted without: "
            f"{REFIT_TREES} small trees are grown on at most {REFIT_ROWS:,} of the rows fitted on, "
            "with all families and without each, whatever the model itself is made of; what other "
            "families tell too then costs nothing.",
            Grid("Without what the family tells", columns, tuple(rows)),
        ),
    )


def _refits(judged: Judged) -> list[Refit]:
    data, model = judged.data, judged.fitted.model
    names = [*data.names, *(ARM_COLUMNS if model.has_arms else ())]

    def slice_of(rows: NDArray[np.int64], most: int) -> tuple[Floats, Bools]:
        rows = rows[sample_rows(len(rows), most)]
        X = data.X[rows]
        if model.has_arms:
            X = np.column_stack([X, data.labelled.arms[rows]])
        return X, data.labelled.bad[rows]

    learn, test = slice_of(data.split.fit, REFIT_ROWS), slice_of(data.split.test, PERMUTED_ROWS)
    return family_refits(names, learn, test)


def _dependence(picture: Block, found: list[Direction]) -> Section:
    wrong = [item.name for item in found if item.against]
    moving = sum(item.moved > 0 for item in found)
    verdict = (
        Notice(f"{len(wrong)} constrained features go the wrong way: {', '.join(wrong)}.")
        if wrong
        else f"All {len(found)} constrained features keep their direction in a sweep of the "
        "training deciles and, if the model has arms, of share and delay, all else held; "
        f"{moving} of them move the risk at all."
    )
    columns = ("feature", "expected", "correlation", "steps swept", "moved", "against")
    rows = tuple(
        (d.name, "rises" if d.expected > 0 else "falls", d.correlation, d.steps, d.moved, d.against)
        for d in found
    )
    caption = "Constrained features: Spearman's correlation of value and contribution, and sweep"
    return Section("Dependence and directions", (picture, verdict, Grid(caption, columns, rows)))


def _shift_row(views: Sequence[Shift]) -> tuple[str | float, ...]:
    first = views[0]
    figures = (x for shift in views for x in (shift.index, shift.noise, shift.verdict))
    return (first.name, *figures, first.missing_before, first.missing_now)

"""The report's sections on whose outcomes are known, and on whether groups fare alike."""

import numpy as np

from relimit.data.vocabulary import ARMS
from relimit.training.discrimination import Interval
from relimit.training.document import Block, Grid, Notice, Section
from relimit.training.explain import EXPLAINED_ROWS, sample_rows
from relimit.training.fairness import FOUR_FIFTHS, GroupTreatment
from relimit.training.judged import Judged
from relimit.training.propensity import LEAST_WEIGHT, MOST_WEIGHT
from relimit.training.views import EXPLORED, explored

NO_EXPLORATION = (
    "Too few bads on rows whose propensity shows that the older policy drew an arm it didn't "
    "prefer: nothing here can show whether it chose by something that the log lacks, so the risk "
    "can't be trusted for accounts that it didn't choose. The weights rest on the logged or fitted "
    "propensities alone."
)


def selection(judged: Judged) -> Section:
    """Return what the log's selection does to the figures, and where nothing is known."""
    found = judged.fitted.propensities
    title = "Selective labels"
    if found is None:
        return Section(
            title,
            (
                "The observations have no arms, or one: nothing tells who was chosen for what, and "
                "the figures hold for rows like these alone.",
            ),
        )
    rows = len(found.weight)
    facts = (
        ("rows", rows),
        ("effective rows (Kish)", found.effective_rows),
        (f"weights clipped to {LEAST_WEIGHT:.2f} to {MOST_WEIGHT:.0f}", found.clipped),
        ("propensities fitted, not logged", found.fitted),
        ("arms never tried, of 25", found.arms_never_tried),
        ("explored test rows", int(explored(judged.test).sum())),
    )
    grid = Grid("Weights", ("", "value"), facts)
    return Section(title, (grid, *_never_tried(judged), _trust(judged), _arms(judged)))


def fairness(judged: Judged) -> Section:
    """Return how the groups of the audit columns fare."""
    audit = judged.audit
    if audit is None or not audit.treatments:
        return Section("Fairness", ("No accounts table with audit columns was given.",))
    low = [t for t in audit.treatments if t.impact.high < FOUR_FIFTHS]
    notes = [Notice(_names(low))] if low else []
    columns = (
        "column",
        "group",
        "rows",
        "favourable",
        "impact ratio",
        "risk difference",
        "days to restore",
        "days gap",
        "days difference",
    )
    rows = tuple(
        (
            t.attribute,
            t.group,
            t.rows,
            t.favourable,
            t.impact,
            t.risk_difference,
            t.days,
            t.days_gap,
            t.days_difference,
        )
        for t in audit.treatments
    )
    return Section(
        "Fairness",
        (
            f"Favourable: {audit.favourable}. Ratios, gaps in the days until the limit returns and "
            "standardised differences of risk and of days are against the group of the same column "
            "that fares best. The audit columns are never features.",
            *notes,
            Grid("By audit column", columns, rows),
        ),
    )


def _never_tried(judged: Judged) -> list[Block]:
    found = judged.fitted.propensities
    if found is None or not found.arms_never_tried:
        return []
    return [
        Notice(
            f"History never tried {found.arms_never_tried} of the 25 arms: a risk there is "
            "extrapolated along the constraints. The table of arms shows bounds in its place, from "
            "the nearest arms that the rows fitted on tried."
        )
    ]


def _trust(judged: Judged) -> Block:
    """Hold the risk against the rows that no policy chose: what weights can't mend shows there."""
    rows = explored(judged.test)
    view = judged.fitted.views.get(EXPLORED)
    if view is None:
        return Notice(NO_EXPLORATION)
    shift = Interval(*(view[f"calibration_intercept{end}"] for end in ("", "_low", "_high")))
    ratio = judged.test.bad[rows].sum() / judged.fitted.test_risk[rows].sum()
    words = (
        f"On the {int(rows.sum()):,} explored test rows observed over expected bads is "
        f"{ratio:.2f}, log-odds off by {shift.value:+.2f} ({shift.low:+.2f} to {shift.high:+.2f})"
    )
    if shift.low <= 0.0 <= shift.high:
        return f"{words}: no more than noise."
    return Notice(
        f"{words}: the risk can't be trusted for accounts that the older policy didn't choose. It "
        "probably chose by something that the log lacks, which no weight removes."
    )


def _arms(judged: Judged) -> Grid:
    """Return what the log holds of each arm, and the risk there: bounds where it was not tried."""
    labelled, model = judged.data.labelled, judged.fitted.model
    X = judged.test_features
    sampled = X[sample_rows(len(X), EXPLAINED_ROWS)]
    low, high = (bound.mean(axis=0) for bound in model.risk_bounds_by_arm(sampled))
    rows = []
    for place, (share, delay) in enumerate(ARMS):
        taken = (labelled.share == share) & (labelled.delay_days == delay)
        bads, count = int(labelled.bad[taken].sum()), int(taken.sum())
        rate = bads / count if count else float("nan")
        bounds = float(low[place]), float(high[place])
        rows.append((f"{share:.0%} after {delay} days", count, bads, rate, *bounds))
    other = len(labelled) - sum(row[1] for row in rows)
    if other:
        bads = int(labelled.bad.sum()) - sum(row[2] for row in rows)
        rows.append(("another arm", other, bads, np.nan, np.nan, np.nan))
    columns = ("arm", "rows", "bads", "bad rate", "mean risk, at least", "at most")
    return Grid("Arms that the log holds", columns, tuple(rows))


def _names(low: list[GroupTreatment]) -> str:
    groups = ", ".join(f"{t.attribute} {t.group} ({t.impact.value:.2f})" for t in low)
    return f"Impact ratios below {FOUR_FIFTHS} beyond noise: {groups}."

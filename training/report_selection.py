"""The report's sections on whose outcomes are known, and on whether groups fare alike."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS
from relimit.training.arm_effect import MOST_ROWS, expected_withheld, withheld_part
from relimit.training.discrimination import Floats, Interval
from relimit.training.document import Block, Grid, Notice, Section
from relimit.training.explain import EXPLAINED_ROWS
from relimit.training.fairness import FOUR_FIFTHS, GroupTreatment
from relimit.training.hidden_selection import HiddenSelection, judge_selection
from relimit.training.judged import Judged
from relimit.training.labelled import Labelled
from relimit.training.propensity import LEAST_WEIGHT, MOST_WEIGHT
from relimit.training.splits import sample_rows
from relimit.training.views import explored

TAUGHT_ROWS: Final = 15_000
"""Rows that tell what the older policy withholds: as many as each half of the effect's has."""
DOUBLED: Final = 2.0
TITLE: Final = "Selective labels"
STRENGTHS: Final = (1.0, 1.5, 2.0, 3.0)
DISTRUST: Final = "Don't trust the restoration risk of accounts that the older policy held back"
UNKNOWN: Final = (
    f"{DISTRUST}: too few of them, or of those restored, went bad on the test rows to show what it "
    "chose by."
)
ONE_ARM: Final = (
    "All observations took one arm: nothing tells what another would have done, and the figures "
    "hold for that arm alone."
)
UNSEEN: Final = (
    f"{DISTRUST} further than "
    "the ranges below: nothing contradicts the log, but too few bads are on rows whose propensity "
    "shows that an arm was drawn by chance, so that nothing can confirm it either."
)
TRUSTED: Final = (
    "The restoration risk can be trusted as far as these rows show: nothing points to a choice by "
    "something that the log lacks."
)
LEARNT_ALONG: Final = (
    "What restoring does to the risk was learnt along with the features, not estimated by itself: "
    "a scorecard does so, and trees where the log has too few bads or its arms follow from the "
    "features. It is then likely to come out too small."
)
TREATMENT: Final = {
    "attribute": "column",
    "group": "group",
    "rows": "rows",
    "favourable": "favourable",
    "impact": "impact ratio",
    "risk_difference": "risk difference",
    "days": "days to restore",
    "days_gap": "days gap",
    "days_difference": "days difference",
}
"""Headings of what is shown of a `GroupTreatment`."""
STRONGER: Final = (
    "Strength: by how much something that the log lacks may have moved the odds of being restored, "
    "for or against those who would go bad (marginal sensitivity model, Tan 2006). No risk is "
    "below the bad rate at the arm that was taken, since restoring more lowers nobody's risk."
)


def selection(judged: Judged) -> Section:
    """Return what the log's selection does to the figures, and where nothing is known."""
    found = judged.fitted.propensities
    if found is None and judged.data.labelled.names_arms:
        return Section(TITLE, (ONE_ARM, *_never_tried(judged), _arms(judged)))
    if found is None:
        return Section(
            TITLE,
            (
                "The observations have no arms: nothing tells who was chosen for what, and the "
                "figures hold for rows like these alone, all taken as restored in full at once.",
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
    blocks = (*_trust(judged), grid, *_effect(judged), *_never_tried(judged), _arms(judged))
    return Section(TITLE, blocks)


def fairness(judged: Judged) -> Section:
    """Return how the groups of the audit columns fare."""
    audit = judged.audit
    if audit is None or not audit.treatments:
        return Section("Fairness", ("No accounts table with audit columns was given.",))
    low = [t for t in audit.treatments if t.impact.high < FOUR_FIFTHS]
    notes = [Notice(_names(low))] if low else []
    rows = tuple(tuple(getattr(t, name) for name in TREATMENT) for t in audit.treatments)
    return Section(
        "Fairness",
        (
            f"Favourable: {audit.favourable}. Ratios, gaps in the days until the limit returns and "
            "standardised differences of risk and of days are against the group of the same column "
            "that fares best. The audit columns are never features.",
            *notes,
            Grid("By audit column", tuple(TREATMENT.values()), rows),
        ),
    )


def _effect(judged: Judged) -> list[Block]:
    """Say by how much restoring raises the risk, and how the model knows."""
    found = judged.fitted.arm_effect
    if found is None:
        return [LEARNT_ALONG]
    return [
        "Restoring a whole limit at once rather than withholding it moves the log-odds of bad by "
        f"{found.estimate.value:+.2f} (95% interval {found.estimate.low:+.2f} to "
        f"{found.estimate.high:+.2f}), estimated by itself from {found.rows:,} rows with "
        f"{found.bads:,} bads (double machine learning, Chernozhukov et al. 2018, weighted by "
        f"propensity). The model takes {found.used:+.2f}: the estimate drawn towards 0 as far as "
        "it is uncertain, and never below, since restoring more lowers nobody's risk."
    ]


def _never_tried(judged: Judged) -> list[Block]:
    untried = len(ARMS) - len(judged.fitted.model.tried)
    if not untried:
        return []
    return [
        Notice(
            f"History never tried {untried} of the {len(ARMS)} arms: a risk there is "
            "extrapolated along the constraints. The table of arms shows bounds in its place, from "
            "the nearest arms that the rows fitted on tried."
        )
    ]


def _trust(judged: Judged) -> list[Block]:
    """Say first whether the restoration risk can be trusted, by how much it is off, and why."""
    places = sample_rows(len(judged.data.split.test), MOST_ROWS)
    rows, risk = judged.data.split.test[places], judged.restoration_risk(places)
    found = _judge(judged, rows, risk)
    if found is None:
        return [Notice(UNKNOWN)]
    doubled = _doubled(found, float(risk.mean()))
    verdict: Block = f"{TRUSTED} {_evidence(found)}"
    if found.found:
        verdict = Notice(f"{_distrust(found)} {doubled} {_evidence(found)}")
    elif found.exploration is None:
        verdict = Notice(f"{UNSEEN} {doubled} {_evidence(found)}")
    strengths = sorted({*STRENGTHS, found.least_strength} - {np.inf})
    ranges = tuple((g, *found.risk_range(g), float(risk.mean())) for g in strengths)
    columns = ("strength", "lowest", "highest", "the model's")
    return [verdict, STRONGER, Grid("Mean restoration risk, by hidden selection", columns, ranges)]


def _judge(judged: Judged, rows: NDArray[np.int64], risk: Floats) -> HiddenSelection | None:
    data, test = judged.data, judged.data.labelled.take(rows)
    learn = data.split.fit[sample_rows(len(data.split.fit), TAUGHT_ROWS)]
    taught = _withheld(judged, data.labelled.take(learn))
    return judge_selection(
        test.bad,
        risk,
        _withheld(judged, test),
        expected_withheld(data.X[learn], taught, data.X[rows]),
        account=test.account_id,
        drawn=explored(test) if np.isfinite(test.propensity).all() else None,
    )


def _withheld(judged: Judged, rows: Labelled) -> Floats:
    return withheld_part(rows.share, rows.delay_days, judged.data.horizon_days)


def _distrust(found: HiddenSelection) -> str:
    """Say by how much the risk is too low at least, or that the rates bound nothing."""
    points = found.too_low
    low, high = 100 * points.low, 100 * points.high
    words = f"{DISTRUST}: it chose by something that the log lacks, which no weight removes."
    if points.value <= 0.0:
        return (
            f"{words} Their bad rate at the arm they got is {-100 * points.value:.2f} points below "
            f"it (95% interval {-high:+.2f} to {-low:+.2f}), since less was restored: how much is "
            "missing at least isn't known."
        )
    return (
        f"{words} It is too low by {100 * points.value:.2f} points at least (95% interval "
        f"{low:+.2f} to {high:+.2f}): so many more of them went bad, though less was restored. To "
        f"explain it takes hidden selection of strength {found.least_strength:.2f}."
    )


def _doubled(found: HiddenSelection, risk: float) -> str:
    most = found.risk_range(DOUBLED)[1]
    return (
        "Had the choice followed what the log lacks at twice the odds, the mean restoration risk "
        f"would be up to {most:.2%} where the model says {risk:.2%}, {100 * (most - risk):+.2f} "
        "points."
    )


def _evidence(found: HiddenSelection) -> str:
    words = (
        "Accounts held back wholly against accounts alike that were restored: log-odds of bad "
        f"{_limits(found.direction)}; above 0 contradicts that restoring less harms nobody."
    )
    if found.exploration is None:
        return words
    return (
        f"{words} Held back by choice against alike held back by chance: "
        f"{_limits(found.exploration)}; 0 is what a log that lacks nothing shows."
    )


def _limits(found: Interval) -> str:
    return f"{found.value:+.2f} (99% interval {found.low:+.2f} to {found.high:+.2f})"


def _arms(judged: Judged) -> Grid:
    """Return what the log holds of each arm, and the risk there: bounds where it was not tried."""
    labelled, model = judged.data.labelled, judged.fitted.model
    sampled = judged.test_features(EXPLAINED_ROWS)
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

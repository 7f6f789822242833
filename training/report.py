"""The validation report and the model card of a version, from the same facts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from relimit.models import RiskModel, ScorecardHead
from relimit.training.document import (
    Cell,
    Document,
    Grid,
    Notice,
    Section,
    to_html,
    to_markdown,
)
from relimit.training.grid_data import PLOTS, TABLES, grid_json, grids_by_name, pictures_by_name
from relimit.training.judged import Judged
from relimit.training.report_gains import gains
from relimit.training.report_loss import expected_loss
from relimit.training.report_model import SAME_MONTHS, drivers, families, shifts_of, stability
from relimit.training.report_performance import backtest, calibration, discrimination, views_grid
from relimit.training.report_scorecard import scorecard
from relimit.training.report_selection import fairness, selection
from relimit.training.splits import OUT_OF_ACCOUNT, SLICES
from relimit.training.stability import Shift
from relimit.training.tune import Tuning
from relimit.training.views import NAIVE

USE: Final = (
    "Estimates the probability that a borrower on a revolving consumer line falls {dpd} days past "
    "due within {horizon} days if a limit freed by an early repayment is restored at once. A "
    "published policy turns it into a decision with reasons; it is not for pricing, collections or "
    "marketing."
)
PERFORMANCE: Final = "On rows that it has not learnt from, with 95% limits by account"
LIMITS: Final = "Prepaying is no sign of risk in itself, and audit columns are never features."
LIMITS_OF_A_LOG: Final = (
    "Outcomes are known only for the arms that an older policy took. Weights remove what its log "
    "shows of that choice, not what it didn't log."
)


def render(judged: Judged) -> dict[str, str | bytes]:
    """Return the report, its tables as data and its pictures, and the card, by file name.

    Pictures that the judged version has as plots of its own are left out.
    """
    shared = Shared(trained_on(judged), selection(judged), fairness(judged))
    card, report = model_card(judged, shared), validation_report(judged, shared)
    tables = {
        f"{TABLES}/{name}.json": grid_json(grid) for name, grid in grids_by_name(report).items()
    }
    known = set(judged.plots.values())
    pictures = {
        f"{PLOTS}/{name}.png": image
        for name, image in pictures_by_name(report).items()
        if image not in known
    }
    texts = {
        "validation_report.html": to_html(report),
        "model_card.md": to_markdown(card),
        "model_card.html": to_html(card),
    }
    return {**tables, **pictures, **texts}


class Shared(NamedTuple):
    """Sections that stand in the report and in the card."""

    trained_on: Section
    selection: Section
    fairness: Section


def validation_report(judged: Judged, shared: Shared) -> Document:
    """Return the whole report; see the sections for what each figure is.

    Every figure is of the test slice, which the model has neither been fitted nor calibrated on.
    """
    shifts, model = shifts_of(judged), judged.fitted.model
    sections = [
        _summary(judged, shifts),
        shared.trained_on,
        *_card(model),
        discrimination(judged),
        calibration(judged),
        expected_loss(judged),
        stability(shifts, judged.data.split.kind),
        gains(judged),
        *drivers(judged),
        families(judged),
        shared.selection,
        shared.fairness,
    ]
    if judged.backtest:
        sections.append(backtest(judged.backtest))
    return Document(f"Validation report: {_title(judged)}", tuple(sections))


def model_card(judged: Judged, shared: Shared) -> Document:
    """Return the short model card (Mitchell et al. 2019)."""
    figures = ("auc", "ks", "h_measure", "brier", "log_loss", "ece")
    performance = views_grid(PERFORMANCE, judged, figures)
    sections = (
        Section("Intended use", (_use(judged),)),
        shared.trained_on,
        Section("Performance", (*_warnings(judged), *verdicts(judged), performance)),
        Section("Limits", _limits(judged)),
        shared.selection,
        shared.fairness,
    )
    return Document(f"Model card: {_title(judged)}", sections)


def _use(judged: Judged) -> str:
    return USE.format(dpd=judged.settings["days_past_due"], horizon=judged.settings["horizon_days"])


def _limits(judged: Judged) -> tuple[str, ...]:
    """Return what the figures can't say; of weights only where there are arms to weigh by."""
    return (LIMITS_OF_A_LOG, LIMITS) if judged.fitted.propensities else (LIMITS,)


def trained_on(judged: Judged) -> Section:
    """Return what the model was trained on, and how the rows were sliced."""
    about, settings = judged.about, judged.settings
    model, tuning = judged.fitted.model, judged.fitted.tuning
    named = ("rows", "bads", "accounts", "not_matured", "horizon_days", "first_as_of", "last_as_of")
    rows: list[tuple[Cell, ...]] = [(name.replace("_", " "), about[name]) for name in named]
    rows += [
        ("days past due of a bad", int(settings["days_past_due"])),
        ("family", str(settings["family"])),
        ("seed", int(settings["seed"])),
        ("features", len(model.feature_names)),
        ("features that vary in the rows fitted on", _varying(model)),
        ("arms as features", "yes" if model.has_arms else "no"),
        ("settings tried", _tried(tuning)),
        ("short arrears count as so much of a bad", judged.fitted.part_of_bad),
        ("calibration", judged.fitted.calibration.calibration.kind),
        (
            "calibrated on",
            "both slices, folds apart" if judged.fitted.cross_fitted else "calibrate",
        ),
        ("expected-loss head", model.loss.kind),
        ("SHA-256 of the observations", str(about["observations_sha256"])),
        ("SHA-256 of the features", str(about["matrix_sha256"])),
        ("code revision", str(about.get("code_revision") or "unknown")),
    ]
    slices = [
        (name, about["slices"][name]["rows"], about["slices"][name]["bads"]) for name in SLICES
    ]
    left_out = judged.data.split.left_out
    return Section(
        "What was trained, and on what",
        (
            f"Split {judged.data.split.description}. {left_out:,} rows are in no slice (purged): "
            "they would put one outcome into two slices, or calibrate on rows no later than those "
            "fitted on.",
            Grid("Data and model", ("", "value"), tuple(rows)),
            Grid("Slices", ("slice", "rows", "bads"), tuple(slices)),
        ),
    )


def _varying(model: RiskModel) -> int:
    """Return how many features say anything: the others are one value, or null, in every row."""
    return sum(max(known.shares) < 1.0 for known in model.reference.features.values())


def _tried(tuning: Tuning | None) -> str:
    if tuning is None:
        return "its own alone"
    minutes = tuning.budget.minutes
    asked = "" if minutes is None else f" of {minutes:g} minutes"
    return f"{len(tuning.trials)}, in {tuning.seconds / 60.0:.1f}{asked or ' minutes'}"


def verdicts(judged: Judged) -> list[str]:
    """Return what the figures say, in words."""
    m = judged.fitted.metrics
    return [
        f"AUC {m['auc']:.3f} ({m['auc_low']:.3f} to {m['auc_high']:.3f}), KS {m['ks']:.3f}, "
        f"H-measure {m['h_measure']:.3f} on {int(m['rows']):,} test rows with "
        f"{int(m['bads']):,} bads.",
        f"Calibration {_slope(m)} and intercept {m['calibration_intercept']:+.2f} "
        f"({m['calibration_intercept_low']:+.2f} to {m['calibration_intercept_high']:+.2f}); "
        f"calibration error {m['ece']:.4f}.",
    ]


def _slope(m: Mapping[str, float]) -> str:
    """Return the calibration slope in words; risks that don't vary, or part all bads, have none."""
    if math.isnan(m["calibration_slope"]):
        return "slope that these rows can't tell"
    low, high = m["calibration_slope_low"], m["calibration_slope_high"]
    return f"slope {m['calibration_slope']:.2f} ({low:.2f} to {high:.2f})"


def _summary(judged: Judged, shifts: Mapping[str, Sequence[Shift]]) -> Section:
    shift, *features = shifts[NAIVE]
    moved = [item.name for item in features if item.verdict == "shifted"]
    words = (
        f"The risk's PSI against training is {shift.index:.3f} ({shift.verdict}); "
        f"{len(moved)} of {len(features)} features have shifted."
    )
    if judged.data.split.kind == OUT_OF_ACCOUNT:
        words += f" {SAME_MONTHS}"
    return Section("Summary", (*_warnings(judged), *verdicts(judged), words))


def _card(model: RiskModel) -> list[Section]:
    head, scale = model.head, model.points_scale()
    if scale is None or not isinstance(head, ScorecardHead):
        return []
    return [scorecard(head, model.calibration, scale)]


def _warnings(judged: Judged) -> list[Notice]:
    return [Notice(caution) for caution in judged.cautions]


def _title(judged: Judged) -> str:
    settings: Any = judged.settings
    return f"{settings['name']} ({settings['family']})"

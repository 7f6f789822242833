"""Two models on the same rows: discrimination, calibration, and money under the same policy."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.errors import DataError, ModelError
from relimit.features import compute_features
from relimit.models import RiskModel
from relimit.policy import Policy
from relimit.training.discrimination import Interval
from relimit.training.evidence import weigh_evidence
from relimit.training.labelled import Labelled, read_labelled
from relimit.training.logged_risk import logged_risk
from relimit.training.metrics import evaluate, reliability
from relimit.training.money import Money, Scored, most_moved, weigh_money
from relimit.training.splits import OUT_OF_ACCOUNT, unseen_rows

Floats = NDArray[np.float64]
OWN_LOSS: Final = "expected_loss_yuan"
SAME: Final = ("rows", "bads", "freed_yuan", OWN_LOSS)
LIMITS: Final = ("_low", "_high")
"""Figures, and ends of figures, whose difference says nothing; each model judges its own loss."""
LOSS: Final = "loss_yuan_per_prepayment"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two models differ on rows that neither has learnt from.

    Attributes
    ----------
    a, b
        Figures of each by name; with freed amounts also the yuan that the policy would restore.
    delta
        b − a of the same figures, but for the loss that each model expects of its own decisions:
        that would fall with the judge; `expected_loss` has the change by one judge at a time.
    intervals
        95% intervals of the paired differences: `auc` (DeLong), `log_loss` and, with freed amounts,
        `loss_yuan_per_prepayment`, the expected loss of restoring everything (bootstrap), all
        clustered by account.
    calibration
        For a and b, by tenths of the rows: `mean_risk`, `bad_rate`, `share`.
    swap_sets, migration, expected_loss, reasons
        See `Money`; empty without freed amounts.
    moved
        The twenty accounts whose restored limit, or without freed amounts whose risk, differs most.
    verdict
        `b better`, `a better`, `no difference beyond noise` or `too few bads to rank`.
    evidence
        What the verdict rests on, in words.
    rows
        Which rows were compared, in words.
    """

    a: dict[str, float]
    b: dict[str, float]
    delta: dict[str, float]
    intervals: dict[str, Interval]
    calibration: dict[str, list[dict[str, float]]]
    swap_sets: dict[str, float]
    migration: dict[str, list[Any]]
    expected_loss: dict[str, dict[str, float]]
    reasons: dict[str, Any]
    moved: list[dict[str, Any]]
    verdict: str
    evidence: tuple[str, ...]
    rows: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; figures that are NaN are left out."""
        plain = asdict(self)
        for name in ("a", "b", "delta"):
            plain[name] = {key: x for key, x in plain[name].items() if np.isfinite(x)}
        return {**plain, "evidence": list(self.evidence)}


def compare(
    model_a: RiskModel,
    model_b: RiskModel,
    events: Path,
    observations: pa.Table,
    policy: Policy,
    *,
    all_rows: bool = False,
    workers: int = 1,
) -> Comparison:
    """Compare two models on the rows that neither has learnt from.

    These are, for a model that was split in time, the rows at or after its test slice's start, and
    for one split by account, the accounts it held out; a row must qualify for both.

    Parameters
    ----------
    model_a, model_b
        Trained by this project: their manifests say which rows they learnt from.
    events, observations
        As for training. Rows with `freed` are also decided under the policy, by either model.
    policy
        The same for both.
    all_rows
        Compare on all rows: right if both models come from another book.
    workers
        Threads that compute features.

    Raises
    ------
    DataError
        If no row, or only one class of rows, is left to compare on.
    ModelError
        If a manifest doesn't say what the model learnt from, or the models speak of outcomes in
        windows of different length.
    """
    _require_one_outcome(model_a, model_b)
    labelled, matured = read_labelled(observations)
    keep = _unseen_by(model_a, labelled, "a") & _unseen_by(model_b, labelled, "b")
    keep |= all_rows
    _require_both_classes(labelled.bad[keep], len(labelled))
    test = labelled.take(keep)
    snapshots = matured.filter(pa.array(keep)).select(["account_id", "as_of"])
    X_a, X_b = _features(model_a, model_b, events, snapshots, workers)
    risk_a, risk_b = logged_risk(model_a, X_a, test), logged_risk(model_b, X_b, test)
    figures_a = evaluate(test.bad, risk_a, clusters=test.account_id)
    figures_b = evaluate(test.bad, risk_b, clusters=test.account_id)
    evidence = weigh_evidence(test.bad, risk_a, risk_b, test.account_id)
    freed = test.freed > 0.0
    money = None
    if freed.any():
        sides = Scored(model_a, X_a).take(freed), Scored(model_b, X_b).take(freed)
        money = weigh_money(*sides, events, test.take(freed), policy)
        figures_a, figures_b = figures_a | money.totals[0], figures_b | money.totals[1]
    intervals = {"auc": evidence.auc, "log_loss": evidence.log_loss}
    return Comparison(
        a=figures_a,
        b=figures_b,
        delta=_delta(figures_a, figures_b),
        intervals=intervals if money is None else {**intervals, LOSS: money.loss_difference},
        calibration={"a": _curve(test, risk_a), "b": _curve(test, risk_b)},
        swap_sets={} if money is None else money.swap_sets,
        migration={} if money is None else money.migration,
        expected_loss={} if money is None else money.expected_loss,
        reasons={} if money is None else money.reasons,
        moved=most_moved(test.account_id, [risk_a, risk_b]) if money is None else money.moved,
        verdict=evidence.verdict,
        evidence=(*evidence.reasons, *_in_money(money)),
        rows=_describe(model_a, model_b, int(keep.sum()), len(labelled), all_rows=all_rows),
    )


def _delta(a: dict[str, float], b: dict[str, float]) -> dict[str, float]:
    told = (name for name in a if name not in SAME and not name.endswith(LIMITS))
    return {name: b[name] - a[name] for name in told}


def _unseen_by(model: RiskModel, labelled: Labelled, which: str) -> NDArray[np.bool_]:
    if "split" not in model.manifest:
        raise ModelError(
            "its manifest has no split: it doesn't say which rows it learnt from",
            where=f"model {which} ({model.version})",
            mend="Compare versions made by relimit train",
        )
    return unseen_rows(model.manifest["split"], labelled.account_id, labelled.as_of)


def _require_one_outcome(model_a: RiskModel, model_b: RiskModel) -> None:
    a, b = (
        f"{model.days_past_due} days past due in {model.horizon_days} days"
        for model in (model_a, model_b)
    )
    if a != b:
        raise ModelError(
            f"a predicts who falls {a}, b who falls {b}: no outcome can judge both",
            where=f"models {model_a.version} and {model_b.version}",
            mend="Train one of them again with the other's --horizon and --dpd",
        )


def _require_both_classes(bad: NDArray[np.bool_], matured: int) -> None:
    bads = int(bad.sum())
    if bads in (0, bad.size):
        raise DataError(
            f"of {matured} matured rows, {bad.size} were not learnt from by either model, and "
            f"{bads} of these are bad",
            where="observations",
            mend="Bring later observations, or say --all-rows if both were trained on another book",
        )


def _features(
    model_a: RiskModel, model_b: RiskModel, events: Path, snapshots: pa.Table, workers: int
) -> tuple[Floats, Floats]:
    """Compute what either model reads once, and give each its own columns."""
    names = list(dict.fromkeys([*model_a.feature_names, *model_b.feature_names]))
    X = compute_features(events, snapshots, workers=workers, names=names)
    place = {name: i for i, name in enumerate(names)}
    both = ([place[name] for name in m.feature_names] for m in (model_a, model_b))
    X_a, X_b = (np.ascontiguousarray(X[:, columns]) for columns in both)
    return X_a, X_b


def _curve(test: Labelled, risk: Floats) -> list[dict[str, float]]:
    names = ("mean_risk", "bad_rate", "share")
    points = zip(*reliability(test.bad, risk), strict=True)
    return [dict(zip(names, map(float, point), strict=True)) for point in points]


def _in_money(money: Money | None) -> list[str]:
    if money is None:
        return []
    swap, judged = money.swap_sets, money.expected_loss
    return [
        f"b restores more in {swap['b_restores_more']:,.0f} prepayments "
        f"(¥{swap['b_restores_more_yuan']:,.0f}) and less in {swap['b_restores_less']:,.0f} "
        f"(¥{swap['b_restores_less_yuan']:,.0f})",
        "the expected loss changes by "
        + ", ".join(f"¥{loss['change_yuan']:+,.0f} {judge}" for judge, loss in judged.items()),
    ]


def _describe(
    model_a: RiskModel, model_b: RiskModel, kept: int, matured: int, *, all_rows: bool
) -> str:
    if all_rows:
        return f"all {matured:,} matured rows, taken for those of another book than the models'"
    splits = [model.manifest["split"] for model in (model_a, model_b)]
    ways = dict.fromkeys(str(split["description"]) for split in splits)
    by_account = all(split["kind"] == OUT_OF_ACCOUNT for split in splits)
    unlike = by_account and len({split.get("salt", 0) for split in splits}) > 1
    few = "; each held out other accounts than the other, which leaves few" if unlike else ""
    return (
        f"{kept:,} of {matured:,} matured rows, those that neither model learnt from "
        f"({'; '.join(ways)}{few})"
    )

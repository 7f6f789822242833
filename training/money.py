"""What two models' risks mean in money under one policy: who would get back more, or less."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.models import RiskModel
from relimit.policy import REASONS, Facts, Policy
from relimit.training.bootstrap import bootstrap_mean
from relimit.training.discrimination import Bools, Floats, Interval
from relimit.training.labelled import Labelled
from relimit.training.replay import Ints, Replay, facts_at, replay
from relimit.training.splits import sample_rows

Reasons = NDArray[np.int8]

BANDS: Final = (
    "nothing",
    "up to a quarter",
    "up to a half",
    "up to three quarters",
    "more, not all",
    "all, later",
    "all at once",
)
REASONED_ROWS: Final = 2_000
"""Reasons need contributions, which cost far more than a risk: they are found on a sample."""
MOST_MOVED: Final = 20


@dataclass(frozen=True, slots=True)
class Scored:
    """A model with its features `[n, F]` of the rows at hand."""

    model: RiskModel
    X: Floats

    def take(self, rows: Any) -> "Scored":
        """Return some rows, by index or by mask."""
        return Scored(self.model, self.X[rows])


@dataclass(frozen=True, slots=True)
class Money:
    """Two models under one policy.

    Attributes
    ----------
    totals
        For a and b: sums in yuan, each loss as its own model expects it.
    swap_sets
        Prepayments for which b restores more, or less, than a: count and yuan.
    migration
        `bands` of the restored share, and `count` and `freed_yuan`: a row a band under a, a column
        a band under b.
    expected_loss
        By judge: yuan lost under a's decisions, under b's, and the change.
    loss_difference
        b − a of the expected loss of restoring everything, yuan a prepayment.
    reasons
        `rows` looked at, the share whose reasons `changed`, and by code how many rows have it under
        both, a alone, b alone.
    moved
        The accounts whose restored limit differs most.
    """

    totals: tuple[dict[str, float], dict[str, float]]
    swap_sets: dict[str, float]
    migration: dict[str, list[Any]]
    expected_loss: dict[str, dict[str, float]]
    loss_difference: Interval
    reasons: dict[str, Any]
    moved: list[dict[str, Any]]


def weigh_money(a: Scored, b: Scored, events: Path, rows: Labelled, policy: Policy) -> Money:
    """Decide the same prepayments under either model.

    Parameters
    ----------
    a, b
        Models with features of `rows`.
    events
        What the policy's facts are read from.
    rows
        `[n]` with a freed amount above 0 each.
    policy
        The same for both.
    """
    facts = facts_at(events, rows, policy)
    losses = [side.model.expected_loss(side.X, rows.freed) for side in (a, b)]
    risks = [side.model.restoration_risk(side.X) for side in (a, b)]
    decided = [
        replay(policy, rows, facts, risk=risk, expected_loss=loss)
        for risk, loss in zip(risks, losses, strict=True)
    ]
    return Money(
        totals=(decided[0].totals(), decided[1].totals()),
        swap_sets=swap_sets(*decided),
        migration=migration(*decided),
        expected_loss={
            judge: loss_change(decided[0], decided[1], loss)
            for judge, loss in zip(("judged by a", "judged by b"), losses, strict=True)
        },
        loss_difference=bootstrap_mean((losses[1] - losses[0]) / FEN_PER_YUAN, rows.account_id),
        reasons=_churn(a, b, rows, facts, policy),
        moved=most_moved(rows.account_id, risks, [item.restored for item in decided]),
    )


def migration(a: Replay, b: Replay) -> dict[str, list[Any]]:
    """Return how many prepayments, and how much of what they freed, change their band."""
    places = _band(a), _band(b)
    count = np.zeros((len(BANDS), len(BANDS)), np.int64)
    freed = np.zeros_like(count)
    np.add.at(count, places, 1)
    np.add.at(freed, places, a.freed)
    return {
        "bands": list(BANDS),
        "count": count.tolist(),
        "freed_yuan": (freed / FEN_PER_YUAN).tolist(),
    }


def most_moved(
    account_id: Any, risks: list[Floats], restored: list[Ints] | None = None
) -> list[dict[str, Any]]:
    """Return the twenty accounts whose restored limit, or else mean risk, differs most.

    Parameters
    ----------
    account_id
        `[n]`.
    risks
        `[n]` of a and of b.
    restored
        `[n]` fen under a and under b; None without freed amounts.
    """
    columns = {"risk_a": risks[0], "risk_b": risks[1]}
    means = pd.DataFrame(columns).groupby(account_id).mean()
    # Rows are prepayments only where something was freed.
    counted = "rows" if restored is None else "prepayments"
    found = means.assign(**{counted: pd.Series(account_id).groupby(account_id).size()})
    order = [(means["risk_b"] - means["risk_a"]).abs()]
    if restored is not None:
        sums = pd.DataFrame({"a": restored[0], "b": restored[1]}).groupby(account_id).sum()
        order.insert(0, (sums["b"] - sums["a"]).abs())
        found = found.assign(**{f"restored_{s}_yuan": sums[s] / FEN_PER_YUAN for s in ("a", "b")})
    first = np.lexsort([-key.to_numpy() for key in reversed(order)])
    differs = np.any([key.to_numpy() > 0.0 for key in order], axis=0)
    top = found.iloc[[place for place in first if differs[place]][:MOST_MOVED]]
    return [
        {"account_id": key, **row} for key, row in zip(top.index.tolist(), _plain(top), strict=True)
    ]


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict(orient="records")]


def _band(decided: Replay) -> Ints:
    share = decided.restored / np.maximum(decided.freed, 1)
    part = np.clip(np.ceil(share * 4.0), 0, 4).astype(np.int64)
    all_now = decided.restored_now == decided.freed
    return np.where(all_now, 6, np.where(decided.restored == decided.freed, 5, part))


def swap_sets(a: Replay, b: Replay) -> dict[str, float]:
    """Return for how many prepayments b restores more, or less, than a, and how many yuan."""
    moved = b.restored - a.restored
    return {
        "b_restores_more": float((moved > 0).sum()),
        "b_restores_more_yuan": float(moved[moved > 0].sum()) / FEN_PER_YUAN,
        "b_restores_less": float((moved < 0).sum()),
        "b_restores_less_yuan": float(-moved[moved < 0].sum()) / FEN_PER_YUAN,
        "same": float((moved == 0).sum()),
    }


def loss_change(a: Replay, b: Replay, loss: Floats) -> dict[str, float]:
    """Return the yuan that one judge, who expects `loss` `[n]` fen of restoring all, sees lost.

    Under a's decisions, under b's, and the change; a loss counts by the share restored.
    """
    under_a, under_b = (
        float((loss * side.restored / np.maximum(side.freed, 1)).sum()) / FEN_PER_YUAN
        for side in (a, b)
    )
    return {"a_yuan": under_a, "b_yuan": under_b, "change_yuan": under_b - under_a}


def reason_churn(a: Reasons, b: Reasons) -> dict[str, Any]:
    """Return how the reasons of the same prepayments differ, whatever their order.

    Parameters
    ----------
    a, b
        `[n, at most]` places in `REASONS`, -1 where there are fewer.

    Returns
    -------
    dict
        `rows`, the share whose reasons `changed`, and by code in `codes` how many rows have it
        under `both`, `a_only` and `b_only`; a code that nobody is given is left out.
    """
    given_a, given_b = (_given(reasons) for reasons in (a, b))
    codes = {
        code: {
            "both": int((given_a[:, i] & given_b[:, i]).sum()),
            "a_only": int((given_a[:, i] & ~given_b[:, i]).sum()),
            "b_only": int((given_b[:, i] & ~given_a[:, i]).sum()),
        }
        for i, code in enumerate(REASONS)
        if (given_a | given_b)[:, i].any()
    }
    changed = float((given_a != given_b).any(axis=1).mean())
    return {"rows": len(a), "changed": changed, "codes": codes}


def _churn(a: Scored, b: Scored, rows: Labelled, facts: Facts, policy: Policy) -> dict[str, Any]:
    """Find the reasons that a sample of the rows is given under either model."""
    some = sample_rows(len(rows), REASONED_ROWS)
    rows, facts = rows.take(some), facts.take(some)
    return reason_churn(*(_reasons(side.take(some), rows, facts, policy) for side in (a, b)))


def _reasons(side: Scored, rows: Labelled, facts: Facts, policy: Policy) -> Reasons:
    return replay(
        policy,
        rows,
        facts,
        risk=side.model.restoration_risk(side.X),
        expected_loss=side.model.expected_loss(side.X, rows.freed),
        explain=lambda asked: side.model.contributions(side.X[asked]),
        feature_names=side.model.feature_names,
    ).reasons


def _given(reasons: Reasons) -> Bools:
    """Return `[n, reasons]` which reasons each row is given."""
    given = np.zeros((len(reasons), len(REASONS) + 1), np.bool_)
    np.put_along_axis(given, reasons.astype(np.int64), values=True, axis=1)
    return given[:, :-1]  # −1, no reason, is the last

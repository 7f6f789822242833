"""What a policy would have decided on past prepayments under one model or another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.schema import TIME
from relimit.data.stream import iter_event_blocks
from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.features import History
from relimit.features.matrix import empty_block
from relimit.features.snapshots import Snapshots
from relimit.policy import Cases, Facts, Policy, decide, gather_facts, reads_contributions
from relimit.policy.timetable import Timetable
from relimit.training.labelled import Labelled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Explain = Callable[[Ints], Floats]


@dataclass(frozen=True, slots=True)
class Replay:
    """The policy's answers to past prepayments under one model, `[n]` fen each unless said.

    Attributes
    ----------
    restored_now, restored_later, withheld
        They add up to what was freed.
    expected_loss
        Of restoring everything at once.
    freed
        What the prepayments freed.
    days
        float64, mean days until it returns, by amount; NaN where nothing returns.
    reasons
        `[n, at most]` int8 places in `REASONS`, -1 where there are fewer.
    """

    restored_now: Ints
    restored_later: Ints
    withheld: Ints
    expected_loss: Floats
    freed: Ints
    days: Floats
    reasons: NDArray[np.int8]

    @property
    def restored(self) -> Ints:
        """What returns, now or later, fen."""
        return self.restored_now + self.restored_later

    def totals(self) -> dict[str, float]:
        """Return the sums in yuan; a loss counts by the share that is restored."""
        share = self.restored / np.maximum(self.freed, 1)
        sums = {
            "freed_yuan": self.freed.sum(),
            "restored_now_yuan": self.restored_now.sum(),
            "restored_later_yuan": self.restored_later.sum(),
            "withheld_yuan": self.withheld.sum(),
            "expected_loss_yuan": (self.expected_loss * share).sum(),
        }
        return {name: float(total) / FEN_PER_YUAN for name, total in sums.items()}


def facts_at(events: Path, labelled: Labelled, policy: Policy) -> Facts:
    """Return what the policy reads of each account, at the rows' times and in their order."""
    table = pa.table(
        {"account_id": pa.array(labelled.account_id), "as_of": pa.array(labelled.as_of, TIME)}
    )
    points = Snapshots.from_table(table)
    rows, parts = [], []
    for block in iter_event_blocks(events, accounts=points.account_ids):
        low, high, account = points.of_block(block.account_ids)
        found = points.rows_of(low, high)
        rows.append(found)
        parts.append(gather_facts(History(block, account, points.as_of[found]), policy))
    silent = np.setdiff1d(np.arange(table.num_rows), np.concatenate(rows or [np.empty(0, int)]))
    rows.append(silent)
    nowhere = np.full(len(silent), -1)
    parts.append(gather_facts(History(empty_block(), nowhere, points.as_of[silent]), policy))
    order = np.argsort(np.concatenate(rows))
    return Facts(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])[order]
            for item in fields(Facts)
        }
    )


def replay(
    policy: Policy,
    labelled: Labelled,
    facts: Facts,
    *,
    risk: Floats,
    expected_loss: Floats,
    explain: Explain | None = None,
    feature_names: Sequence[str] = (),
) -> Replay:
    """Decide past prepayments anew.

    Parameters
    ----------
    policy
        The rules.
    labelled
        `[n]` rows with `freed` in fen, none NaN; what was prepaid is taken to be what it freed.
    facts
        `[n]`, see `facts_at`.
    risk, expected_loss
        `[n]` of restoring everything at once; the loss in fen.
    explain, feature_names
        What reasons are found with: contributions `[m, F]` to the risk of the rows `[m]` that it is
        asked for, which are those whose reasons may hang on them, and the features' names. Without
        it the model's part in a decision is one reason, its whole assessment.
    """
    freed = labelled.freed.astype(np.int64)
    cases = Cases(
        decision_id=np.arange(len(freed)).astype(str).astype(object),
        account_id=labelled.account_id,
        as_of=labelled.as_of,
        prepaid=freed,
        freed=freed,
        risk=risk,
        expected_loss=expected_loss,
        facts=facts,
    )
    if explain is not None:
        cases = _explained(policy, cases, explain, tuple(feature_names))
    decided = decide(policy, cases)
    timetable = decided.timetable
    return Replay(
        restored_now=timetable.restore_now,
        restored_later=timetable.restore_later,
        withheld=timetable.withheld,
        expected_loss=expected_loss,
        freed=freed,
        days=_mean_wait(timetable),
        reasons=np.asarray(decided.reasons, dtype=np.int8),
    )


def _explained(
    policy: Policy, cases: Cases, explain: Explain, feature_names: tuple[str, ...]
) -> Cases:
    rows = np.flatnonzero(reads_contributions(policy, cases))
    contributions = np.zeros((len(cases), len(feature_names)))
    if len(rows):
        contributions[rows] = explain(rows)
    return replace(cases, contributions=contributions, feature_names=feature_names)


def _mean_wait(timetable: Timetable) -> Floats:
    later = timetable.restore_later
    wait = (timetable.later_date - timetable.decided_on).astype("timedelta64[D]").astype(np.float64)
    waited = np.where(later > 0, later * wait, 0.0)
    restored = timetable.restore_now + later
    nothing: Floats = np.full(len(later), np.nan)
    return np.asarray(np.divide(waited, restored, out=nothing, where=restored > 0))

"""Decisions as columns, and as the table of the output contract."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from relimit.data.schema import TIME
from relimit.data.times import EPOCH
from relimit.data.vocabulary import STATUSES
from relimit.policy.cases import Cases
from relimit.policy.filling import Texts
from relimit.policy.outcome import Situation
from relimit.policy.reasons import REASONS
from relimit.policy.remedies import ACTIONS, Remedies
from relimit.policy.timetable import Timetable

PROMISE = pa.struct([pa.field("date", pa.date32()), pa.field("amount", pa.int64())])
REMEDY = pa.struct(
    [
        pa.field("action", pa.string()),
        pa.field("amount", pa.int64()),
        pa.field("days", pa.int32()),
        pa.field("restores", pa.int64()),
    ]
)


def decisions_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of decisions, money in fen; `account_id` is int64 unless said otherwise."""
    columns: list[tuple[str, Any]] = [
        ("decision_id", pa.string()),
        ("account_id", account_id or pa.int64()),
        ("as_of", TIME),
        ("prepaid", pa.int64()),
        ("freed", pa.int64()),
        ("risk", pa.float64()),
        ("expected_loss", pa.int64()),
        ("status", pa.string()),
        ("restore_now", pa.int64()),
        ("restore_later", pa.list_(PROMISE)),
        ("withheld", pa.int64()),
        ("not_later_than", pa.date32()),
        ("reasons", pa.list_(pa.string())),
        ("remedies", pa.list_(REMEDY)),
        ("text_zh", pa.string()),
        ("text_en", pa.string()),
        ("model_version", pa.string()),
        ("policy_version", pa.string()),
    ]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


@dataclass(frozen=True, slots=True)
class Decisions:
    """The policy's answers, a row for each case.

    Attributes
    ----------
    cases
        What was decided.
    situation
        What the rules looked at.
    timetable
        The money and its dates.
    reasons
        `[n, at most 4]` int8 places in `REASONS`, -1 where there are fewer.
    remedies
        What would bring back more, or sooner.
    text_zh, text_en
        `[n]` strings for the borrower.
    policy_version
        `Policy.version`.
    """

    cases: Cases
    situation: Situation
    timetable: Timetable
    reasons: Any
    remedies: Remedies
    text_zh: Texts
    text_en: Texts
    policy_version: str

    def __len__(self) -> int:
        return len(self.cases)

    def to_table(self) -> pa.Table:
        """Return the table of `decisions_schema`; string ids where the cases have them."""
        cases, timetable, n = self.cases, self.timetable, len(self)
        account_id = _ids(cases.account_id)
        columns = [
            pa.array(cases.decision_id, pa.string()),
            account_id,
            pa.array(cases.as_of, TIME),
            pa.array(cases.prepaid),
            pa.array(cases.freed),
            pa.array(cases.risk),
            pa.array(np.rint(cases.expected_loss).astype(np.int64)),
            pa.array(STATUSES).take(pa.array(timetable.status)),
            pa.array(timetable.restore_now),
            _promises(timetable),
            pa.array(timetable.withheld),
            pa.array(timetable.not_later_than),
            _reasons(self.reasons),
            _remedies(self.remedies),
            self.text_zh.to_arrow(),
            self.text_en.to_arrow(),
            pa.repeat(pa.scalar(cases.model_version, pa.string()), n),
            pa.repeat(pa.scalar(self.policy_version, pa.string()), n),
        ]
        return pa.Table.from_arrays(columns, schema=decisions_schema(account_id.type))

    def row(self, place: int) -> dict[str, Any]:
        """Return a row as `to_table` has it, as plain values: much quicker for a single one."""
        cases, timetable = self.cases, self.timetable
        account_id = cases.account_id[place]
        return {
            "decision_id": cases.decision_id[place],
            "account_id": account_id if isinstance(account_id, str) else int(account_id),
            "as_of": EPOCH + timedelta(microseconds=int(cases.as_of[place])),
            "prepaid": int(cases.prepaid[place]),
            "freed": int(cases.freed[place]),
            "risk": float(cases.risk[place]),
            "expected_loss": int(np.rint(cases.expected_loss[place])),
            "status": STATUSES[timetable.status[place]],
            "restore_now": int(timetable.restore_now[place]),
            "restore_later": _promise(timetable, place),
            "withheld": int(timetable.withheld[place]),
            "not_later_than": timetable.not_later_than[place].item(),
            "reasons": [REASONS[code] for code in self.reasons[place] if code >= 0],
            "remedies": _remedy(self.remedies, place),
            "text_zh": self.text_zh[place],
            "text_en": self.text_en[place],
            "model_version": cases.model_version,
            "policy_version": self.policy_version,
        }


def _promise(timetable: Timetable, place: int) -> list[dict[str, Any]]:
    amount = int(timetable.restore_later[place])
    return [{"date": timetable.later_date[place].item(), "amount": amount}] if amount > 0 else []


def _remedy(remedies: Remedies, place: int) -> list[dict[str, Any]]:
    action = remedies.action[place]
    if action < 0:
        return []
    return [
        {
            "action": ACTIONS[action],
            "amount": int(remedies.amount[place]) if remedies.has_amount[place] else None,
            "days": int(remedies.days[place]),
            "restores": int(remedies.restores[place]),
        }
    ]


def _ids(account_id: Any) -> pa.Array:
    numbers = np.issubdtype(account_id.dtype, np.integer)
    return pa.array(account_id, pa.int64() if numbers else pa.string())


def _lists(present: Any, values: pa.Array) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _promises(timetable: Timetable) -> pa.ListArray:
    later = timetable.restore_later > 0
    values = pa.StructArray.from_arrays(
        [pa.array(timetable.later_date[later]), pa.array(timetable.restore_later[later])],
        fields=list(PROMISE),
    )
    return _lists(later, values)


def _reasons(reasons: Any) -> pa.ListArray:
    given = reasons >= 0
    return _lists(given.sum(axis=1), pa.array(REASONS).take(pa.array(reasons[given])))


def _remedies(remedies: Remedies) -> pa.ListArray:
    offered = remedies.action >= 0
    unknown = ~remedies.has_amount[offered]
    values = pa.StructArray.from_arrays(
        [
            pa.array(ACTIONS).take(pa.array(remedies.action[offered])),
            pa.array(remedies.amount[offered], mask=unknown),
            pa.array(remedies.days[offered]),
            pa.array(remedies.restores[offered]),
        ],
        fields=list(REMEDY),
    )
    return _lists(offered, values)

"""What is wrong with one row of decisions or observations, as rules over the whole table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.findings import ERROR, WARNING
from relimit.data.vocabulary import DELAYS_DAYS, SHARES


@dataclass(frozen=True, slots=True)
class TableRule:
    """A fault that a row of a table can have; `broken(table)` marks the rows, null for no."""

    code: str
    level: str
    column: str
    fault: str
    mend: str
    broken: Callable[[pa.Table], Any]


def _outside(column: str, low: float, high: float) -> Callable[[pa.Table], Any]:
    return lambda table: pc.or_(pc.less(table[column], low), pc.greater(table[column], high))


def _unlike(column: str, values: tuple[float, ...]) -> Callable[[pa.Table], Any]:
    return lambda table: pc.and_(
        pc.is_valid(table[column]),
        pc.invert(pc.is_in(table[column], pa.array(values, table[column].type))),
    )


ARM_RULES: Final = (
    TableRule(
        "propensity_range", ERROR, "propensity", "is not above 0 and at most 1",
        "Write the probability with which that arm was chosen; null if unknown",
        lambda table: pc.invert(
            pc.and_(pc.greater(table["propensity"], 0), pc.less_equal(table["propensity"], 1))
        ),
    ),
    TableRule(
        "share_range", ERROR, "share", "is not from 0 to 1",
        "Write the part of the freed limit that was restored", _outside("share", 0, 1),
    ),
    TableRule(
        "negative_delay", ERROR, "delay_days", "is negative",
        "Write the days from decision to restoration",
        lambda table: pc.less(table["delay_days"], 0),
    ),
    TableRule(
        "negative_freed", ERROR, "freed", "is negative",
        "Write how much limit the prepayment freed, in fen",
        lambda table: pc.less(table["freed"], 0),
    ),
    TableRule(
        "share_off_grid", WARNING, "share", f"is none of {', '.join(map(str, SHARES))}",
        "Nothing, if the older policy knew other shares", _unlike("share", SHARES),
    ),
    TableRule(
        "delay_off_grid", WARNING, "delay_days", f"is none of {', '.join(map(str, DELAYS_DAYS))}",
        "Nothing, if the older policy knew other delays", _unlike("delay_days", DELAYS_DAYS),
    ),
)  # fmt: skip

TABLE_RULES: Final = {
    "decisions": (
        *ARM_RULES,
        TableRule(
            "prepaid_not_positive", ERROR, "prepaid", "is not positive",
            "Write the principal prepaid, in fen", lambda table: pc.less_equal(table["prepaid"], 0),
        ),
        TableRule(
            "freed_over_prepaid", ERROR, "freed", "is more than prepaid",
            "A prepayment frees at most what it repays",
            lambda table: pc.greater(table["freed"], table["prepaid"]),
        ),
    ),
    "observations": (
        *ARM_RULES,
        TableRule(
            "negative_loss", ERROR, "loss", "is negative", "Write the loss in fen, 0 for none",
            lambda table: pc.less(table["loss"], 0),
        ),
    ),
    "accounts": (),
}  # fmt: skip

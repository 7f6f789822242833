"""Rows of the table that the simulated world prints: a value, its target, met or MISSED."""

import math
from dataclasses import dataclass
from typing import Any

import duckdb

TOLERANCE = 0.15


@dataclass(frozen=True)
class Line:
    """A row; `low` and `high` bound what counts as on target."""

    name: str
    value: float
    target: str
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Return whether the value is on target."""
        return self.low <= self.value <= self.high


def near(name: str, value: float, target: float) -> Line:
    """Return a row whose value should be within 15% of a target."""
    low, high = target * (1 - TOLERANCE), target * (1 + TOLERANCE)
    return Line(name, value, f"{target:.4g}", low, high)


def between(name: str, value: float, low: float, high: float) -> Line:
    """Return a row whose value should be in a range."""
    return Line(name, value, f"{low:g} to {high:g}", low, high)


def at_least(name: str, value: float, low: float) -> Line:
    """Return a row whose value has a floor."""
    return Line(name, value, f"at least {low:g}", low, math.inf)


def at_most(name: str, value: float, high: float) -> Line:
    """Return a row whose value has a ceiling."""
    return Line(name, value, f"at most {high:g}", -math.inf, high)


def one_row(base: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the row that a query of one row finds."""
    row = base.execute(query).fetchone()
    assert row is not None
    return row


def show(title: str, lines: list[Line]) -> list[Line]:
    """Print rows under their title; return them."""
    print(f"{title}:")
    for line in lines:
        mark = "met" if line.met else "MISSED"
        print(
            f"  {line.name:<58} {line.value:>10.4g}   target {line.target:<14} {mark}", flush=True
        )
    return lines

"""Calibration: from a head's log-odds to a probability that can be believed.

Every map rises with the log-odds (or stays), so an order, and with it the arms' monotonicity,
survives; and it stays inside (0, 1), so that log-loss is finite.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from relimit.data.errors import ModelError

SMALLEST: Final = 1e-6
"""No risk is nearer to 0 or 1 than this."""

Float = NDArray[np.float64]


class Calibration(Protocol):
    """A frozen, rising map from log-odds to probability."""

    kind: ClassVar[str]

    @property
    def line(self) -> tuple[float, float] | None:
        """Slope and intercept if it is a line through the log-odds, else None."""

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n], inside (0, 1)."""

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""


@dataclass(frozen=True, slots=True)
class NoCalibration:
    """The logistic function alone."""

    kind: ClassVar[str] = "none"
    line: ClassVar[tuple[float, float]] = (1.0, 0.0)

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n]."""
        return _inside(expit(log_odds))

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""
        return {"kind": self.kind}


@dataclass(frozen=True, slots=True)
class Level:
    """A shift of the log-odds, which sets the mean risk and leaves their spread."""

    kind: ClassVar[str] = "level"
    intercept: float

    @property
    def line(self) -> tuple[float, float]:
        """Slope and intercept."""
        return 1.0, self.intercept

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n]."""
        return _inside(expit(log_odds + self.intercept))

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""
        return {"kind": self.kind, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class Platt:
    """A line through the log-odds (Platt 1999), slope at least 0."""

    kind: ClassVar[str] = "platt"
    slope: float
    intercept: float

    @property
    def line(self) -> tuple[float, float]:
        """Slope and intercept."""
        return self.slope, self.intercept

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n]."""
        return _inside(expit(self.slope * log_odds + self.intercept))

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""
        return {"kind": self.kind, "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class Beta:
    """Beta calibration (Kull, Silva Filho and Flach 2017): a ln p - b ln(1 - p) + c, a, b >= 0."""

    kind: ClassVar[str] = "beta"
    line: ClassVar[None] = None
    a: float
    b: float
    c: float

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n]."""
        risen = self.a * log_expit(log_odds) - self.b * log_expit(-log_odds)
        return _inside(expit(risen + self.c))

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""
        return {"kind": self.kind, "a": self.a, "b": self.b, "c": self.c}


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Straight lines between rising thresholds on the probability, flat outside them."""

    kind: ClassVar[str] = "isotonic"
    line: ClassVar[None] = None
    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, log_odds: Float) -> Float:
        """Probability of bad, float64 [n]."""
        return _inside(_interpolate(expit(log_odds), np.array(self.x), np.array(self.y)))

    def to_json(self) -> dict[str, object]:
        """Plain values that `calibration_from_json` reads."""
        return {"kind": self.kind, "x": self.x, "y": self.y}


LEVEL: Final = Level.kind
PLATT: Final = Platt.kind


def calibration_from_json(content: Mapping[str, Any], where: str) -> Calibration:
    """Read what `to_json` wrote.

    Raises
    ------
    ModelError
        If the kind is unknown, or its values are absent, not numbers, or would not rise.
    """
    try:
        return _READERS[content["kind"]](content)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"not a calibration ({error!r})", where=where, mend="Save the model again."
        ) from error


def row_log_loss(bad: NDArray[np.bool_], risk: Float) -> Float:
    """Return each row's -ln(probability given to what happened), in nats, [n].

    Risks are kept from 0 and 1 as every calibrated one is: no row's loss is infinite.
    """
    return np.asarray(-np.log(_inside(np.where(bad, risk, 1.0 - risk))))


def _interpolate(p: Float, x: Float, y: Float) -> Float:
    """Interpolate like `np.interp`, clipped to each piece: rounding can't break the order."""
    if len(x) == 1:
        return np.full(len(p), y[0])
    left = np.clip(np.searchsorted(x, p, side="right") - 1, 0, len(x) - 2)
    slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
    return np.clip(slope * (p - x[left]) + y[left], y[left], y[left + 1])


def _inside(risk: Float) -> Float:
    return np.clip(risk, SMALLEST, 1.0 - SMALLEST)


def _read_isotonic(content: Mapping[str, Any]) -> Isotonic:
    x = tuple(float(value) for value in content["x"])
    y = tuple(float(value) for value in content["y"])
    if not x or len(x) != len(y):
        raise ValueError(f"{len(x)} thresholds with {len(y)} values")
    if not (np.diff(x) > 0).all() or not (np.diff(y) >= 0).all():
        raise ValueError("thresholds that do not rise")
    return Isotonic(x, y)


def _at_least_zero(value: Any) -> float:
    if not float(value) >= 0:
        raise ValueError(f"{value} would let risk fall")
    return float(value)


_READERS: Final[dict[str, Callable[[Mapping[str, Any]], Calibration]]] = {
    NoCalibration.kind: lambda _content: NoCalibration(),
    LEVEL: lambda c: Level(float(c["intercept"])),
    PLATT: lambda c: Platt(_at_least_zero(c["slope"]), float(c["intercept"])),
    "beta": lambda c: Beta(_at_least_zero(c["a"]), _at_least_zero(c["b"]), float(c["c"])),
    "isotonic": _read_isotonic,
}

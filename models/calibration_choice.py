"""Calibration fitted and chosen, on rows that the head has not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import IsotonicRegression

from relimit.models.calibration import (
    LEVEL,
    PLATT,
    SMALLEST,
    Beta,
    Calibration,
    Float,
    Isotonic,
    Level,
    NoCalibration,
    Platt,
    row_log_loss,
)

NEWTON_STEPS: Final = 100
NEWTON_TOLERANCE: Final = 1e-10
JUDGED_ROWS: Final = 20_000
"""Rows that the candidates are judged on; the chosen one is fitted on all."""


def fit_platt(log_odds: Float, bad: NDArray[np.bool_], weight: Float | None = None) -> Platt:
    """Fit `Platt` to `[n]` rows, towards Platt's targets just inside 0 and 1: always finite."""
    weight = np.ones(len(bad)) if weight is None else weight
    slope, intercept = _fit_logistic([log_odds], bad, weight)
    return Platt(float(slope), float(intercept))


def fit_level(log_odds: Float, bad: NDArray[np.bool_], weight: Float | None = None) -> Level:
    """Fit `Level`, towards the same targets as `fit_platt`."""
    weight = np.ones(len(bad)) if weight is None else weight
    share, wanted = weight / weight.sum(), float(np.average(_targets(bad, weight), weights=weight))

    def missing(intercept: float) -> float:
        return float(share @ expit(log_odds + intercept)) - wanted

    furthest = float(np.abs(log_odds).max()) + abs(float(logit(wanted))) + 1.0
    return Level(float(brentq(missing, -furthest, furthest)))


def fit_beta(log_odds: Float, bad: NDArray[np.bool_], weight: Float | None = None) -> Beta:
    """Fit `Beta`, towards the same targets as `fit_platt`."""
    weight = np.ones(len(bad)) if weight is None else weight
    a, b, c = _fit_logistic([log_expit(log_odds), -log_expit(-log_odds)], bad, weight)
    return Beta(float(a), float(b), float(c))


def fit_isotonic(log_odds: Float, bad: NDArray[np.bool_], weight: Float | None = None) -> Isotonic:
    """Fit `Isotonic` by pooling adjacent violators."""
    fitted = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0)
    fitted.fit(expit(log_odds), bad.astype(np.float64), sample_weight=weight)
    return Isotonic(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


@dataclass(frozen=True, slots=True)
class CalibrationChoice:
    """The calibration chosen, and the cross-validated log-loss of each that was tried."""

    calibration: Calibration
    log_loss: dict[str, float]


def choose_calibration(
    log_odds: Float,
    bad: NDArray[np.bool_],
    weight: Float | None = None,
    *,
    stretch: bool = False,
    folds: int = 5,
    random_state: int = 0,
) -> CalibrationChoice:
    """Choose level, none, Platt, beta or isotonic by log-loss on rows each was not fitted on.

    Heads overfit few bads, so that on new rows their level is too low, by 10 to 25% on simulated
    books: it is always set (`fit_level`). Whatever else is done, or leaving even that, must have
    shown a log-loss lower by more than one standard error of the paired differences (the rule of
    Breiman et al. 1984): a calibration slice of a hundred bads tells maps apart by chance.

    Parameters
    ----------
    log_odds, bad, weight
        The calibration slice, [n]: rows that the head was not fitted on.
    stretch
        The head was fitted to another outcome, whose spread is not this one's: Platt's line, not
        the level alone, is what a freer map must do better than.
    folds
        Parts of the slice; each is predicted by maps fitted on the others. With fewer than this
        many bads or goods nothing can be measured, and nothing is changed.
    random_state
        Seed of the parts.
    """
    weight = np.ones(len(bad)) if weight is None else weight
    if min(bad.sum(), (~bad).sum()) < folds:
        return CalibrationChoice(NoCalibration(), {})
    rng = np.random.default_rng(random_state)
    judged = rng.permutation(len(bad))[:JUDGED_ROWS] if len(bad) > JUDGED_ROWS else slice(None)
    sample = log_odds[judged], bad[judged], weight[judged]
    part = _parts(sample[1], folds, random_state)
    by_row = {name: _cross_validated(fit, *sample, part) for name, fit in _FITS.items()}
    means = {name: float(loss.mean()) for name, loss in by_row.items()}
    usual = PLATT if stretch else LEVEL
    shown = [name for name in by_row if _is_lower(by_row[name], by_row[usual])]
    best = min(shown, key=means.__getitem__, default=usual)
    return CalibrationChoice(_FITS[best](log_odds, bad, weight), means)


Fit = Callable[[Float, NDArray[np.bool_], Float], Calibration]
# From the simplest to the freest: a tie goes to the simpler.
_FITS: Final[dict[str, Fit]] = {
    LEVEL: fit_level,
    "none": lambda _z, _bad, _weight: NoCalibration(),
    PLATT: fit_platt,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}


def _cross_validated(
    fit: Fit, log_odds: Float, bad: NDArray[np.bool_], weight: Float, part: NDArray[np.intp]
) -> Float:
    """Return each row's log-loss times its weight, of which the mean weight is 1."""
    risk = np.empty(len(bad))
    for held in range(int(part.max()) + 1):
        out = part == held
        risk[out] = fit(log_odds[~out], bad[~out], weight[~out]).apply(log_odds[out])
    return np.asarray(row_log_loss(bad, risk) * weight / weight.mean())


def _is_lower(loss: Float, reference: Float) -> bool:
    gain = reference - loss
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _parts(bad: NDArray[np.bool_], folds: int, random_state: int) -> NDArray[np.intp]:
    """Deal bads and goods over the folds alike."""
    rng = np.random.default_rng(random_state)
    part = np.empty(len(bad), dtype=np.intp)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(bad == outcome))
        part[rows] = np.arange(len(rows)) % folds
    return part


def _fit_logistic(inputs: list[Float], bad: NDArray[np.bool_], weight: Float) -> Float:
    """Maximise the likelihood over coefficients at least 0 and a free intercept (the last).

    The likelihood is concave: if its top has a negative coefficient, the best within bounds has one
    that is 0, so that of the tops with some inputs left out the best allowed one is the answer.
    """
    target = _targets(bad, weight)
    share = weight / weight.sum()
    best, least = np.zeros(len(inputs) + 1), np.inf
    for kept in sorted(product([True, False], repeat=len(inputs)), key=sum, reverse=True):
        places = [*np.flatnonzero(kept), len(inputs)]
        design = np.stack([*(inputs[i] for i in places[:-1]), np.ones(len(bad))])
        top, loss = _newton(design, target, share)
        if (top[:-1] >= 0.0).all() and loss < least:
            best, least = np.zeros(len(inputs) + 1), loss
            best[places] = top
            if all(kept):
                break
    return best


def _targets(bad: NDArray[np.bool_], weight: Float) -> Float:
    """Platt's targets: what a bad and a good are worth once one more of each is supposed."""
    bads, goods = weight[bad].sum(), weight[~bad].sum()
    return np.asarray(np.where(bad, (bads + 1.0) / (bads + 2.0), 1.0 / (goods + 2.0)))


def _newton(design: Float, target: Float, share: Float) -> tuple[Float, float]:
    """Return the unbounded optimum over the rows of `design` [k, n], and its loss.

    Written with `einsum`: on such narrow matrices BLAS's threads wait for one another.
    """

    def loss(theta: Float) -> float:
        z = np.einsum("k,kn->n", theta, design)
        return float(np.einsum("n,n", share, -log_expit(-z) - target * z))

    theta = np.zeros(len(design))
    theta[-1] = logit(np.einsum("n,n", share, target))
    now = loss(theta)
    for _ in range(NEWTON_STEPS):
        risk = expit(np.einsum("k,kn->n", theta, design))
        gradient = np.einsum("kn,n->k", design, share * (risk - target))
        curvature = np.einsum("jn,kn,n->jk", design, design, share * risk * (1.0 - risk))
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        size = 1.0
        while (then := loss(theta - size * step)) > now and size > SMALLEST:
            size /= 2.0
        if then > now or np.abs(size * step).max() < NEWTON_TOLERANCE:
            break
        theta, now = theta - size * step, then
    return theta, now

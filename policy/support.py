"""Where history can answer: how much of a target policy the log has tried, in like cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from relimit.data.vocabulary import ARMS
from relimit.policy.cases import Floats
from relimit.policy.rare import RareEvents
from relimit.policy.resample import DRAWS, resampled_sums
from relimit.policy.value import HEAVY, Logged, effective_rows

LEAST_TRIES: Final = 5
"""So few tries must not answer for more than `REST` of the decisions."""
REST: Final = 0.1
ANSWERED: Final = "answered"
NEVER: Final = "never tried"
ELSEWHERE: Final = "not tried in like cases"
TOO_FEW: Final = "too few tries"


@dataclass(frozen=True, slots=True)
class Support:
    """How well the log covers what a target would do.

    Attributes
    ----------
    target
        Decisions that the target takes here.
    tried
        Logged decisions that took an arm that the target would take.
    tries
        Those of them that are heavy: taken against the odds, they stand for many.
    usual
        Sum of the weights that are not heavy: decisions that the log's usual choices answer for.
    carried
        Sum of all weights: close to `target` where everything was tried.
    most_carried
        The most that it may be in truth, at 97.5% confidence.
    effective
        Rows of equal weight that would tell as much.
    verdict
        `answered`, or why history can't answer.
    """

    target: float
    tried: int
    tries: int
    usual: float
    carried: float
    most_carried: float
    effective: float
    verdict: str

    @property
    def answered(self) -> bool:
        """Whether an estimate may be given."""
        return self.verdict == ANSWERED


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm in one segment of the support map."""

    segment: str
    share: float
    delay_days: int
    support: Support


def support_of(logged: Logged, target: Floats, *, heavy: float = HEAVY) -> Support:
    """Return how well the log covers a target policy.

    The weights' mean is 1 if the log gives every arm that the target wants a chance (Kong 1992).
    Less than 1, even with all the luck that 97.5% confidence allows, says that it doesn't: a rule
    that never explores carries just the decisions on which both policies agree. The luck of the
    heavy rows is that of a Poisson count (Garwood 1936).

    Parameters
    ----------
    logged, target
        As for `estimate_values`.
    heavy
        Above it a weight is heavy.
    """
    weight = logged.weights(target)
    return _judged(weight, float(len(logged)), logged, heavy)


def support_map(
    logged: Logged, target: Floats, segment: NDArray[Any], *, heavy: float = HEAVY
) -> tuple[Cell, ...]:
    """Return every arm that the target takes, segment by segment.

    Parameters
    ----------
    segment
        `[n]` names.
    """
    weight = logged.weights(target)
    cells = []
    for name in np.unique(segment):
        rows = segment == name
        for place, (share, delay) in enumerate(ARMS):
            wanted = float(target[rows, place].sum())
            if wanted > 0.0:
                mine = rows & (logged.arm == place)
                part = np.where(mine, weight, 0.0)[rows]
                support = _judged(part, wanted, logged.take(rows), heavy)
                cells.append(Cell(str(name), share, delay, support))
    return tuple(cells)


def _judged(weight: Floats, target: float, logged: Logged, heavy: float) -> Support:
    is_heavy = weight > heavy
    tries, carried = int(is_heavy.sum()), float(weight.sum())
    light = np.where(is_heavy, 0.0, weight)
    spread = float(resampled_sums(light[:, None], logged.account, draws=DRAWS // 5).std())
    possible = 1.0 / float(logged.propensity.min(initial=1.0))
    each = float(weight[is_heavy].mean()) if tries else possible * (possible > heavy)
    luck = float(chi2.ppf(0.975, 2 * (tries + 1))) / 2.0
    most = float(light.sum()) + float(norm.ppf(0.975)) * spread + luck * each
    verdict = ANSWERED
    if carried == 0.0:
        verdict = NEVER
    elif most < target:
        verdict = ELSEWHERE
    elif tries < LEAST_TRIES and light.sum() < (1.0 - REST) * target - 2.0 * spread:
        verdict = TOO_FEW
    tried = int((weight > 0.0).sum())
    usual = float(light.sum())
    return Support(target, tried, tries, usual, carried, most, effective_rows(weight), verdict)


def describe(support: Support) -> str:
    """Return why history can't answer, in a sentence; empty where it can."""
    if support.answered:
        return ""
    decisions, tries = f"{support.target:,.0f} decisions", f"{support.tries:,}"
    if support.verdict == TOO_FEW:
        reason = (
            f"the log's usual choices tell of {support.usual:,.0f} of {decisions}; of the others, "
            f"{tries} taken against its odds, where {LEAST_TRIES} are needed"
        )
    else:
        reason = f"the log carries {support.carried:,.0f} of {decisions}, {tries} against its odds"
    return f"history can't answer ({support.verdict}): {reason}"


def outcome_bounds(
    logged: Logged,
    target: Floats,
    outcome: Floats,
    extremes: Sequence[Floats],
    *,
    events: RareEvents | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the least and the most that the target's mean outcome can be (Manski 1990).

    What the log has tried counts as it came out; for the rest every row has its extreme. Both ends
    are moved out to the 2.5% quantile of the bootstrap over accounts, and at least as far as the
    events that the outcome hangs on might have come out.

    Parameters
    ----------
    outcome
        `[n]` what came of the arms that were taken.
    extremes
        The lowest and the highest outcome that each row can have under the target, `[n]` each.
    events
        As for `estimate_values`.
    """
    weight = logged.weights(target)
    ends = [weight * outcome + (1.0 - weight) * extreme for extreme in extremes]
    columns = np.column_stack([*ends, np.ones(len(logged))])
    sums = resampled_sums(columns, logged.account, seed=seed)
    low = float(np.quantile(sums[:, 0] / sums[:, 2], 0.025))
    high = float(np.quantile(sums[:, 1] / sums[:, 2], 0.975))
    if events is not None:
        reach = events.reach(weight / len(logged), logged.account)
        low = min(low, float(ends[0].mean()) - reach.below)
        high = max(high, float(ends[1].mean()) + reach.above)
    return max(low, float(extremes[0].mean())), min(high, float(extremes[1].mean()))

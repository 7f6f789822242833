"""Which of two risks is better on the same rows, and whether the difference is more than noise."""

from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from relimit.models.calibration import row_log_loss
from relimit.training.bootstrap import bootstrap_mean
from relimit.training.discrimination import Bools, Floats, Interval, auc_difference

B_BETTER: Final = "b better"
A_BETTER: Final = "a better"
NO_DIFFERENCE: Final = "no difference beyond noise"
TOO_FEW: Final = "too few bads to rank"
ENOUGH_BADS: Final = 500
"""Below, intervals are shown and no ranking is claimed: an AUC is then known to ± 0.025 at best."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The paired differences b − a, and what follows from them.

    Attributes
    ----------
    auc, log_loss
        Differences with their 95% intervals (DeLong's, and bootstrap over accounts); a higher AUC
        and a lower log-loss are better.
    leaning
        1 if b is better beyond noise, −1 if a is, else 0, however few the bads.
    verdict
        `b better`, `a better`, `no difference beyond noise`, or `too few bads to rank`.
    reasons
        The verdict's evidence in words.
    """

    auc: Interval
    log_loss: Interval
    leaning: int
    verdict: str
    reasons: tuple[str, ...]


def weigh_evidence(bad: Bools, risk_a: Floats, risk_b: Floats, account: NDArray[Any]) -> Evidence:
    """Compare two risks of the same rows, pairing the rows and clustering them by account.

    The log-loss decides where its interval excludes 0, since it pays for ranking and for
    calibration alike; where it doesn't, the AUC decides. With fewer than 500 bads no ranking is
    claimed.

    Parameters
    ----------
    bad, risk_a, risk_b
        `[n]` outcomes and the two calibrated risks.
    account
        `[n]` account ids; rows of one account are not independent.
    """
    auc = auc_difference(bad, risk_a, risk_b, clusters=account)
    rows = row_log_loss(bad, risk_b) - row_log_loss(bad, risk_a)
    log_loss = bootstrap_mean(rows, account)
    leaning = -_sign(log_loss) or _sign(auc)
    bads = int(bad.sum())
    reasons = [
        _words("log-loss", log_loss),
        _words("AUC", auc),
        f"{bad.size:,} rows, {bads:,} bads, {len(set(account.tolist())):,} accounts",
    ]
    if bads < ENOUGH_BADS:
        reasons.append(f"fewer than {ENOUGH_BADS} bads: the intervals stand, no ranking is claimed")
        return Evidence(auc, log_loss, leaning, TOO_FEW, tuple(reasons))
    verdict = {1: B_BETTER, -1: A_BETTER, 0: NO_DIFFERENCE}[leaning]
    return Evidence(auc, log_loss, leaning, verdict, tuple(reasons))


def _sign(interval: Interval) -> int:
    return int(interval.low > 0.0) - int(interval.high < 0.0)


def _words(name: str, interval: Interval) -> str:
    beyond = "beyond noise" if _sign(interval) else "within noise"
    return (
        f"{name} b − a {interval.value:+.4f} "
        f"({interval.low:+.4f} to {interval.high:+.4f}), {beyond}"
    )

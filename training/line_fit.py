"""Fits what withheld lines do to a log's outcomes, from the log itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data import observe
from relimit.data.vocabulary import LOSS_GIVEN_DEFAULT, MICROSECONDS_PER_DAY
from relimit.training.arm_effect import MOST_ROWS, effect_of_withheld
from relimit.training.arm_outcomes import risk_directions
from relimit.training.line_outcomes import MOST_LEVEL, WITHHELD, Decisions, LineOutcomes, Lines
from relimit.training.matured import decided_at, numbers
from relimit.training.splits import sample_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CONTRADICTED: Final = (
    f"The log lost more than {MOST_LEVEL:.0f} times what its arms left to lose: what it says was "
    "withheld was lent after all, or it restored next to nothing. Losses are told on the level of "
    "the estimate itself, which no outcome confirms. Compare the shares in decisions with the "
    "limits in events."
)
UNKNOWN_EFFECT: Final = (
    "The log can't tell what a withheld line does to the odds of bad, so none is assumed: lived, "
    "the tiers may lose more than is said here."
)
LEAST_RISK: Final = 1e-6


def lines_of(
    log: pa.Table, arm: Ints, ratio: Floats, *, horizon_days: int, days_past_due: int
) -> Lines:
    """Return how a log's decisions bear on each other; `arm` and `ratio` are `[m]`."""
    freed = numbers(log, "freed")
    return Lines.of(
        Decisions(
            account=np.unique(log["account_id"].to_numpy(), return_inverse=True)[1],
            day=decided_at(log) / MICROSECONDS_PER_DAY,
            freed=freed,
            limit=np.maximum(numbers(log, "limit"), freed),
            withheld=WITHHELD[arm],
            ratio=ratio,
        ),
        horizon_days,
        days_past_due,
    )


def fit_line_outcomes(
    events: Path,
    log: pa.Table,
    lines: Lines,
    effect: float,
    *,
    horizon_days: int,
    days_past_due: int,
    bad: Floats,
    known: Bools,
) -> LineOutcomes:
    """Fit them to what came of a log within a horizon; see `LineOutcomes.fit`."""
    risk = np.clip(bad, LEAST_RISK, 1.0 - LEAST_RISK)
    owed, loss = owed_of(events, log, horizon_days, days_past_due), numbers(log, "loss")
    return LineOutcomes.fit(lines, effect, bad=risk, owed=owed, loss=loss, known=known)


def estimate_line_effect(
    X: Floats, names: Sequence[str], log: pa.Table, lines: Lines, *, seed: int = 0
) -> float | None:
    """Return by how much withholding a whole line lowers the log-odds of bad, at least 0.

    What counts as withheld is what the decision and earlier ones withhold: later ones may follow
    from the outcome. Returns None if the log can't tell.
    """
    withheld = lines.own * lines.log.withheld + lines.others(lines.log.withheld, before=True)
    some = sample_rows(len(withheld), MOST_ROWS, seed)
    found = effect_of_withheld(
        X[some],
        names,
        withheld[some],
        numbers(log, "bad")[some] > 0.0,
        log["account_id"].to_numpy()[some],
        monotone=risk_directions(names),
        seed=seed,
    )
    return None if found is None else max(found[0], 0.0)


def owed_of(events: Path, log: pa.Table, horizon_days: int, days_past_due: int) -> Floats:
    """Return `[m]` fen that was owed when an account went bad in time, 0 where it didn't.

    It is what would be lost of a freed limit that is the whole limit.
    """
    points = pa.table(
        {"account_id": log["account_id"], "as_of": log["decided_at"], "freed": log["limit"]}
    )
    labels = observe(
        events, snapshots=points, horizon_days=horizon_days, days_past_due=days_past_due
    )
    lost = pc.fill_null(labels["loss"], 0)
    return np.asarray(lost.to_numpy() / LOSS_GIVEN_DEFAULT)

"""What restoring causes, by latent type: two arms of many decisions played out on the same numbers.

The decisions are drawn at random within each type, so that the rare ones are seen as well as the
common; each is lived on with the whole freed limit back at once, and with nothing back.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from _simulator_lines import Line, at_least, between
from numpy.typing import NDArray

from relimit.data.simulator.branches import REPLICATES, Branched, play_out
from relimit.data.simulator.pool import in_order
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import World, make_world
from relimit.data.vocabulary import ARMS, BAD_HORIZON_DAYS, FULL_ARM, MICROSECONDS_PER_DAY

NOTHING = (0.0, 30)
PLAYED = (ARMS.index(FULL_ARM), ARMS.index(NOTHING))
STANDARD_ERRORS = 2.0
LOST = 0.2
"""Part of its margin that a type loses at least where a rule visibly hurts it."""
_TOGETHER = 256
_SEED = 1

BEYOND = """
with freed as (select p.*, d.account_id, d.freed, d.decided_at, d.share as logged_share,
        d.delay_days as logged_delay from played p join decisions d using (decision_id)),
logged as (select * from freed where loss > 0 and share = logged_share
    and delay_days = logged_delay),
fallen as (select l.decision_id, l.account_id, l.loss, l.freed, l.decided_at, min(e.ts) as fell
    from logged l join events e on e.account_id = l.account_id and e.kind = 'overdue'
        and e.value >= 30 and e.ts > l.decided_at group by all),
limits as (select account_id, ts, amount as granted from events where kind = 'limit'),
granted as (select f.*, m.granted from fallen f asof join limits m
    on f.account_id = m.account_id and f.decided_at >= m.ts)
select g.loss / (b.balance - g.granted + g.freed) from granted g asof join balances b
    on g.account_id = b.account_id and g.fell >= b.ts
"""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, accounts drawn whole."""

    mean: float
    error: float

    @property
    def in_errors(self) -> float:
        """Return the mean in standard errors."""
        return self.mean / self.error

    def __str__(self) -> str:
        """Return mean and standard error."""
        return f"{self.mean:.3g} +- {self.error:.2g}"


def clustered(value: NDArray[np.float64], account: NDArray[np.int64]) -> Estimate:
    """Return the mean of a value by decision; its error by account (Liang and Zeger 1986)."""
    mean = float(value.mean())
    sums = pd.Series(value - mean).groupby(account).sum()
    return Estimate(mean, float(np.sqrt((sums**2).sum()) / len(value)))


def sampled(base: duckdb.DuckDBPyConnection, world: World, each: int) -> tuple[Branched, list[str]]:
    """Return up to so many matured decisions of each type, in the order of their days."""
    frame = base.sql(
        "select decision_id, account_id, freed, type, epoch_us(decided_at) as us "
        "from decisions join types using (account_id) where freed > 0 order by decision_id"
    ).df()
    calendar = world.calendar()
    frame["day"] = (frame["us"] - calendar.midnight) // MICROSECONDS_PER_DAY
    frame = frame[frame["day"] + BAD_HORIZON_DAYS < calendar.days]
    shuffled = frame.sample(frac=1.0, random_state=_SEED)
    chosen = shuffled.groupby("type").head(each).sort_values(["day", "account_id"])
    columns = (chosen[name].to_numpy() for name in ("account_id", "day", "freed"))
    return Branched(chosen["decision_id"].tolist(), *columns), chosen["type"].tolist()


def played(cases: Branched, world: World) -> pd.DataFrame:
    """Return both arms' outcomes of some decisions, a row each."""
    calls = [
        (world, cases.part(first, first + _TOGETHER), REPLICATES, PLAYED)
        for first in range(0, len(cases.day), _TOGETHER)
    ]
    both: pd.DataFrame = pa.concat_tables(list(in_order(play_out, calls, 2))).to_pandas()
    return both


def causal(base: duckdb.DuckDBPyConnection, months: int, seed: int, each: int) -> list[Line]:
    """Return what restoring all, rather than nothing, causes in each type; print it."""
    world = make_world(months, seed, load_settings())
    cases, kinds = sampled(base, world, each)
    outcomes = played(cases, world)
    base.register("played", outcomes)
    severity = [ratio for (ratio,) in base.execute(BEYOND).fetchall()]
    full, nothing = (outcomes.iloc[place::2].reset_index(drop=True) for place in (0, 1))
    types = {name: np.flatnonzero(np.array(kinds) == name) for name in world.settings.types.name}
    effects = {
        name: effect(full.iloc[row], nothing.iloc[row], cases.account_id[row])
        for name, row in types.items()
    }
    print("restoring all at once less nothing, by type, over 180 days, yuan a decision:")
    for name, told in effects.items():
        print(
            f"  {name:<9} n {len(types[name]):>5}  p_bad {told.low:.3f} to {told.high:.3f}, rise "
            f"{told.rise}; margin less loss {told.net}; margin lost if held {told.lost}"
        )
    return [*verdicts(effects), *severities(severity, world.settings.product.loss_given_default)]


@dataclass(frozen=True)
class Effect:
    """What restoring all at once rather than nothing does to a type."""

    low: float
    high: float
    rise: Estimate
    net: Estimate
    lost: Estimate


def effect(full: pd.DataFrame, nothing: pd.DataFrame, account: NDArray[np.int64]) -> Effect:
    """Return the differences between the two arms' outcomes of the same decisions."""
    margin, held = (arm["margin"].to_numpy() / 100 for arm in (full, nothing))
    loss, held_loss = (arm["loss"].to_numpy() / 100 for arm in (full, nothing))
    kept = held.mean() / margin.mean()
    ratio = clustered((held - kept * margin) / margin.mean(), account)
    return Effect(
        low=float(nothing["p_bad"].mean()),
        high=float(full["p_bad"].mean()),
        rise=clustered((full["p_bad"] - nothing["p_bad"].to_numpy()).to_numpy(), account),
        net=clustered((margin - loss) - (held - held_loss), account),
        lost=Estimate(float(1 - kept), ratio.error),
    )


def verdicts(effects: dict[str, Effect]) -> list[Line]:
    """Return what has to hold: who gets riskier, who is worth less when held back."""
    planner = effects["planner"].rise
    lines = []
    for name in ("stacker", "bust_out"):
        rise = effects[name].rise
        apart = (rise.mean - planner.mean) / np.hypot(rise.error, planner.error)
        lines += [
            at_least(f"p_bad rises if restored, {name}, in s.e.", rise.in_errors, STANDARD_ERRORS),
            at_least(f"and more than a planner's, {name}, in s.e.", apart, STANDARD_ERRORS),
        ]
    for name in ("planner", "cycler"):
        net = effects[name].net.in_errors
        lines.append(
            at_least(f"margin less loss falls if held, {name}, in s.e.", net, STANDARD_ERRORS)
        )
    lost = effects["cycler"].lost
    spread = 1.96 * lost.error
    name = f"of a cycler's margin, lost if held ({lost.mean - spread:.3f} to "
    return [*lines, at_least(f"{name}{lost.mean + spread:.3f})", lost.mean, LOST)]


def severities(found: list[float], bounds: tuple[float, ...]) -> list[Line]:
    """Return the losses of logged arms over the balances that the log shows beyond the limit."""
    low, high = bounds
    return [
        between(f"smallest LGD of {len(found)} losses", min(found), low - 1e-3, high),
        between(f"largest LGD of {len(found)} losses", max(found), low, high + 1e-3),
    ]

"""What came of a world's matured decisions, and how two worlds compare."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relimit.data import read_parquet, realised
from relimit.data.schema import decisions_log_schema

DRAWS = 1000


@dataclass(frozen=True)
class Lived:
    """What came of a world's matured decisions: a row each."""

    rows: pd.DataFrame

    def total(self, column: str) -> float:
        """Return a sum in yuan, or in yuan-days."""
        return float(self.rows[column].sum()) / 100

    @property
    def share(self) -> float:
        """Restored over freed."""
        return self.total("back") / self.total("freed")

    @property
    def days(self) -> float:
        """Mean days to restore, by amount."""
        return self.total("waited") / self.total("back")

    @property
    def loss_rate(self) -> float:
        """Loss over freed."""
        return self.total("loss") / self.total("freed")

    def of_type(self, name: str) -> "Lived":
        """Return the decisions of one latent type."""
        return Lived(self.rows[self.rows["type"] == name])


def log_of(book: Path) -> pa.Table:
    """Return a book's decision log."""
    return read_parquet(book / "decisions.parquet", decisions_log_schema(), table="decisions")


def lived(book: Path, types: pa.Table, within_days: int) -> Lived:
    """Return a world's matured decisions with what was back, and when, within some days."""
    came = realised(book / "events.parquet", log_of(book)).to_pandas()
    came = came[came["loss"].notna() & (came["freed"] > 0)]
    events = pq.read_table(
        book / "events.parquet",
        columns=["ts", "amount", "detail"],
        filters=pc.field("kind") == "restored",
    ).to_pandas()
    back = events.astype({"detail": str}).merge(
        came[["decision_id", "decided_at"]], left_on="detail", right_on="decision_id"
    )
    back["days"] = (back["ts"] - back["decided_at"]).dt.total_seconds() / 86_400
    back = back[back["days"] <= within_days]
    back["waited"] = back["amount"] * back["days"]
    sums = back.groupby("decision_id")[["amount", "waited"]].sum()
    came = came.join(sums.rename(columns={"amount": "back"}), on="decision_id")
    came[["back", "waited"]] = came[["back", "waited"]].fillna(0)
    return Lived(came.merge(types.to_pandas(), on="account_id"))


def loss_ratio_interval(ours: Lived, theirs: Lived) -> tuple[float, float]:
    """Return the 95% interval of the ratio of loss rates, accounts drawn together in both."""
    sums = [x.rows.groupby("account_id")[["loss", "freed"]].sum() for x in (ours, theirs)]
    pair = pd.concat(sums, axis=1).fillna(0).to_numpy()
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        a, freed_a, b, freed_b = pair[rng.integers(0, len(pair), len(pair))].sum(axis=0)
        draws.append((a / freed_a) / (b / freed_b))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def waits(world: Lived) -> str:
    """Return what the mean days to restore are made of, by the first arm of a decision."""
    rows = world.rows
    first = {
        "closed gates and withheld limits": rows["share"] == 0,
        "clearing and tiers": (rows["share"] > 0) & (rows["delay_days"] > 0),
        "faults": (rows["share"] > 0) & (rows["delay_days"] == 0),
    }
    total = rows["back"].sum()
    parts = [f"{name} {rows['waited'][of].sum() / total:.2f}" for name, of in first.items()]
    return f"of {world.days:.2f} days: {', '.join(parts)}"


def later(world: Lived) -> str:
    """Return what later nights gave beyond first arms, in parts of what was freed."""
    rows = world.rows
    more = np.maximum(rows["back"] - rows["share"] * rows["freed"], 0.0)
    first = rows["share"] == 0, (rows["share"] > 0) & (rows["share"] < 1)
    nothing, some = (more[of].sum() / rows["freed"].sum() for of in first)
    return (
        f"later nights gave {nothing:.1%} of what was freed where nothing was back at first, "
        f"{some:.1%} where a part was"
    )


@dataclass(frozen=True)
class InHindsight:
    """The same book's tiers at the budget that would have spent the incumbent's loss, lived too.

    `loss` and `yuan` are over the incumbent's.
    """

    budget: float
    loss: float
    yuan: float


def of_the_incumbents(ours: Lived, theirs: Lived) -> tuple[float, float]:
    """Return loss rate and yuan restored, over the incumbent's."""
    return ours.loss_rate / theirs.loss_rate, ours.total("back") / theirs.total("back")

"""What `relimit policy optimise` leaves: a policy file, and the frontier as page and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import pandas as pd

from relimit.data.atomic import staged
from relimit.data.vocabulary import ARMS
from relimit.policy import policy_text
from relimit.training.charts import png
from relimit.training.discrimination import Interval
from relimit.training.document import (
    Block,
    Cell,
    Document,
    Grid,
    Notice,
    Picture,
    Section,
    to_html,
    write_texts,
)
from relimit.training.figure_ranges import Ranges
from relimit.training.figures import Figures
from relimit.training.frontier import Point, draw_frontier
from relimit.training.optimum import Optimum

WAITING: Final = (
    "What the signals of the next days would change, in yuan against the same share at once. Only "
    "a closed gate holds a promise back; a tier that would be riskier by then does not. A yuan of "
    "loss counts with the shadow price of the budget."
)
GATE_COSTS: Final = (
    "What more would come of the same tiers if a gate were never closed, and the expected loss "
    "rate of the decisions that it holds beside that of the others. The gates are the given "
    "policy's: nothing here changes them."
)
LIVED: Final = (
    "Each policy is valued as if it took every one of these decisions, and again on the nights "
    "until its review: what a better score brings back later is counted, at the loss that it then "
    "expects. What a decision withholds is missing from the line on which the account's other "
    "decisions lose, and lowers the odds of bad. Decisions are taken to come as they were logged."
)
RANGES: Final = (
    "Limits are of 95%, with accounts drawn anew, and with them the level of losses and margins. "
    "How losses differ between borrowers and arms, and what a withheld line does to the odds of "
    "bad, is taken as estimated; `relimit policy evaluate` doubts the former, decision by decision."
)
BOUNDS: Final = (
    "Bound yuan: what no tiers on these candidate bounds pass. Free bound yuan: what no choice of "
    "arms passes, decision by decision. Shadow price: yuan for one yuan more of budget."
)
WIDTH: Final = 98
GROUPS: Final = (
    "Each group keeps its share of what was restored before, as far as the gates leave it, and "
    "its largest loss: of what it freed, and against what the log lost of it by the same estimate. "
    "A price is what keeping that limit costs, in yuan for a yuan."
)


def optimum_dict(found: Optimum) -> dict[str, Any]:
    """Return all figures as plain values."""
    return {
        "policy_version": found.policy.version,
        "rows": found.rows,
        "horizon_days": found.horizon_days,
        "loss_budget": found.policy.stated_value.loss_budget,
        "shadow_price": found.found.shadow_price,
        "line_effect": found.line_effect,
        "tiers": [asdict(tier) for tier in found.policy.tiers],
        "policies": {
            name: asdict(its) | _limits(found.ranges[name]) for name, its in found.named.items()
        },
        "frontier": [_flat(point) for point in found.frontier],
        "groups": [asdict(group) for group in found.groups],
        "waits": [asdict(wait) for wait in found.waits],
        "gates": [asdict(gate) for gate in found.gates],
        "warnings": list(found.warnings),
    }


def write_optimum(found: Optimum, out: Path) -> None:
    """Write `policy.toml` and `frontier.html`, `.csv` and `.png` into a folder.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    picture = png(draw_frontier(found.frontier, found.named, found.ranges))
    rows = pd.DataFrame([_flat(point) for point in found.frontier])
    texts = {
        "policy.toml": policy_text(found.policy, _head(found), _notes(found)),
        "frontier.csv": rows.to_csv(index=False),
        "frontier.html": to_html(_document(found, picture)),
    }
    write_texts(texts, out)
    with staged(out / "frontier.png") as staging:
        staging.write_bytes(picture)


def _flat(point: Point) -> dict[str, Any]:
    plain, limits = asdict(point), _limits(point.ranges)
    del plain["ranges"]
    return {"budget": plain.pop("budget"), **plain.pop("figures"), **limits, **plain}


def _row(point: Point) -> dict[str, Cell]:
    """Return a point as a row of the page's table."""
    rest = ("shadow_price", "bound_yuan", "free_bound_yuan", "tiers")
    shown = {name: getattr(point, name) for name in rest}
    return {"budget": point.budget, **_known(point.figures, point.ranges), **shown}


def _limits(ranges: Ranges) -> dict[str, float]:
    """Return 95% limits under names of their own."""
    ends = {name: dict(zip(("low", "high"), ends, strict=True)) for name, ends in ranges.items()}
    return {f"{name}_{end}": at for name, its in ends.items() for end, at in its.items()}


def _known(figures: Figures, ranges: Ranges) -> dict[str, Cell]:
    """Return figures with their limits, as cells."""
    return {name: Interval(value, *ranges[name]) for name, value in asdict(figures).items()}


def _head(found: Optimum) -> list[str]:
    before, after = found.named["as logged"], found.named["optimised"]
    known = found.ranges["optimised"]
    rate, share, net = (known[name] for name in ("loss_rate", "share", "net_yuan"))
    return [
        f"Tiers optimised on {found.rows:,} logged decisions and what came of them in "
        f"{found.horizon_days} days; the rest is the given policy's.",
        *(line for warning in found.warnings for line in wrap(f"Warning: {warning}", WIDTH)),
        "Expected if these tiers took all of them, and again on later nights until the review (95%",
        "limits), and of those decisions as logged; `relimit policy evaluate` values first nights:",
        f"  loss / freed     {after.loss_rate:.3%} ({rate[0]:.3%} to {rate[1]:.3%}), "
        f"was {before.loss_rate:.3%}",
        f"  share restored   {after.share:.1%} ({share[0]:.1%} to {share[1]:.1%}), "
        f"was {before.share:.1%}",
        f"  days to restore  {after.mean_days:.2f}, was {before.mean_days:.2f}",
        f"  net value        {after.net_yuan:,.0f} yuan ({net[0]:,.0f} to {net[1]:,.0f}), "
        f"was {before.net_yuan:,.0f}",
        f"A yuan more of loss budget would bring {found.found.shadow_price:.2f} yuan.",
    ]


def _notes(found: Optimum) -> list[str]:
    """Return for each tier how many of the decisions it takes."""
    counts = [
        int((found.arm == ARMS.index((tier.share, tier.delay_days))).sum())
        for tier in found.policy.tiers
    ]
    return [f"{count / found.rows:.1%} of the decisions" for count in counts]


def _document(found: Optimum, picture: bytes) -> Document:
    chosen = "Loss counts only what a restoration can add. Waiting is what returns late or is "
    chosen += "withheld, times its days, at the price that the policy file states."
    notices = [Notice(text) for text in found.warnings]
    frontier: tuple[Block, ...] = (
        BOUNDS,
        Picture("Net value and share restored against the loss", png=picture),
        _grid("The best tiers for each budget, no group guarded", map(_row, found.frontier)),
    )
    sections = (
        Section(
            "The policies", (*notices, _heading(found), chosen, LIVED, RANGES, _policies(found))
        ),
        Section("The tiers", (_grid("As the policy file has them", _dicts(found.policy.tiers)),)),
        Section("The frontier", frontier),
        Section("Waiting", (WAITING, _grid("Each wait in each tier", _dicts(found.waits)))),
        Section("Gates", (GATE_COSTS, _grid("Each hard gate", _dicts(found.gates)))),
        Section(
            "Groups",
            (
                GROUPS,
                _grid(
                    "By what the history shows, cyclers also elsewhere",
                    _dicts(found.groups),
                ),
            ),
        ),
    )
    return Document(f"Optimised policy {found.policy.version}", sections)


def _heading(found: Optimum) -> str:
    return " ".join(line.strip() for line in _head(found)[:1] + _head(found)[-1:])


def _dicts(items: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(item) for item in items]


def _policies(found: Optimum) -> Grid:
    rows = [{"policy": n, **_known(its, found.ranges[n])} for n, its in found.named.items()]
    return _grid("Expected of the log's decisions", rows)


def _grid(caption: str, rows: Iterable[Mapping[str, Cell]]) -> Grid:
    """Return a table with a column for each key; none if there is no row."""
    listed = list(rows)
    columns = tuple(listed[0]) if listed else ()
    cells = tuple(tuple(_cell(row[name]) for name in columns) for row in listed)
    return Grid(caption, tuple(name.replace("_", " ") for name in columns), cells)


def _cell(value: Cell) -> Cell:
    """Say yes or no where a table would otherwise count."""
    return ("yes" if value else "no") if isinstance(value, bool) else value

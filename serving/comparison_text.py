"""What a comparison of two versions says on a terminal: figures, evidence, money, who moves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from relimit.serving.terminal import figure, pairs

LIMITS: Final = ("_low", "_high")
TOP_CODES: Final = 6
NOT_RECORDED: Final = "not recorded: not both are registered"
YUAN: Final = "_yuan"
OF: Final = {
    "expected_loss_yuan": ", by its own model",
    "loss_yuan_per_prepayment": " if all were restored",
}
"""What the names of some figures leave open."""


def show_comparison(
    console: Console,
    found: Mapping[str, Any],
    names: tuple[str, str],
    run_id: str | None,
    cautions: Mapping[str, str],
) -> None:
    """Print a comparison: the figures and what they prove, then money, reasons and accounts.

    Account ids are shown here alone; the recorded run has none.

    Parameters
    ----------
    console
        Where to.
    found
        As `Comparison.to_dict` gives it.
    names
        What a and b are called.
    run_id
        The MLflow run that records it; None if none does.
    cautions
        What to know of a model before its figures are believed, by its name.
    """
    _say(console, f"a is {names[0]}, b is {names[1]}")
    _say(console, f"compared on {found['rows']}")
    _show_figures(console, found)
    for line in found["evidence"]:
        _say(console, f"- {line}")
    for name, caution in cautions.items():
        _say(console, f"caution, {name}: {caution}")
    if found["swap_sets"]:
        _show_money(console, found)
        _show_reasons(console, found["reasons"])
    if found["moved"]:
        _show_moved(console, found["moved"])
    _say(console, f"recorded as run {run_id}" if run_id else NOT_RECORDED)
    _say(console, f"verdict: {found['verdict']}")


def _say(console: Console, line: str) -> None:
    """Print a line as it is, whatever a model or a split is called."""
    console.print(line, markup=False)


def _show_figures(console: Console, found: Mapping[str, Any]) -> None:
    a, b = found["a"], found["b"]
    rows = [
        (_words(name), _limited(a, name), _limited(b, name), _change(found, name))
        for name in a
        if not name.endswith(LIMITS)
    ]
    rows += [
        (_words(name), "", "", _interval(name, interval))
        for name, interval in found["intervals"].items()
        if name not in a
    ]
    _table(console, "Figures, 95% limits", ("", "a", "b", "b − a"), rows)


def _show_money(console: Console, found: Mapping[str, Any]) -> None:
    swap, migration = found["swap_sets"], found["migration"]
    pairs(
        console,
        "Swap sets under the same policy",
        {
            f"b restores {which}": f"{swap[f'b_restores_{which}']:,.0f} prepayments, "
            f"{_money(swap[f'b_restores_{which}{YUAN}'])}"
            for which in ("more", "less")
        }
        | {"the same": f"{swap['same']:,.0f} prepayments"},
    )
    counts = zip(migration["bands"], migration["count"], strict=True)
    rows = [(band, *(f"{count:,}" if count else "" for count in row)) for band, row in counts]
    heads = ("a \\ b", *migration["bands"])
    _table(console, "Migration of restored shares, prepayments", heads, rows)
    judged = [
        (judge, *(_money(loss[f"{side}{YUAN}"]) for side in ("a", "b", "change")))
        for judge, loss in found["expected_loss"].items()
    ]
    _table(console, "Expected loss", ("", "under a", "under b", "change"), judged)


def _show_reasons(console: Console, reasons: Mapping[str, Any]) -> None:
    def moved(item: tuple[str, Mapping[str, int]]) -> int:
        return item[1]["a_only"] + item[1]["b_only"]

    top = sorted(reasons["codes"].items(), key=moved, reverse=True)[:TOP_CODES]
    title = f"Reasons change in {reasons['changed']:.1%} of {reasons['rows']:,} prepayments"
    rows = [
        (code, *(f"{counts[key]:,}" for key in ("both", "a_only", "b_only")))
        for code, counts in top
    ]
    _table(console, title, ("reason", "both", "a alone", "b alone"), rows)


def _show_moved(console: Console, moved: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        tuple(str(x) if name == "account_id" else _figure(name, x) for name, x in row.items())
        for row in moved
    ]
    _table(console, "Accounts that move most", tuple(map(_words, moved[0])), rows)


def _table(
    console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _limited(side: Mapping[str, float], name: str) -> str:
    if name not in side:
        return ""
    if any(f"{name}{end}" not in side for end in LIMITS):
        return _figure(name, side[name])
    ends = {end: side[f"{name}{end}"] for end in LIMITS}
    return _interval(name, {"value": side[name], "low": ends["_low"], "high": ends["_high"]})


def _change(found: Mapping[str, Any], name: str) -> str:
    if name in found["intervals"]:
        return _interval(name, found["intervals"][name])
    return _figure(name, found["delta"][name]) if name in found["delta"] else ""


def _interval(name: str, interval: Mapping[str, float]) -> str:
    value, low, high = (_figure(name, interval[part]) for part in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _figure(name: str, value: float) -> str:
    return _money(value) if YUAN in name else figure(value)


def _money(yuan: float) -> str:
    return f"{'-' if yuan < 0 else ''}¥{abs(yuan):,.2f}"


def _words(name: str) -> str:
    said = name.removesuffix(YUAN).replace("_yuan_", " ¥ ").replace("_", " ")
    return said + OF.get(name, "")

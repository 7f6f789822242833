"""A comparison as a page, and as an MLflow run that both versions point to."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relimit.data.errors import ModelError
from relimit.training.charts import draw_calibration, png
from relimit.training.compare import LIMITS, LOSS, OWN_LOSS, Comparison
from relimit.training.discrimination import Floats, Interval
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
from relimit.training.evidence import TOO_FEW
from relimit.training.registry import RegisteredVersion, find_version, is_registered_form
from relimit.training.tracking import start_run, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient

COMPARISONS: Final = "relimit-comparisons"
PAGE: Final = "comparison.html"


def write_comparison(
    comparison: Comparison, folder: Path, *, names: tuple[str, str] = ("a", "b")
) -> Path:
    """Write `comparison.html` into a folder and return its path.

    Parameters
    ----------
    comparison
        What `compare` found.
    folder
        Made if absent.
    names
        What a and b are called, for instance their URIs.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    write_texts({PAGE: to_html(comparison_page(comparison, names))}, folder)
    return folder / PAGE


def record_comparison(
    comparison: Comparison, model_a: str, model_b: str, *, tracking_uri: str | None = None
) -> str | None:
    """Record a comparison as an MLflow run with both models as its inputs; return the run's id.

    Each version gets a tag that leads to the run. Accounts stay out: no borrower's id leaves the
    book. None, and nothing is recorded, unless both are registered versions.

    Parameters
    ----------
    comparison
        What `compare` found.
    model_a, model_b
        Their URIs, as `resolve_model` takes them.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or the SQLite file in the working directory.

    Raises
    ------
    ModelError
        If a URI has a registered version's form and there is none, or MLflow refuses something.
    """
    uris = (model_a, model_b)
    if any(Path(uri).is_dir() or not is_registered_form(uri) for uri in uris):
        return None
    a, b = (find_version(uri, tracking_uri) for uri in uris)
    shown = replace(comparison, moved=[])
    tags = {"a": a.uri, "b": b.uri, "verdict": comparison.verdict}
    with start_run(COMPARISONS, f"{b.uri} against {a.uri}", tags, tracking_uri) as run:
        run.params({"a": a.uri, "b": b.uri, "rows": comparison.rows})
        run.metrics({f"delta_{name}": value for name, value in comparison.delta.items()})
        run.json(shown.to_dict(), "comparison")
        run.files({PAGE: to_html(comparison_page(shown, (a.uri, b.uri)))})
        run.inputs([_model_id(run.client, version) for version in (a, b)])
        for version, other in ((a, b), (b, a)):
            key = f"relimit.compared_with.{other.name}.{other.version}"
            run.client.set_model_version_tag(version.name, version.version, key, run.run_id)
    return run.run_id


def comparison_page(comparison: Comparison, names: tuple[str, str] = ("a", "b")) -> Document:
    """Return the page: the verdict with its evidence first, then figures, then money."""
    sections = [_verdict(comparison, names), _figures(comparison), _calibration(comparison)]
    if comparison.swap_sets:
        sections += [_money(comparison), _reasons(comparison.reasons)]
    if comparison.moved:
        sections.append(_moved(comparison))
    return Document("Comparison of two risk models", tuple(sections))


def _verdict(comparison: Comparison, names: tuple[str, str]) -> Section:
    verdict: Block = f"Verdict: {comparison.verdict}."
    if comparison.verdict == TOO_FEW:
        verdict = Notice(f"{verdict} Read the intervals.")
    identity = f"a is {names[0]}, b is {names[1]}. Compared on {comparison.rows}."
    return Section("Verdict", (verdict, *comparison.evidence, identity))


def _figures(comparison: Comparison) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for name in comparison.a:
        if name.endswith(LIMITS):
            continue
        difference = comparison.intervals.get(name, comparison.delta.get(name))
        sides = (_limited(side, name) for side in (comparison.a, comparison.b))
        judge = ", by its own model" if name == OWN_LOSS else ""
        rows.append((name.replace("_", " ") + judge, *sides, difference))
    blocks: list[Block] = [Grid("Figures, with 95% limits", ("", "a", "b", "b − a"), tuple(rows))]
    loss = comparison.intervals.get(LOSS)
    if loss is not None:
        caption = (
            "Expected loss of restoring everything, yuan a prepayment (bootstrap over accounts)"
        )
        blocks.append(Grid(caption, ("", "b − a"), (("expected loss", loss),)))
    return Section("Figures on the same rows", tuple(blocks))


def _limited(side: Mapping[str, float], name: str) -> Cell:
    if f"{name}_low" not in side:
        return side.get(name)
    return Interval(side[name], side[f"{name}_low"], side[f"{name}_high"])


def _calibration(comparison: Comparison) -> Section:
    curves = {
        side: (_column(points, "mean_risk"), _column(points, "bad_rate"), _column(points, "share"))
        for side, points in comparison.calibration.items()
    }
    picture = Picture("Mean risk against bad rate", png(draw_calibration(curves)))
    rows = tuple(
        (side, place, point["mean_risk"], point["bad_rate"], point["share"])
        for side, points in comparison.calibration.items()
        for place, point in enumerate(points, 1)
    )
    columns = ("model", "part", "mean risk", "bad rate", "share")
    return Section("Calibration side by side", (picture, Grid("By rising risk", columns, rows)))


def _money(comparison: Comparison) -> Section:
    swap, migration = comparison.swap_sets, comparison.migration
    rows = (
        ("b restores more", int(swap["b_restores_more"]), swap["b_restores_more_yuan"]),
        ("b restores less", int(swap["b_restores_less"]), swap["b_restores_less_yuan"]),
        ("the same", int(swap["same"]), None),
    )
    judged = tuple(
        (judge, loss["a_yuan"], loss["b_yuan"], loss["change_yuan"])
        for judge, loss in comparison.expected_loss.items()
    )
    bands = ("under a \\ under b", *migration["bands"])
    return Section(
        "Money under the same policy",
        (
            "Every prepayment is decided anew under either model. A loss counts by the share of "
            "the freed limit that is restored; each model judges both sides' decisions.",
            Grid("Swap sets", ("", "prepayments", "yuan"), rows),
            Grid("Expected loss, yuan", ("", "under a", "under b", "change"), judged),
            Grid("Migration of restored shares, prepayments", bands, _matrix(migration, "count")),
            Grid("Migration, yuan freed", bands, _matrix(migration, "freed_yuan")),
        ),
    )


def _reasons(reasons: Mapping[str, Any]) -> Section:
    rows = tuple(
        (code, counts["both"], counts["a_only"], counts["b_only"])
        for code, counts in reasons["codes"].items()
    )
    return Section(
        "Reasons",
        (
            f"The reasons of {reasons['changed']:.1%} of {reasons['rows']:,} prepayments change.",
            Grid("Prepayments with a reason", ("reason", "both", "a alone", "b alone"), rows),
        ),
    )


def _moved(comparison: Comparison) -> Section:
    columns = tuple(comparison.moved[0])
    rows = tuple(
        tuple(str(x) if name == "account_id" else x for name, x in row.items())
        for row in comparison.moved
    )
    heads = tuple(name.replace("_", " ") for name in columns)
    return Section("Accounts that move most", (Grid("At most twenty", heads, rows),))


def _matrix(migration: Mapping[str, Any], name: str) -> tuple[tuple[Cell, ...], ...]:
    named = zip(migration["bands"], migration[name], strict=True)
    return tuple((band, *counts) for band, counts in named)


def _column(points: list[dict[str, float]], name: str) -> Floats:
    return np.array([point[name] for point in points])


def _model_id(client: "MlflowClient", version: RegisteredVersion) -> str:
    """Return the logged model behind a version: the one that its run put out."""
    with translated(version.uri):
        outputs = client.get_run(version.run_id).outputs
    logged = [] if outputs is None else outputs.model_outputs
    if not logged:
        raise ModelError("its run has no logged model", where=version.uri, mend="Train again")
    return str(logged[0].model_id)

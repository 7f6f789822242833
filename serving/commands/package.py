"""`relimit package`: a model and a policy as one MLflow model that decides."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from relimit.serving.options import (
    PATH,
    json_option,
    model_option,
    plugin_option,
    policy_option,
    tracking_option,
)
from relimit.serving.terminal import emit, pairs

HINT: Final = "Any type hint is inferred as AnyType"


@contextmanager
def without_hints() -> Iterator[None]:
    """Keep back what MLflow warns of the type hints of code that a user didn't write.

    MLflow puts a filter of its own before any other, so that none of ours would be asked.
    """
    with warnings.catch_warnings(record=True) as told:
        yield
    for one in told:
        if HINT not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


@click.command("package", short_help="Write a model and a policy for `mlflow models serve`.")
@model_option
@policy_option
@click.option("--out", type=PATH, required=True, help="New folder for the MLflow model.")
@tracking_option
@plugin_option
@json_option
def command(
    *, model: str, policy: Path | None, out: Path, tracking_uri: str | None, as_json: bool
) -> None:
    """Write features, model and policy as one MLflow model, whose predict is a decision.

    Serve it with `mlflow models serve -m OUT --env-manager local` and post
    {"inputs": [{"account_id": ..., "events": [...]}, ...]} to /invocations.
    """
    from relimit.serving.models import open_artifact

    with without_hints():
        from relimit.serving.pyfunc import package_decider

        policy_version = package_decider(open_artifact(model, tracking_uri), policy, out)
    payload = {"out": str(out), "model": model, "policy_version": policy_version}

    def show(console: Console) -> None:
        pairs(console, "Packaged", payload)
        console.print(f"Serve it: mlflow models serve -m {out} --env-manager local")

    emit(payload, as_json=as_json, summary=show)

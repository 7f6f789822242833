"""Every example in a docstring is true."""

import doctest
import importlib
import pkgutil

import pytest

LAYERS = ("data", "features", "models", "policy", "training", "serving")


def module_names() -> list[str]:
    """Every module of relimit; `--doctest-modules` would import each twice, under two names."""
    names = []
    for layer in LAYERS:
        package = importlib.import_module(f"relimit.{layer}")
        names.append(package.__name__)
        names += [
            module.name
            for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        ]
    return names


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0

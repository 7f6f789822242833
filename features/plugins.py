"""A user's own features: modules that register some, found by entry point or by name."""

import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Final

from relimit.data.errors import DataError
from relimit.features.registry import feature_names, forget

ENTRY_POINTS: Final = "relimit.features"
"""The group under which an installed distribution names its modules of features."""


_NAMED: dict[str, None] = {}


def named_plugins() -> tuple[str, ...]:
    """Return the modules loaded by name so far: another process must load them too."""
    return tuple(_NAMED)


def load_plugins(modules: Iterable[str] = ()) -> tuple[str, ...]:
    """Import the installed plugins and those named, so that their features join the catalogue.

    Plugins come in the order of their names, then the modules in the order given; one that is
    already imported adds nothing. `relimit.features.testing.check_features` is for their tests.

    Parameters
    ----------
    modules
        Import names, such as `mybank.features`.

    Returns
    -------
    tuple[str, ...]
        The features that were added, in the order of their columns.

    Raises
    ------
    DataError
        A plugin can't be imported, or registers a feature that is not allowed; it then adds none.
    """
    installed = sorted({point.module for point in entry_points(group=ENTRY_POINTS)})
    added = [name for module in installed for name in _load(module)]
    for module in modules:
        added += _load(module)
        _NAMED[module] = None
    return tuple(added)


def _load(module: str) -> tuple[str, ...]:
    before = len(feature_names())
    try:
        importlib.import_module(module)
    except Exception as error:
        forget(feature_names()[before:])
        raise DataError(
            f"it can't be imported: {error}",
            where=f"plugin {module}",
            mend="Install it, or mend the module",
        ) from error
    return feature_names()[before:]

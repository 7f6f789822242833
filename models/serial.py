"""JSON for artifacts: exact floats, and NaN and infinities spelled out as strings."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from relimit.data.errors import ModelError

_SPELLED = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def encode(content: object) -> bytes:
    """Return JSON text in UTF-8 with sorted keys; every float reads back to the last bit.

    JSON has no NaN or infinity: they become the strings "NaN", "Infinity", "-Infinity", and
    `decode` turns those strings back. Equal contents give equal bytes.

    Examples
    --------
    >>> decode(encode({"edges": np.array([0.1, np.inf])}), "x.json")
    {'edges': [0.1, inf]}
    """
    text = json.dumps(
        _plain(content), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def decode(content: bytes, where: str) -> Any:
    """Read what `encode` wrote.

    Raises
    ------
    ModelError
        If it is not JSON in UTF-8, or holds a bare NaN or Infinity.
    """
    try:
        return _spelled(json.loads(content.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"not readable as JSON ({error})", where=where, mend="Save the model again."
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if np.isfinite(value) else _name(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    raise ModelError(f"{type(value).__name__} can't be written as JSON", mend="Give plain values.")


def _name(value: float) -> str:
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _spelled(value: Any) -> Any:
    if isinstance(value, str):
        return _SPELLED.get(value, value)
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"a bare {name}")

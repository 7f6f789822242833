"""The catalogue: what each feature is called, what it means, and the function that computes it."""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from relimit.data.errors import DataError
from relimit.features.guard import guarded
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.select import Windows

Compute = Callable[[History], Floats | Ints]
ComputeWindows = Callable[[History, Windows], Floats | Ints]
UNITS: Final = ("count", "days", "minutes", "fen", "ratio", "score", "flag")
NEVER: Final = "never null"


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One column of the feature matrix, always float64; itself alone is equal to it.

    Attributes
    ----------
    name
        The column's name.
    family
        The family it is listed under: the module it is in.
    unit
        One of count, days, minutes, fen, ratio, score, flag (0 or 1).
    window
        The trailing days that it looks at; None if it looks at all that is known.
    risk
        The expected direction of risk as it rises: +1, −1, or 0 for no expectation.
    null
        When it is null (NaN), in words.
    description
        One plain sentence.
    source
        The paper, regulation or practice that the idea comes from.
    kept_out
        True keeps it out of the risk models.
    revision
        Raised whenever the meaning of the number changes.
    reads_detail
        Whether it may look at the events' `detail`, which is read only for those that do.
    compute
        Takes the history; returns `[snapshots]`.
    together
        Takes the history and `Windows`, and returns `[windows, snapshots]`; shared by the features
        that differ by their window alone. None if they can't be asked for together.
    """

    name: str
    family: str
    unit: str
    window: int | None
    risk: int
    null: str
    description: str
    source: str
    kept_out: bool
    revision: int
    reads_detail: bool
    compute: Compute = field(repr=False)
    together: ComputeWindows | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the function."""
        functions = ("compute", "together")
        return {key: value for key, value in asdict(self).items() if key not in functions}


_CATALOGUE: dict[str, Feature] = {}


def feature(
    name: str,
    *,
    unit: str,
    risk: int,
    windows: Sequence[int] = (),
    choices: Sequence[Any] = (),
    together: bool = False,
    window: int | Callable[[Any], int] | None = None,
    null: str = NEVER,
    source: str = "",
    kept_out: bool = False,
    revision: int = 1,
    detail: bool = False,
    family: str = "",
) -> Callable[[Callable[..., Floats | Ints]], Callable[..., Floats | Ints]]:
    """Register a function as one feature, or as one for each window and choice.

    The function takes the history, then a choice if there are `choices`, then a `Window` if there
    are `windows`, and returns a number per snapshot. Its docstring's first line describes it.

    Parameters
    ----------
    name
        May contain `{w}` (the window's days) and `{c}` (the choice), as may the docstring.
    windows
        Trailing days, one feature each.
    choices
        Whatever else the function is computed for, one feature each.
    together
        The function may be asked for several windows at once: it then takes `Windows`, whose
        `days` are a tuple, and returns `[windows, snapshots]`.
    window
        The days that a function without `windows` looks back, or what tells them for each choice;
        for the catalogue alone.
    source
        Where the idea comes from; that of the module, `SOURCE`, if it is not said.
    detail
        Whether the function looks at the events' `detail`; a plugin's is taken to do so anyway.

    Raises
    ------
    DataError
        The name is taken or no identifier, the unit or the direction is unknown, or there is no
        docstring.
    """

    def register(function: Callable[..., Floats | Ints]) -> Callable[..., Floats | Ints]:
        own = not _is_built_in(function)
        for choice in choices or (None,):
            every = _bind_choice(function, choice) if together else None
            if own and every is not None:
                every = guarded(name.format(c=choice, w="{w}"), every)
            for days in windows or (None,):
                words = {"c": choice, "w": days}
                its, compute = name.format(**words), _bind(function, choice, days)
                _add(
                    Feature(
                        name=its,
                        family=family or function.__module__.rpartition(".")[2],
                        unit=unit,
                        window=_days(window, choice) if days is None else days,
                        risk=risk,
                        null=null.format(**words),
                        description=_first_line(function).format(**words),
                        source=source or function.__globals__.get("SOURCE", ""),
                        kept_out=kept_out,
                        revision=revision,
                        reads_detail=detail or own,
                        compute=guarded(its, compute) if own else compute,
                        together=every,
                    )
                )
        return function

    return register


def _days(window: int | Callable[[Any], int] | None, choice: Any) -> int | None:
    return window(choice) if callable(window) else window


def _is_built_in(function: Callable[..., Any]) -> bool:
    return function.__module__.startswith(f"{__package__}.")


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _bind(function: Callable[..., Floats | Ints], choice: Any, days: int | None) -> Compute:
    given = () if choice is None else (choice,)
    if days is not None:
        given = (*given, Window(days))
    return (lambda history: function(history, *given)) if given else function


def _bind_choice(function: Callable[..., Floats | Ints], choice: Any) -> ComputeWindows:
    if choice is None:
        return function
    return lambda history, windows: function(history, choice, windows)


def _add(new: Feature) -> None:
    where = f"feature {new.name}"
    if new.name in _CATALOGUE:
        raise DataError("the name is taken", where=where, mend="Choose another name")
    if not new.name.isidentifier():  # it heads columns, and stands in tables that people open
        mend = "Take letters, digits and underscores, a letter first"
        raise DataError("it is no name of a column", where=where, mend=mend)
    if new.unit not in UNITS:
        raise DataError(
            f"unit {new.unit!r} is unknown", where=where, mend=f"Take one of {', '.join(UNITS)}"
        )
    if new.risk not in (-1, 0, 1):
        raise DataError(f"risk is {new.risk}", where=where, mend="Take -1, 0 or 1")
    if not new.description:
        raise DataError("it has no docstring", where=where, mend="Say in a line what it means")
    _CATALOGUE[new.name] = new


def forget(names: Iterable[str]) -> None:
    """Take features out of the catalogue, as a plugin that fails half-way must be."""
    for name in tuple(names):
        del _CATALOGUE[name]


def catalogue() -> tuple[Feature, ...]:
    """Return every feature, the built-in families first, in the order of the columns."""
    return tuple(_CATALOGUE.values())


def families_of(names: Iterable[str]) -> tuple[str | None, ...]:
    """Return the family of each name; None where no feature is called so."""
    return tuple(known.family if known else None for known in map(_CATALOGUE.get, names))


def feature_names() -> tuple[str, ...]:
    """Return the names of every feature, in the order of the columns."""
    return tuple(_CATALOGUE)


def model_feature_names() -> tuple[str, ...]:
    """Return the names of the features that risk models may use."""
    return tuple(name for name, known in _CATALOGUE.items() if not known.kept_out)


def find_features(names: Iterable[str]) -> tuple[Feature, ...]:
    """Return features by name, in the order asked for.

    Raises
    ------
    DataError
        There is no feature of that name.
    """
    names = tuple(names)
    try:
        return tuple(map(_CATALOGUE.__getitem__, names))
    except KeyError:
        unknown = [name for name in names if name not in _CATALOGUE]
        raise DataError(
            f"no feature is called {', '.join(unknown)}",
            where="features",
            mend="relimit features --list shows the names; a plugin must be loaded first",
        ) from None


def catalogue_hash(names: Iterable[str] | None = None) -> str:
    """Return the SHA-256 of the features' names and meanings, in order; None takes them all.

    Two installations with the same hash compute the same columns. The descriptions' wording does
    not count; a change of meaning raises `revision`, which does.
    """
    features = catalogue() if names is None else find_features(names)
    contract = [
        [known.name, known.unit, known.window, known.risk, known.null, known.revision]
        for known in features
    ]
    return hashlib.sha256(json.dumps(contract, separators=(",", ":")).encode()).hexdigest()

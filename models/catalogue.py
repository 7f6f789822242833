"""Whether a model's features are the installed ones, and if not, what differs."""

from collections.abc import Mapping, Sequence

from relimit.data.errors import ModelError
from relimit.features import catalogue


def installed_features() -> dict[str, str]:
    """Return every installed feature with what a model relies on: unit, window, revision."""
    return {
        item.name: f"{item.unit}, window {item.window}, revision {item.revision}"
        for item in catalogue()
    }


def check_installed(
    wanted: Mapping[str, str], installed: Mapping[str, str] | Sequence[str] | None, where: str
) -> dict[str, str]:
    """Return the installed definitions of the wanted features.

    Parameters
    ----------
    wanted
        Feature names with the definitions they had; an empty definition fits any.
    installed
        Names with definitions, or names alone (definitions are not compared then); the
        installed catalogue if None.
    where
        What wants them, for the message.

    Raises
    ------
    ModelError
        If a feature is not installed or means something else now; the message names them.
    """
    found = installed_features() if installed is None else installed
    definitions = found if isinstance(found, Mapping) else dict.fromkeys(found, "")
    absent = [name for name in wanted if name not in definitions]
    if absent:
        raise ModelError(
            f"{len(absent)} of {len(wanted)} features are not installed: {', '.join(absent[:8])}",
            where=where,
            mend="Install the version of relimit that it was trained with, or train again.",
        )
    changed = [
        f"{name} was {was!r}, is {definitions[name]!r}"
        for name, was in wanted.items()
        if was and definitions[name] and was != definitions[name]
    ]
    if changed:
        raise ModelError(
            f"{len(changed)} of {len(wanted)} features mean something else now: "
            f"{'; '.join(changed[:4])}",
            where=where,
            mend="Install the version of relimit that it was trained with, or train again.",
        )
    return {name: definitions[name] for name in wanted}

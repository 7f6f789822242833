"""The policy file as one frozen value: read, checked against the promises, versioned by content."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from relimit.data.errors import PolicyError, unless_refused
from relimit.features.registry import catalogue
from relimit.policy.reading import read_section, reject_unknown
from relimit.policy.settings import (
    PACKAGE,
    CapSettings,
    CauseSettings,
    EvidenceSettings,
    FaultSettings,
    FinalitySettings,
    GateSettings,
    ReasonSettings,
    RoundingSettings,
    ServiceSettings,
    Tier,
    TierColumns,
    TimetableSettings,
    ValueSettings,
    WordingSettings,
    load_wording,
)

DEFAULT = "default.toml"
OPTIONAL = "value"


@dataclass(frozen=True)
class Policy:
    """Everything that a decision depends on besides the case itself.

    Examples
    --------
    >>> policy = load_policy()
    >>> policy.caps.limit
    20000000
    >>> policy.tiers[0].share, policy.tiers[-1].share
    (1.0, 0.0)
    """

    fault: FaultSettings
    gates: GateSettings
    finality: FinalitySettings
    caps: CapSettings
    rounding: RoundingSettings
    tiers: tuple[Tier, ...]
    service: ServiceSettings
    reasons: ReasonSettings
    evidence: EvidenceSettings
    causes: CauseSettings
    timetable: TimetableSettings
    wording: WordingSettings
    value: ValueSettings | None = None

    @property
    def stated_value(self) -> ValueSettings:
        """What the policy is optimised for.

        Raises
        ------
        PolicyError
            The file does not say.
        """
        if self.value is None:
            mend = "Copy [value] from the default policy"
            raise PolicyError("`value` is missing", where=f"policy {self.version}", mend=mend)
        return self.value

    @cached_property
    def tier_columns(self) -> TierColumns:
        """The tiers as the rules read them, a dozen times in a decision."""
        return TierColumns(
            up_to=np.array([tier.up_to for tier in self.tiers]),
            quarters=np.array([round(tier.share * 4) for tier in self.tiers], np.int64),
            delay_days=np.array([tier.delay_days for tier in self.tiers], np.int64),
            holds_back=np.array([tier.share < 1 or tier.delay_days > 0 for tier in self.tiers]),
        )

    @cached_property
    def version(self) -> str:
        """The first twelve hex digits of the SHA-256 of the settings and of the texts they name.

        The order of the settings makes no difference, nor do comments.
        """
        said = {name: part for name, part in asdict(self).items() if part is not None}
        said["texts"] = {table: load_wording(table) for table in self.wording.tables}
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return sha256(canonical.encode()).hexdigest()[:12]


def load_policy(path: Path | None = None) -> Policy:
    """Read and check a policy file; the packaged default if no path is given.

    Every key must be in the file: a policy that is published says all that it decides by. Without
    `service.better_by` a later score counts as it is, without `wording.currency` amounts are in ¥.
    `[value]` may be absent, or its `group_rise`: it says what the policy was optimised for, and no
    decision reads it.

    Raises
    ------
    PolicyError
        The file can't be read, or a setting is missing, unknown, out of range, or against the
        promise that more risk never restores more or sooner.
    """
    where, mend = str(path or DEFAULT), "Give a file that you may read"
    try:
        with unless_refused("can't be read", where=where, mend=mend, error=PolicyError):
            text = (path or files(PACKAGE).joinpath(DEFAULT)).read_text("utf-8-sig")
        table = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise PolicyError(
            f"is not TOML in UTF-8 ({error})",
            where=where,
            mend="Copy the packaged policy/default.toml and change its values",
        ) from error
    return _policy(table, where)


def _policy(table: Mapping[str, Any], where: str) -> Policy:
    known = tuple(f.name for f in fields(Policy))
    reject_unknown(table, known, name="", where=where)
    for name in known:
        if name not in table and name != OPTIONAL:
            mend = f"Copy [{name}] from the default policy"
            raise PolicyError(f"`{name}` is missing", where=where, mend=mend)
    sections: dict[str, Any] = {
        f.name: read_section(f.type, table[f.name], name=f.name, where=where)
        for f in fields(Policy)
        if isinstance(f.type, type)
    }
    if OPTIONAL in table:
        sections[OPTIONAL] = read_section(
            ValueSettings, table[OPTIONAL], name=OPTIONAL, where=where
        )
    policy = Policy(tiers=_tiers(table["tiers"], where), **sections)
    _check_tiers(policy.tiers, where)
    _check_causes(policy.causes, where)
    return policy


def _tiers(tables: object, where: str) -> tuple[Tier, ...]:
    if not isinstance(tables, Sequence) or isinstance(tables, str) or not tables:
        raise PolicyError("`tiers` is not a list of tables", where=where, mend="Write [[tiers]]")
    return tuple(
        read_section(Tier, table, name=f"tiers.{place}", where=where)
        for place, table in enumerate(tables, 1)
    )


def _check_tiers(tiers: Sequence[Tier], where: str) -> None:
    for place, (safer, riskier) in enumerate(pairwise(tiers), 2):
        for key, fits, expected in (
            ("up_to", riskier.up_to > safer.up_to, f"more than {safer.up_to:g}"),
            ("share", riskier.share <= safer.share, f"at most {safer.share:g}"),
            ("delay_days", riskier.delay_days >= safer.delay_days, f"at least {safer.delay_days}"),
        ):
            if not fits:
                raise PolicyError(
                    f"`tiers.{place}.{key}` is {getattr(riskier, key):g}, expected {expected}",
                    where=where,
                    mend="More risk may never restore more, nor sooner, than the tier before it",
                )
    for place, tier in enumerate(tiers, 1):
        waits = tier.delay_days > 0 and tier.share > 0
        if waits != (tier.signal != "none"):
            expected = "the signal that it waits for" if waits else "none: nothing waits"
            raise PolicyError(
                f"`tiers.{place}.signal` is {tier.signal}, expected {expected}", where=where
            )
    if tiers[-1].up_to != 1.0:
        raise PolicyError(
            f"`tiers.{len(tiers)}.up_to` is {tiers[-1].up_to:g}, expected 1",
            where=where,
            mend="The last tier takes every loss that is left",
        )


def _check_causes(causes: CauseSettings, where: str) -> None:
    owner: dict[str, str] = {}
    for cause in (f.name for f in fields(causes)):
        for entry in getattr(causes, cause):
            if entry in owner:
                raise PolicyError(
                    f"`causes.{cause}` has {entry}, which `causes.{owner[entry]}` has too",
                    where=where,
                    mend="Give it to one cause",
                )
            owner[entry] = cause
            _check_named(cause, entry, where)


def _check_named(cause: str, entry: str, where: str) -> None:
    """Refuse what is nearly a known name; patterns, and what is like none, may be a plugin's."""
    known = sorted({name for feature in catalogue() for name in (feature.name, feature.family)})
    if entry in known or set(entry) & set("*?["):
        return
    if near := get_close_matches(entry, known, n=1, cutoff=0.8):
        raise PolicyError(
            f"`causes.{cause}` has {entry}, which is no family and no feature",
            where=where,
            mend=f"Did you mean `{near[0]}`?",
        )

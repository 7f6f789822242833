"""A policy as the text of its file: what it says is what is read back."""

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy.config import Policy
from relimit.policy.reading import Rule


def policy_text(policy: Policy, head: Sequence[str] = (), tiers: Sequence[str] = ()) -> str:
    """Return a policy as TOML that `load_policy` reads as the same policy.

    Parameters
    ----------
    head
        Lines of comment to begin with.
    tiers
        A comment for each tier.
    """
    parts = [[f"# {line}".rstrip() for line in head]] if head else []
    for section in fields(policy):
        part = getattr(policy, section.name)
        if isinstance(part, tuple):
            notes = tiers or [""] * len(part)
            for tier, note in zip(part, notes, strict=True):
                parts.append([f"[[{section.name}]]{f'  # {note}' if note else ''}", *_keys(tier)])
        elif part is not None:
            parts.append([f"[{section.name}]", *_keys(part)])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _keys(section: Any) -> list[str]:
    found = []
    for key in fields(section):
        rule: Rule = key.metadata["rule"]
        value = getattr(section, key.name)
        if rule.suffix:
            value = Decimal(value) / FEN_PER_YUAN
        found.append(f"{key.name}{rule.suffix} = {_literal(value)}")
    return found


def _literal(value: Any) -> str:
    """Return a value as TOML; of strings only words and patterns occur, which need no escapes."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return str(value)

"""The published terms, written from the policy file: what it says and what they say can't differ.

Every number is a setting or is worked out by `decide` itself; the words are in `wording_card.toml`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from relimit.policy.config import Policy
from relimit.policy.decide import decide
from relimit.policy.examples import FREED, WHEN, Example, cases_of, examples_of, tier_cases
from relimit.policy.phrases import DATE, LANGUAGES, MONEY
from relimit.policy.settings import Tier, load_wording

TABLE: Final = "card"
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "conditions": ("overdue", "interest", "identity"),
    "waits": ("clearing", "fault"),
    "dates": ("calendar", "slack", "review", "kept", "better"),
    "reasons": ("most", "evidence", "payment_return", "distress", "cycling", "low_need"),
    "harmless": ("prepaying", "settling", "cycling", "low_need", "fault", "personal"),
}
"""The sections of plain rules, and their sentences."""


@dataclass(frozen=True, slots=True)
class TermsTable:
    """A table of words: `columns` over `rows`."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TermsSection:
    """A heading, its sentences and, under some, a table."""

    title: str
    sentences: tuple[str, ...]
    table: TermsTable | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The published terms in one language."""

    language: str
    title: str
    sections: tuple[TermsSection, ...]


Says = Callable[..., str]
"""Says a sentence by its name in one language; keywords fill fields that no setting has."""


def published_terms(policy: Policy) -> dict[str, Terms]:
    """Return the terms of a policy by language.

    Examples
    --------
    >>> from relimit.policy import load_policy
    >>> terms = published_terms(load_policy())["en"]
    >>> print(terms.sections[3].sentences[1])
    What we promise for a date is back within 1 day of it.
    """
    return {language: _terms(policy, language) for language in LANGUAGES}


def _terms(policy: Policy, language: str) -> Terms:
    settings = setting_words(policy, language)
    templates = load_wording(TABLE)

    def says(name: str, **more: str) -> str:
        return templates[name][language].format_map({**settings, **more})

    returns = TermsSection(
        says("heading.returns"),
        tuple(says(f"returns.{name}") for name in ("rule", "rounding", "cap")),
        _tier_table(policy, language, says),
    )
    rules = [
        TermsSection(says(f"heading.{name}"), tuple(says(f"{name}.{one}") for one in sentences))
        for name, sentences in RULES.items()
    ]
    sections = (returns, *rules, _worked_examples(policy, language, says))
    return Terms(language, says("heading.title", version=policy.version), sections)


def setting_words(policy: Policy, language: str) -> dict[str, str]:
    """Return every plain setting as words, by `section_key`: money, days, shares and counts."""
    found = {}
    for section in fields(policy):
        part = getattr(policy, section.name)
        if part is None or isinstance(part, tuple):
            continue
        for key in fields(part):
            suffix = key.metadata["rule"].suffix
            value = getattr(part, key.name)
            name = f"{section.name}_{key.name}"
            found[name] = (
                _amount(policy, value) if suffix == "_yuan" else _setting(value, key.name, language)
            )
    return found


def _amount(policy: Policy, fen: int) -> str:
    return MONEY.write(fen, policy.wording.currency)


def _setting(value: Any, name: str, language: str) -> str:
    if name.endswith("_days") or name == "days_past_due":
        return days(value, language)
    return _share(value) if isinstance(value, float) else str(value)


def days(count: int, language: str) -> str:
    """Return a number of days in words.

    Examples
    --------
    >>> days(1, "en"), days(0, "en"), days(3, "zh")
    ('1 day', '0 days', '3天')
    """
    if language == "zh":
        return f"{count}天"
    return f"{count} day" if count == 1 else f"{count} days"


def _tier_table(policy: Policy, language: str, says: Says) -> TermsTable:
    timetable = decide(policy, tier_cases(policy)).timetable
    returned = timetable.restore_now + timetable.restore_later
    columns = ("up_to", "returns", "share", "wait", "sooner")
    rows = (
        _tier_row(tier, _amount(policy, fen), language, says)
        for tier, fen in zip(policy.tiers, returned.tolist(), strict=True)
    )
    return TermsTable(
        says("tiers.caption", freed=_amount(policy, FREED)),
        tuple(says(f"tiers.{column}") for column in columns),
        tuple(rows),
    )


def _tier_row(tier: Tier, amount: str, language: str, says: Says) -> tuple[str, ...]:
    wait = says("tiers.never")
    if tier.share > 0:
        wait = days(tier.delay_days, language) if tier.delay_days else says("tiers.at_once")
    sooner = says(f"signal.{tier.signal}")
    return _share(tier.up_to), amount, _share(tier.share), wait, sooner


def _share(value: float) -> str:
    """Return a share in per cent, with as many digits as it has.

    Examples
    --------
    >>> _share(0.5), _share(0.035), _share(1.0)
    ('50%', '3.5%', '100%')
    """
    return f"{100 * value:.6g}%"


def _worked_examples(policy: Policy, language: str, says: Says) -> TermsSection:
    examples = examples_of(policy)
    decided = decide(policy, cases_of(examples))
    texts = {"zh": decided.text_zh, "en": decided.text_en}[language].tolist()
    rows = zip((_situation(policy, one, says) for one in examples), texts, strict=True)
    date = DATE.write(WHEN, language)
    caption = says("examples.rule", freed=_amount(policy, FREED), date=date)
    columns = (says("examples.situation"), says("examples.answer"))
    return TermsSection(says("heading.examples"), (), TermsTable(caption, columns, tuple(rows)))


def _situation(policy: Policy, example: Example, says: Says) -> str:
    return says(
        f"example.{example.name}",
        amount=_amount(policy, example.amount),
        count=str(example.count),
        share=_share(example.loss_ratio),
    )

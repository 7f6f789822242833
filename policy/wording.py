"""Texts of decisions from templates: rows with the same sentences are written together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import STATUSES
from relimit.policy.arms import tier_of
from relimit.policy.cases import Cases, Dates, Floats, Ints
from relimit.policy.causes import CAUSES, SIGNS, signs_of_distress
from relimit.policy.config import Policy
from relimit.policy.gates import GATES
from relimit.policy.next_due import PAY_NEXT_DUE
from relimit.policy.outcome import Situation
from relimit.policy.phrases import LANGUAGES, counts, dates, money, percentages, points, spans
from relimit.policy.reasons import REASONS
from relimit.policy.remedies import ACTIONS, NO_ACTION, STEPS, WAIT_FOR_CLEARING, Remedies
from relimit.policy.settings import load_wording
from relimit.policy.timetable import DECLINED, NONE, RESTORED, SIGNALS, Timetable, days_after

DISTRESS: Final = REASONS.index("distress")

Sentence = tuple[str, ...]
"""The names of templates, to be written one after another without a gap."""

Said = dict[tuple[int, str], list[str]]
"""What a field says in the rows of a plan, by the plan's place and the field's name."""


class Template(NamedTuple):
    """A text with a gap for each of the fields that it shows, in their order."""

    gaps: str
    fields: tuple[str, ...]


class Plan(NamedTuple):
    """Rows that are told the same, and how."""

    rows: Ints
    template: Template

    def texts(self, number: int, said: Said) -> list[str]:
        """Return `[rows]` texts; `number` is the plan's place."""
        gaps, fields = self.template
        if not fields:
            return [gaps.format()] * len(self.rows)
        return list(map(gaps.format, *(said[number, name] for name in fields)))


@dataclass(frozen=True, slots=True)
class Story:
    """What the texts of some decisions tell, a row each."""

    policy: Policy
    cases: Cases
    situation: Situation
    timetable: Timetable
    reasons: Any
    remedies: Remedies

    @property
    def loss_ratio(self) -> Floats:
        """`[n]`: the expected loss over the freed limit, as the tiers read it."""
        return self.situation.tier_ratio

    @property
    def tier_bound(self) -> Floats:
        """`[n]`: the largest loss ratio of each case's tier."""
        tier = tier_of(self.policy, self.loss_ratio)
        return np.asarray(self.policy.tier_columns.up_to[tier])

    @property
    def returns_by(self) -> Dates:
        """`[n]`: the day that lies as many days after the decision as a remedy says."""
        return days_after(self.timetable.decided_on, self.remedies.days.astype(np.int64))

    def field(self, name: str, rows: Ints, language: str) -> list[str]:
        """Return `[rows]` what a template's field says in a language."""
        if name in SETTINGS:
            return [SETTINGS[name](self.policy)] * len(rows)
        holder, write = FIELDS[name]
        how = self.policy.wording.currency if write is money else language
        return write(getattr(holder(self), name)[rows], how)


def _timetable(story: Story) -> Any:
    return story.timetable


def _facts(story: Story) -> Any:
    return story.cases.facts


def _cases(story: Story) -> Any:
    return story.cases


def _story(story: Story) -> Any:
    return story


def _remedies(story: Story) -> Any:
    return story.remedies


FIELDS: Final[Mapping[str, tuple[Callable[[Story], Any], Callable[[Any, str], list[str]]]]] = {
    "decided_on": (_timetable, dates),
    "later_date": (_timetable, dates),
    "not_later_than": (_timetable, dates),
    "restore_now": (_timetable, money),
    "restore_later": (_timetable, money),
    "withheld": (_timetable, money),
    "signal_on": (_timetable, dates),
    "next_due": (_facts, dates),
    "cycles_until": (_facts, dates),
    "loss_ratio": (_story, percentages),
    "tier_bound": (_story, percentages),
    "overdue": (_facts, money),
    "unsettled_interest": (_facts, money),
    "cycles": (_facts, counts),
    "days_past_due": (_facts, counts),
    "identity_changes": (_facts, counts),
    "lender_inflow": (_facts, money),
    "login_failures": (_facts, counts),
    "outage_minutes": (_facts, counts),
    "overdues": (_facts, counts),
    "score_drop": (_facts, points),
    "returned_payments": (_facts, counts),
    "freed": (_cases, money),
    "risk": (_cases, percentages),
    "expected_loss": (_cases, money),
    "restores": (_remedies, money),
    "days": (_remedies, spans),
    "returns_by": (_story, dates),
}
"""What a template's field shows of each decision, and how it is written."""


def _bound(policy: Policy, fen: int) -> str:
    return money(np.array([fen]), policy.wording.currency)[0]


SETTINGS: Final[Mapping[str, Callable[[Policy], str]]] = {
    "cap": lambda policy: _bound(policy, policy.caps.limit),
    "overdue_bound": lambda policy: _bound(policy, policy.gates.overdue),
    "interest_bound": lambda policy: _bound(policy, policy.gates.unsettled_interest),
    "days_past_due_bound": lambda policy: str(policy.gates.days_past_due),
    "identity_bound": lambda policy: str(policy.gates.identity_changes),
    "login_bound": lambda policy: str(policy.gates.login_failures),
    "outage_bound": lambda policy: str(policy.fault.outage_minutes),
    "returned_bound": lambda policy: str(policy.finality.returned_payments),
    "clearing_days": lambda policy: str(policy.finality.clearing_days),
    "returned_window_days": lambda policy: str(policy.finality.returned_window_days),
    "evidence_window_days": lambda policy: str(policy.evidence.window_days),
    "overdues_bound": lambda policy: str(policy.evidence.overdues),
    "score_drop_bound": lambda policy: str(policy.evidence.score_drop),
    "lender_inflow_bound": lambda policy: f"{policy.evidence.lender_inflow_share:.0%}",
}
"""What a template's field shows of the policy itself."""


def write_texts(story: Story, table: str) -> dict[str, NDArray[np.object_]]:
    """Return by language `[n]` texts from a table: result, signal, reasons, remedy, last date."""
    n = len(story.cases)
    told = list(_plans(story)) if n else []
    said: Said = {}
    texts = {}
    for language in LANGUAGES:
        plans = [Plan(rows, _template(table, sentences, language)) for rows, sentences in told]
        said = _say(story, plans, language, said)
        written = np.empty(n, dtype=object)
        for number, plan in enumerate(plans):
            written[plan.rows] = plan.texts(number, said)
        texts[language] = written
    return texts


def _plans(story: Story) -> Iterator[tuple[Ints, tuple[Sentence, ...]]]:
    """Yield the rows that have the same sentences, with those sentences."""
    columns = _plan_columns(story)
    if columns.shape[1] == 1:
        yield np.zeros(1, np.int64), _sentences(columns[:, 0].tolist())
        return
    sizes = columns.max(axis=1) + 2
    key = np.append(np.cumprod(sizes[:0:-1])[::-1], 1) @ (columns + 1)
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    bounds = np.cumsum(np.bincount(group))[:-1]
    for one, rows in zip(first, np.split(np.argsort(group, kind="stable"), bounds), strict=True):
        yield rows, _sentences(columns[:, one].tolist())


def _plan_columns(story: Story) -> Ints:
    """Return `[columns, n]` what a row's sentences depend on; -1 and more."""
    timetable, facts = story.timetable, story.cases.facts
    parts = [
        timetable.status,
        story.cases.freed > 0,
        timetable.restore_now > 0,
        timetable.withheld > 0,
        timetable.signal,
        facts.overdue > 0,
        (story.cases.freed > 0) & (story.cases.freed < story.situation.freed),
        _signs(story),
        story.remedies.action,
        *story.reasons.T,
    ]
    return np.array(parts, dtype=np.int64)


def _signs(story: Story) -> Ints:
    """Return `[n]` which of `SIGNS` a row tells of, as the bits of a number."""
    signs = np.zeros(len(story.cases), np.int64)
    rows = np.flatnonzero((story.reasons == DISTRESS).any(axis=1))
    if len(rows):
        shown = signs_of_distress(story.policy, story.cases)[rows]
        signs[rows] = shown @ (1 << np.arange(len(SIGNS)))
    return signs


def _sentences(plan: Sequence[int]) -> tuple[Sentence, ...]:
    status, freed, now, withheld, signal, arrears_known, rest, signs, action, *reasons = plan
    result = _result(status, freed, now, withheld)
    sentences: list[Sentence] = [(f"result.{result}_rest" if rest else f"result.{result}",)]
    if signal != NONE:
        sentences.append((f"signal.{SIGNALS[signal]}",))
    for reason in reasons:
        if reason >= 0:
            code = REASONS[reason]
            unknown = code == GATES[0] and not arrears_known
            told = f"reason.{code}_unknown" if unknown else f"reason.{code}"
            sentences.append((told, *_told_signs(signs)) if reason == DISTRESS else (told,))
            if code in CAUSES:
                sentences.append((f"action.{code}",))
    if action != NO_ACTION:
        sentences.append(_remedy(ACTIONS[action], bool(arrears_known)))
    if STATUSES[status] != STATUSES[RESTORED]:
        sentences.append(("date.review" if withheld else "date.later",))
    return tuple(sentences)


def _result(status: int, freed: int, now: int, withheld: int) -> str:
    if status == RESTORED:
        return "restored" if freed else "nothing"
    if status == DECLINED:
        return "declined"
    if now:
        return "now_part"
    return "later_part" if withheld else "later_all"


def _told_signs(signs: int) -> Sentence:
    told: list[str] = []
    for place, sign in enumerate(SIGNS):
        if signs >> place & 1:
            told += ["join.signs", f"sign.{sign}"]
    return (*told[1:], "sign.end")


def _remedy(action: str, arrears_known: bool) -> Sentence:
    if action in {WAIT_FOR_CLEARING, PAY_NEXT_DUE}:
        return (f"remedy.{action}",)
    steps = []
    for step in action.split("+"):
        unknown = step == STEPS[0] and not arrears_known
        steps += ["join.steps", f"step.{step}_unknown" if unknown else f"step.{step}"]
    return ("remedy.before", *steps[1:], "remedy.after")


@lru_cache(maxsize=4096)
def _template(table: str, sentences: tuple[Sentence, ...], language: str) -> Template:
    templates = load_wording(table)
    template = templates["join.sentences"][language].join(
        "".join(templates[name][language] for name in sentence) for sentence in sentences
    )
    pieces = [(literal, name or "") for literal, name, _, _ in Formatter().parse(template)]
    gaps = (_literal(literal) + ("{}" if name else "") for literal, name in pieces)
    return Template("".join(gaps), tuple(name for _, name in pieces if name))


def _literal(text: str) -> str:
    """Return a text that a template shows as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _say(story: Story, plans: Sequence[Plan], language: str, before: Said) -> Said:
    """Write each field at once for all rows that show it.

    `before` is what was said in another language: what does not depend on it is taken over.
    """
    said = {key: words for key, words in before.items() if _is_plain(key[1])}
    shown: dict[str, list[int]] = {}
    for number, plan in enumerate(plans):
        for name in dict.fromkeys(plan.template.fields):
            if (number, name) not in said:
                shown.setdefault(name, []).append(number)
    for name, numbers in shown.items():
        rows = [plans[number].rows for number in numbers]
        words = story.field(name, np.concatenate(rows) if len(rows) > 1 else rows[0], language)
        begin = 0
        for number in numbers:
            end = begin + len(plans[number].rows)
            said[number, name] = words[begin:end]
            begin = end
    return said


def _is_plain(name: str) -> bool:
    return name in SETTINGS or FIELDS[name][1] in (money, counts, percentages, points)

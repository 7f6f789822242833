"""Which sentences tell each decision, and the texts that they make."""

from functools import lru_cache
from string import Formatter
from typing import Final

import numpy as np

from relimit.data.vocabulary import STATUSES
from relimit.policy.cases import Ints
from relimit.policy.causes import CAUSES, SIGNS, signs_of_distress
from relimit.policy.filling import Plan, Template, Texts, fill_all, fill_one
from relimit.policy.gates import GATES
from relimit.policy.next_due import PAY_NEXT_DUE
from relimit.policy.phrases import LANGUAGES
from relimit.policy.reasons import REASONS, SYSTEM_FAULT
from relimit.policy.remedies import ACTIONS, NO_ACTION, STEPS, WAIT_FOR_CLEARING
from relimit.policy.settings import load_wording
from relimit.policy.story import FIELDS, Story
from relimit.policy.timetable import DECLINED, NONE, RESTORED, SIGNALS

FEW: Final = 80
"""Up to so many texts are written one by one: together they cost some milliseconds at least."""

DISTRESS: Final = "distress"

Sentence = tuple[str, ...]
"""The names of templates, to be written one after another without a gap."""


def write_texts(story: Story, table: str) -> dict[str, Texts]:
    """Return by language `[n]` texts from a table: result, signal, reasons, remedy, last date."""
    columns = _plan_columns(story)
    if len(story) > FEW:
        rows = _alike(columns)
        plans = [Plan(its, _template(table, *columns[:, its[0]].tolist())) for its in rows]
        return fill_all(story, plans)
    told = [_template(table, *row) for row in columns.T.tolist()]
    texts = [fill_one(story, row, template) for row, template in enumerate(told)]
    return {language: Texts([text[language] for text in texts]) for language in LANGUAGES}


def _alike(columns: Ints) -> list[Ints]:
    """Return the rows that have the same in all columns, together."""
    sizes = columns.max(axis=1) + 2
    key = np.append(np.cumprod(sizes[:0:-1])[::-1], 1) @ (columns + 1)
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


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
    signs = np.zeros(len(story), np.int64)
    told = story.reasons == REASONS.index(DISTRESS)
    if np.count_nonzero(told):
        rows = told.any(axis=1).nonzero()[0]
        shown = signs_of_distress(story.policy, story.cases)[rows]
        signs[rows] = shown @ (1 << np.arange(len(SIGNS)))
    return signs


@lru_cache(maxsize=4096)  # most decisions are told as others were before
def _template(table: str, *plan: int) -> Template:
    """Return the template of a column of `_plan_columns`."""
    wording, sentences = load_wording(table), _sentences(*plan)
    pieces = {
        language: _pieces(
            wording["join.sentences"][language].join(
                "".join(wording[name][language] for name in sentence) for sentence in sentences
            )
        )
        for language in LANGUAGES
    }
    shown = {name for its in pieces.values() for _, name in its}
    return Template(pieces, frozenset(shown & FIELDS.keys()))


def _pieces(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((words, name or "") for words, name, _, _ in Formatter().parse(text))


def _sentences(*plan: int) -> tuple[Sentence, ...]:
    status, freed, now, withheld, signal, arrears_known, rest, signs, action, *reasons = plan
    result = _result(status, freed, now, withheld)
    sentences: list[Sentence] = [(f"result.{result}_rest" if rest else f"result.{result}",)]
    if signal != NONE:
        sentences.append((f"signal.{SIGNALS[signal]}",))
    codes = [REASONS[reason] for reason in reasons if reason >= 0]
    for code in codes:
        told = _reason(code, alone=len(codes) == 1, arrears_known=bool(arrears_known))
        sentences.append((told, *_told_signs(signs)) if code == DISTRESS else (told,))
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


def _reason(code: str, *, alone: bool, arrears_known: bool) -> str:
    if code == GATES[0] and not arrears_known:
        return f"reason.{code}_unknown"
    if code == SYSTEM_FAULT and not alone:
        return f"reason.{code}_part"
    return f"reason.{code}"


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

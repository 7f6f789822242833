"""The published terms can't say anything else than the policy file."""

import re
from dataclasses import fields, replace
from string import Formatter

import pytest

from relimit.policy import load_policy, published_terms
from relimit.policy.card import TABLE
from relimit.policy.gates import GATES
from relimit.policy.settings import load_wording

UNPUBLISHED = {"causes", "value", "wording"}
"""How the lender reads its own model, what it weighed, and which texts it uses: no terms."""


@pytest.fixture
def policy_in_dollars():
    policy = load_policy()
    return replace(policy, wording=replace(policy.wording, currency="US$"))


def leaves(policy):
    """Section and key of every plain setting, and of every tier's."""
    for section in fields(policy):
        part = getattr(policy, section.name)
        if section.name in UNPUBLISHED:
            continue
        if isinstance(part, tuple):
            for place in range(len(part)):
                yield from ((section.name, place, key.name) for key in fields(part[place]))
        else:
            yield from ((section.name, None, key.name) for key in fields(part))


def another(value):
    if isinstance(value, str):
        return {"none": "next_due", "Asia/Shanghai": "Asia/Tokyo"}.get(value, "none")
    return value / 2 + 0.01 if isinstance(value, float) else value + 1


def changed(policy, section, place, key):
    part = getattr(policy, section)
    if place is None:
        return replace(policy, **{section: replace(part, **{key: another(getattr(part, key))})})
    tiers = list(part)
    tiers[place] = replace(tiers[place], **{key: another(getattr(tiers[place], key))})
    return replace(policy, **{section: tuple(tiers)})


def body(terms):
    return [(section.title, section.sentences, section.table) for section in terms.sections]


@pytest.mark.parametrize(
    "leaf", list(leaves(load_policy())), ids=lambda leaf: ".".join(map(str, leaf))
)
def test_every_setting_that_a_borrower_can_feel_shows_in_both_languages(policy, leaf):
    _, place, key = leaf
    if key in {"delay_days", "signal"} and policy.tiers[place].share == 0:
        pytest.skip("nothing returns, so nothing waits")
    before, after = published_terms(policy), published_terms(changed(policy, *leaf))
    for language in ("zh", "en"):
        assert body(before[language]) != body(after[language]), language


def test_the_title_names_the_version_of_the_file(policy):
    for terms in published_terms(policy).values():
        assert policy.version in terms.title


def test_the_table_says_what_the_file_says(policy):
    table = published_terms(policy)["en"].sections[0].table
    assert table.rows[0] == ("3%", "¥10,000.00", "100%", "at once", "–")
    assert table.rows[2] == (
        "10%", "¥7,500.00", "75%", "7 days", "a refreshed assessment that has improved",
    )  # fmt: skip
    assert table.rows[-1] == ("100%", "¥0.00", "0%", "–", "–")


def test_worked_examples_are_the_ledger_worked_by_hand(policy):
    examples = published_terms(policy)["en"].sections[-1].table.rows
    answers = dict(examples)
    at_cap = answers["An approved limit ¥4,000.00 above the regulatory cap"]
    assert "¥6,000.00 returned on 2 March 2026 and ¥4,000.00 has not yet returned" in at_cap
    interest = answers["¥13.40 of interest is unsettled"]
    assert "settled ¥13.40 of interest, ¥10,000.00 of the limit can return within 1 day" in interest
    assert "returns on 7 March 2026" in answers["Payments returned by a bank: 1"]
    assert "returns on 3 March 2026" in answers["Minutes of system fault that day: 30"]
    assert "has not yet returned" in answers["An expected loss of 100% of the freed limit"]


def test_every_gate_has_its_condition_with_its_bound(policy):
    for terms in published_terms(policy).values():
        conditions = terms.sections[1].sentences
        assert len(conditions) == len(GATES)
        assert all(re.search(r"\d", sentence) for sentence in conditions)


def test_both_languages_have_the_same_fields_and_no_sentence_is_idle(policy):
    asked = set()

    class Watched(dict):
        def __getitem__(self, name):
            asked.add(name)
            return super().__getitem__(name)

    templates = load_wording(TABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relimit.policy.card.load_wording", lambda table: Watched(templates))
        published_terms(policy)
    signals = {name for name in templates if name.startswith("signal.")}
    assert set(templates) - signals == asked - signals
    for name, entry in templates.items():
        names = [{f for _, f, _, _ in Formatter().parse(entry[x]) if f} for x in ("zh", "en")]
        assert names[0] == names[1], name


def test_the_terms_never_advise_to_borrow_more(policy):
    for terms in published_terms(policy).values():
        for section in terms.sections:
            words = " ".join(section.sentences)
            assert "borrow more" not in words
            assert "多借" not in words


def test_no_amount_is_in_another_currency_than_the_lenders(policy_in_dollars):
    for language in ("zh", "en"):
        published = str(published_terms(policy_in_dollars)[language])
        assert "US$10,000.00" in published
        assert "¥" not in published

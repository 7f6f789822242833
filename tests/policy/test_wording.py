import re
from dataclasses import replace
from datetime import date
from string import Formatter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.policy import ACTIONS, REASONS, analyst_texts, decide, load_policy
from relimit.policy.causes import CAUSES
from relimit.policy.phrases import MONTHS
from relimit.policy.settings import load_wording
from relimit.policy.story import FIELDS, SETTINGS
from relimit.policy.timetable import SIGNALS

POLICY = load_policy()
TABLES = ("borrower", "analyst")
TEMPLATES = load_wording("borrower")
AMOUNT = re.compile(r"¥([\d,]+)\.(\d\d)")
DATE_ZH = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")
DATE_EN = re.compile(rf"(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})")


def amounts(text):
    return sorted(int(yuan.replace(",", "") + fen) for yuan, fen in AMOUNT.findall(text))


def dates_zh(text):
    return sorted(date(*map(int, found)) for found in DATE_ZH.findall(text))


def dates_en(text):
    return sorted(
        date(int(year), MONTHS.index(month) + 1, int(day))
        for day, month, year in DATE_EN.findall(text)
    )


def fields_of(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


@pytest.mark.parametrize(
    "name",
    [
        *(f"reason.{code}" for code in REASONS),
        *(f"action.{cause}" for cause in CAUSES),
        *(f"signal.{signal}" for signal in SIGNALS if signal != "none"),
        *(f"step.{step}" for action in ACTIONS[:-2] for step in action.split("+")),
        *(f"remedy.{action}" for action in ACTIONS[-2:]),
    ],
)
@pytest.mark.parametrize("table", TABLES)
def test_every_code_has_its_sentence_in_both_languages(name, table):
    assert load_wording(table)[name]["zh"]
    assert load_wording(table)[name]["en"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_both_languages_say_the_same_fields_and_only_known_ones(name, table):
    template = load_wording(table)[name]
    assert set(template) == {"zh", "en"}
    assert fields_of(template["zh"]) == fields_of(template["en"])
    assert set(fields_of(template["zh"])) <= {*FIELDS, *SETTINGS}


def test_every_table_has_the_same_sentences():
    assert set(load_wording("analyst")) == set(TEMPLATES)


def test_an_analyst_reads_the_figures(make):
    case = {"unsettled_interest": 1240, "risk": 0.0314, "expected_loss": 500.4}
    texts = analyst_texts(POLICY, decide(POLICY, make.cases(case)))
    assert texts["en"].tolist() == [
        "1 March 2026: none of ¥500.00 freed is restored; risk 3.1%, expected loss ¥5.00, "
        "loss ratio 1.0% (tier up to 3.0%). Gate: ¥12.40 of interest unsettled (bound ¥1.00). "
        "Remedy: interest of ¥12.40 settled restores ¥500.00 (1 day). Withheld part reviewed by "
        "15 April 2026."
    ]
    assert amounts(texts["zh"][0]) == amounts(texts["en"][0])


@pytest.mark.parametrize(
    ("facts", "cause", "action"),
    [
        (
            {"returned_payments": 1, "prepayment_age_days": 9.0},
            "payment_return",
            "an early repayment may have to clear for 5 days",
        ),
        ({"overdues": 1}, "distress", "ask us for a repayment plan"),
        ({"cycles": 3}, "cycling", "it counts until 20 April 2026 and no longer"),
        ({"days_since_draw": 60.0}, "low_need", "we see to it by 15 April 2026"),
    ],
)
def test_a_cause_comes_with_what_can_be_done_about_it(decided, facts, cause, action):
    pull = [1.5 * (cause == one) for one in CAUSES] + [0.0]
    (row,) = decided(facts | {"loss_ratio": 0.2, "risk": 0.25, "pull": pull})
    assert row["reasons"] == [cause]
    assert action in row["text_en"]
    template = TEMPLATES[f"action.{cause}"]["zh"]
    assert max(re.split("{.*?}", template), key=len) in row["text_zh"]


@pytest.mark.parametrize(
    ("facts", "zh", "en", "analyst"),
    [
        (
            {"overdues": 2},
            "逾期记录2条",
            "records of late payment (2)",
            "overdue events 2 (from 1 on)",
        ),
        (
            {"lender_inflow": 25_000},
            "来自其他贷款机构的资金¥250.00",
            "money from other lenders (¥250.00)",
            "¥250.00 from other lenders (from 50% of the prepayment on)",
        ),
        (
            {"score_drop": 45.0},
            "外部评分下降45分",
            "an external score lower by 45 points",
            "external score down by 45 (from 30 on)",
        ),
        (
            {"overdues": 1, "lender_inflow": 24_999, "score_drop": 30.0},
            "逾期记录1条、外部评分下降30分",
            "records of late payment (1), an external score lower by 30 points",
            "overdue events 1 (from 1 on), external score down by 30 (from 30 on)",
        ),
    ],
)
def test_distress_names_the_signs_that_the_history_shows_and_no_others(
    make, facts, zh, en, analyst
):
    pull = [0.0, 1.5, 0.0, 0.0, 0.0]
    decisions = decide(POLICY, make.cases(facts | {"loss_ratio": 0.2, "risk": 0.25, "pull": pull}))
    assert f"近90天内的还款压力影响了本次评估：{zh}。如果" in decisions.text_zh[0]
    said = f"Signs of payment pressure in the last 90 days weighed on this assessment: {en}. If"
    assert said in decisions.text_en[0]
    told = analyst_texts(POLICY, decisions)["en"][0]
    assert f"Model: distress in 90 days: {analyst}. Action" in told


def test_every_amount_is_in_the_currency_of_the_policy(make):
    dollars = replace(POLICY, wording=replace(POLICY.wording, currency="US$"))
    pull = [0.0, 1.5, 0.0, 0.0, 0.0]
    owing = {"overdue": 500, "unsettled_interest": 700, "days_past_due": 3}
    weak = {"lender_inflow": 90_000, "loss_ratio": 0.2, "risk": 0.25, "pull": pull}
    decisions = decide(dollars, make.cases(owing, weak))
    texts = [*decisions.text_zh, *decisions.text_en]
    for table in analyst_texts(dollars, decisions).values():
        texts += list(table)
    written = " ".join(texts)
    assert "US$5.00" in written
    assert "¥" not in written


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_blames_or_asks_to_borrow(name):
    text = TEMPLATES[name]["zh"] + TEMPLATES[name]["en"].lower()
    for word in ("套现", "薅羊毛", "违规", "欺诈", "risky", "abuse", "fraud", "高风险", "请借款"):
        assert word not in text


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_texts_agree_with_each_other_and_with_the_decision(make, rows_strategy, data):
    case = data.draw(rows_strategy)
    (row,) = decide(POLICY, make.cases(case)).to_table().to_pylist()
    zh, en = row["text_zh"], row["text_en"]
    assert zh
    assert en
    assert not set("{}") & set(zh + en)
    assert amounts(zh) == amounts(en)
    assert dates_zh(zh) == dates_en(en)
    later = row["restore_later"]
    known = {row["freed"], row["restore_now"], row["withheld"], POLICY.caps.limit}
    known |= {stage["amount"] for stage in later}
    known |= {remedy["restores"] for remedy in row["remedies"]}
    known |= {case["overdue"], case["unsettled_interest"], case["lender_inflow"]}
    assert set(amounts(zh)) <= known
    told = {row["restore_now"], row["withheld"], *(stage["amount"] for stage in later)} - {0}
    assert told <= set(amounts(zh)) | {0}
    assert {stage["date"] for stage in later} <= set(dates_zh(zh))
    assert row["not_later_than"] in dates_zh(zh)


def test_a_restored_limit_in_words(decided):
    (row,) = decided({"freed": 1_234_567})
    assert row["text_zh"] == (
        "您提前还款释放的额度¥12,345.67已于2026年3月1日全部恢复，可以正常使用。"
    )
    assert row["text_en"] == (
        "All ¥12,345.67 of the limit that your early repayment freed returned on 1 March 2026 "
        "and is ready to use."
    )


def test_unsettled_interest_in_words(decided):
    (row,) = decided({"unsettled_interest": 1240})
    assert (
        "您还有¥12.40利息尚未结清。您结清利息¥12.40后，¥500.00额度预计可在1天内恢复。"
        in row["text_zh"]
    )
    assert "Once you have settled ¥12.40 of interest, ¥500.00 of the limit" in row["text_en"]


def test_the_next_due_date_is_named_only_if_meeting_it_brings_the_limit_sooner(decided):
    """The limit returns on the 15th in any case, and on the day after a due date that was met."""
    days = (10, 13, 14, 15, 16)
    rows = decided(
        *({"next_due": np.datetime64(f"2026-03-{day}"), "loss_ratio": 0.12} for day in days)
    )
    assert all(row["restore_later"][0]["date"] == date(2026, 3, 15) for row in rows)
    told = [
        f"{day} March 2026, it returns sooner" in row["text_en"]
        for day, row in zip(days, rows, strict=True)
    ]
    assert told == [True, True, False, False, False]
    assert ["还款日" in row["text_zh"] for row in rows] == told
    assert "信用评估更新" in rows[-1]["text_zh"]


def test_what_a_due_date_brings_is_told_by_its_date(decided):
    (row,) = decided({"next_due": np.datetime64("2026-03-10"), "loss_ratio": 0.12})
    zh = "如果您在2026年3月10日按时还款，¥250.00额度预计可在2026年3月11日前恢复（含当日）。"
    en = "If you pay on time on 10 March 2026, ¥250.00 of the limit can return by 11 March 2026."
    assert zh in row["text_zh"]
    assert en in row["text_en"]
    assert row["remedies"][0]["days"] == 10


def test_arrears_of_unknown_amount_are_told_without_one(decided):
    (row,) = decided({"days_past_due": 5})
    assert "您目前有逾期款项尚未还清。您还清逾期款项后" in row["text_zh"]
    assert "You have an overdue payment. Once you have paid what is overdue" in row["text_en"]

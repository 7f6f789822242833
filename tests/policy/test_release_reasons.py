"""A later night's reasons are true by ablation, and its remedies work."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.policy import Earlier, decide, decide_again, load_policy

POLICY = load_policy()
DAY = 86_400_000_000

UNDONE = {
    "system_fault": {"outage_minutes": 0},
    "overdue": {"overdue": 0, "days_past_due": 0},
    "unsettled_interest": {"unsettled_interest": 0},
    "identity_lock": {"identity_changes": 0, "login_failures": 0},
    "payment_clearing": {"returned_payments": 0},
    "assessment": {"loss_ratio": 0.0},
    "regulatory_cap": {"limit": 0, "has_limit": True},
}


def brings(make, row, earlier):
    """(fen that come back from tonight on, -the day on which they are back): more is better."""
    (got,) = decide_again(POLICY, make.cases(row), earlier).to_table().to_pylist()
    later = got["restore_later"]
    amount = got["restore_now"] + sum(stage["amount"] for stage in later)
    return amount, -later[0]["date"].toordinal() if later else 0


def undo(row, reasons):
    for reason in reasons:
        row = row | UNDONE[reason]
    return row


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), days=st.integers(0, 20))
def test_a_later_nights_reasons_are_true_and_its_remedies_work(make, rows_strategy, data, days):
    first, then = (data.draw(rows_strategy) | {"pull": [0.0] * 5} for _ in range(2))
    for name in ("freed", "prepaid", "limit", "has_limit", "outstanding"):
        then[name] = first[name]
    then["as_of"] = first["as_of"] + days * DAY
    decisions = decide(POLICY, make.cases(first))
    earlier = Earlier.from_decisions(decisions.to_table())
    night = decide_again(POLICY, make.cases(then), earlier)
    (got,) = night.to_table().to_pylist()
    assert bool(got["reasons"]) == bool(got["withheld"] or got["restore_later"])
    base = brings(make, then, earlier)
    if got["status"] == "fault":
        assert brings(make, undo(then, ["system_fault", "payment_clearing"]), earlier) > base
    alone = {code: brings(make, undo(then, [code]), earlier) > base for code in got["reasons"]}
    if any(alone.values()):
        assert all(alone.values()), alone
    else:
        free = brings(make, undo(then, UNDONE), earlier)
        for reason in got["reasons"]:
            others = [other for other in UNDONE if other != reason]
            assert brings(make, undo(then, others), earlier) < free
    for remedy in got["remedies"]:
        if remedy["action"] == "wait_for_clearing":
            continue
        if remedy["action"] == "pay_next_due":
            days = int((then["next_due"] - night.timetable.decided_on[0]).astype(int)) + 1
            met = then | {"last_due": then["next_due"], "next_due": np.datetime64("NaT", "D")}
            met |= {"as_of": then["as_of"] + days * DAY, "outage_minutes": 0}
            met["prepayment_age_days"] += days
            promised = sum(stage["amount"] for stage in got["restore_later"])
            more = brings(make, met, earlier.then(night))[0] - promised
            assert remedy["restores"] == (more or promised)
            continue
        steps = {"clear_arrears": "overdue", "settle_interest": "unsettled_interest"}
        steps["unlock_identity"] = "identity_lock"
        done = undo(then, [steps[step] for step in remedy["action"].split("+")])
        stands = replace(
            earlier, promised=0 * earlier.promised, gate_closed=np.ones(1, bool)
        )  # what tonight leaves open
        assert brings(make, done, stands)[0] - base[0] == remedy["restores"]

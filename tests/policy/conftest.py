"""Cases and facts for tests: an untroubled borrower, changed one thing at a time."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from relimit.policy import Cases, Earlier, Facts, decide, decide_again, load_policy

UNTROUBLED = {
    "overdue": 0,
    "days_past_due": 0,
    "unsettled_interest": 0,
    "identity_changes": 0,
    "login_failures": 0,
    "limit": 2_000_000,
    "has_limit": True,
    "outstanding": 0,
    "returned_payments": 0,
    "days_since_returned": np.nan,
    "prepayment_age_days": 0.0,
    "outage_minutes": 0,
    "last_due": np.datetime64("NaT", "D"),
    "next_due": np.datetime64("NaT", "D"),
    "cycles": 0,
    "cycles_until": np.datetime64("NaT", "D"),
    "days_since_draw": 20.0,
    "lender_inflow": 0,
    "score_drop": np.nan,
    "overdues": 0,
}
TYPES = {
    "has_limit": bool,
    "days_since_returned": float,
    "last_due": "datetime64[D]",
    "cycles_until": "datetime64[D]",
    "prepayment_age_days": float,
    "days_since_draw": float,
    "score_drop": float,
    "next_due": "datetime64[D]",
}
NOON = 1_772_338_800_000_000  # 2026-03-01 12:20 in Shanghai
DAY = 86_400_000_000
FEATURES = (
    "payment_returned_count_30d",
    "dpd_now",
    "prepay_count_7d",
    "utilisation_now",
    "a_plugin_of_no_family",
)
"""One feature for each cause, in the order of `CAUSES`, and one that speaks for none."""


def counted_cycles(row):
    """As many cycles as count have a last day."""
    return {"cycles_until": np.datetime64("2026-04-20")} if row.get("cycles", 0) >= 3 else {}


def make_facts(rows):
    """Facts of the untroubled borrower, changed by a dict a row."""
    full = [UNTROUBLED | counted_cycles(row) | row for row in rows]
    return Facts(
        **{
            name: np.array([row[name] for row in full], TYPES.get(name, np.int64))
            for name in UNTROUBLED
        }
    )


def make_cases(*rows):
    """Cases from dicts: those of the case itself, the rest facts; ¥500 freed at 1% by default."""
    known = {"prepaid", "freed", "risk", "loss_ratio", "expected_loss", "as_of", "pull"}
    facts = make_facts([{k: v for k, v in row.items() if k not in known} for row in rows])
    freed = np.array([row.get("freed", 50_000) for row in rows], np.int64)
    risk = np.array([row.get("risk", 0.02) for row in rows], float)
    loss = [
        row.get("expected_loss", row.get("loss_ratio", 0.01) * freed[i])
        for i, row in enumerate(rows)
    ]
    pull = [row.get("pull", [0.0] * len(FEATURES)) for row in rows]
    return Cases(
        decision_id=[f"d{i}" for i in range(len(rows))],
        account_id=np.arange(len(rows)),
        as_of=np.array([row.get("as_of", NOON) for row in rows], np.int64),
        prepaid=np.array([row.get("prepaid", freed[i]) for i, row in enumerate(rows)], np.int64),
        freed=freed,
        risk=risk,
        expected_loss=np.array(loss, float),
        facts=facts,
        contributions=np.array(pull, float).reshape(len(rows), len(FEATURES)),
        feature_names=FEATURES,
        model_version="m1",
    )


@st.composite
def rows(draw):
    """One borrower with any mixture of troubles; in half of the cases no gate is closed."""
    freed = draw(st.integers(0, 300_000) | st.sampled_from([0, 1, 99, 100, 25_000_000]))
    limit = draw(st.sampled_from([2_000_000, 19_990_000, 20_000_000, 30_000_000]))
    some = st.sampled_from
    calm = draw(st.booleans())

    def trouble(values):
        return some([0]) if calm else some(values)

    return {
        "freed": freed,
        "prepaid": freed + draw(st.integers(0, 1000)),
        "risk": draw(st.floats(0, 1)),
        "loss_ratio": draw(some([0, 0.03, 0.06, 0.1, 0.16, 0.25]) | st.floats(0, 1)),
        "pull": draw(st.lists(st.floats(-3, 3), min_size=5, max_size=5)),
        "as_of": NOON + draw(st.integers(0, 400)) * 3_600_000_000 * 7,
        "limit": limit,
        "has_limit": draw(st.booleans()),
        "overdue": draw(trouble([0, 0, 0, 123_45])),
        "days_past_due": draw(trouble([0, 0, 0, 5])),
        "unsettled_interest": draw(trouble([0, 0, 100, 1240])),
        "identity_changes": draw(trouble([0, 0, 1, 3])),
        "login_failures": draw(trouble([0, 0, 3])),
        "outstanding": draw(some([0, 50_000])),
        "returned_payments": draw(some([0, 0, 1])),
        "prepayment_age_days": draw(some([0.0, 0.5, 2.0, 9.0, np.nan])),
        "outage_minutes": draw(some([0, 0, 0, 45])),
        "next_due": np.datetime64(draw(some(["NaT", "2026-03-05", "2026-03-20"])), "D"),
        "cycles": draw(some([0, 5])),
        "days_since_draw": draw(some([1.0, 90.0, np.nan])),
        "lender_inflow": draw(some([0, 10**9])),
        "score_drop": draw(some([np.nan, 0.0, 60.0])),
        "overdues": draw(some([0, 2])),
    }


@pytest.fixture(scope="session")
def policy():
    return load_policy()


@pytest.fixture(scope="session")
def make():
    """The builders of these tests; a fixture, because test folders are no packages."""
    return SimpleNamespace(cases=make_cases, facts=make_facts)


@pytest.fixture(scope="session")
def rows_strategy():
    return rows()


@pytest.fixture(scope="session")
def decided(policy):
    """Decide rows given as dicts, into a list of dicts as the output table has them."""

    def run(*rows, policy=policy, **kwargs):
        table = decide(policy, make_cases(*rows), **kwargs).to_table()
        assert table.validate(full=True) is None
        assert isinstance(table, pa.Table)
        return table.to_pylist()

    return run


@pytest.fixture
def again(policy, make):
    """Decide a borrower at `NOON` and once more some days later, changed; return the second."""

    def run(first, days, **change):
        decisions = decide(policy, make.cases({"as_of": NOON} | first))
        earlier = Earlier.from_decisions(decisions.to_table())
        cases = make.cases(first | {"as_of": NOON + days * DAY} | change)
        return decide_again(policy, cases, earlier).to_table().to_pylist()[0]

    return run


@pytest.fixture
def nights(policy, make):
    """Decide a borrower at `NOON`, then on each of some days after it, with what changed then."""

    def run(first, changes, days=8, policy=policy):
        decisions = decide(policy, make.cases({"as_of": NOON} | first))
        earlier = Earlier.from_decisions(decisions.to_table())
        rows = []
        for day in range(1, days + 1):
            tonight = first | changes.get(day, {}) | {"as_of": NOON + day * DAY}
            night = decide_again(policy, make.cases(tonight), earlier)
            rows += night.to_table().to_pylist()
            earlier = earlier.then(night)
        return rows

    return run


@pytest.fixture(scope="session")
def later():
    """Make another borrower the first one some days later, after the same prepayment."""
    kept = ("freed", "prepaid", "limit", "has_limit", "outstanding")

    def made(first, other, days):
        same = {name: first[name] for name in kept}
        return other | same | {"as_of": first["as_of"] + days * DAY}

    return made

"""Worlds under another lender: what it is shown, and what differs from the older rule's world."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.events import blocks_from_table
from relimit.data.simulator import simulate
from relimit.data.vocabulary import ARMS, FULL_ARM, MICROSECONDS_PER_DAY


@dataclass(frozen=True)
class Always:
    """Restores every freed limit the same way, and remembers what it was shown."""

    arm: int
    seen: list = field(default_factory=list)
    name: str = "always"
    nights: tuple[int, ...] = ()

    def choose(self, cases):
        self.seen.append((cases, cases.history()))
        size = len(cases.account_id)
        return np.full(size, self.arm), np.ones(size)


@dataclass(frozen=True)
class OnSecondThought:
    """Keeps everything at 10:00 and later; at 8:00, on a later night, returns half in two weeks."""

    nights: tuple[int, ...] = (3, 7)
    name: str = "second thought"

    def choose(self, cases):
        morning = cases.decided_at % MICROSECONDS_PER_DAY == 0  # 8:00 in Shanghai
        arm = np.where(morning & (cases.freed % 200 < 100), ARMS.index((0.5, 14)), 0)
        cases.history()
        return arm, np.ones(len(arm))


@dataclass(frozen=True)
class HalfAtOnce:
    """Returns half at once; asked again at 8:00 a week later, would take `later`."""

    later: tuple[float, int]
    nights: tuple[int, ...] = (7,)
    name: str = "half at once"

    def choose(self, cases):
        morning = cases.decided_at % MICROSECONDS_PER_DAY == 0
        arm = np.where(morning, ARMS.index(self.later), ARMS.index((0.5, 0)))
        return arm, np.ones(len(arm))


@pytest.fixture(scope="module")
def generous(tmp_path_factory):
    policy = Always(ARMS.index(FULL_ARM))
    out = tmp_path_factory.mktemp("generous")
    simulate(out, accounts=150, months=6, seed=5, workers=1, policy=policy)
    return out, policy


def test_a_world_runs_under_the_policy_it_is_given(generous):
    out, _ = generous
    decisions = pq.read_table(out / "decisions.parquet")
    assert pc.all(pc.equal(decisions["share"], 1.0)).as_py()
    assert pc.unique(decisions["policy"]).to_pylist() == ["always"]


def test_a_policy_sees_just_the_events_known_when_it_decides(generous):
    out, policy = generous
    events = pq.read_table(out / "events.parquet")
    for cases, history in policy.seen[::7]:
        for place, (account, now) in enumerate(
            zip(cases.account_id, cases.decided_at, strict=True)
        ):
            known = pc.less_equal(events["known_at"].cast("int64"), int(now))
            mine = pc.equal(events["account_id"], int(account))
            expected = blocks_from_table(events.filter(pc.and_(known, mine)))
            rows = slice(history.starts[place], history.starts[place + 1])
            for name in ("ts", "known_at", "kind", "amount", "value", "loan_id"):
                np.testing.assert_array_equal(
                    getattr(history, name)[rows], getattr(expected, name), err_msg=name
                )


def test_worlds_differ_only_after_the_first_different_decision(generous, tmp_path):
    out, _ = generous
    simulate(tmp_path, accounts=150, months=6, seed=5, workers=1)
    generous_log, rule_log = (
        pq.read_table(book / "decisions.parquet").to_pandas() for book in (out, tmp_path)
    )
    first = generous_log.merge(rule_log, on=["account_id", "decided_at"], suffixes=("", "_rule"))
    changed = first[(first.share != first.share_rule) | (first.delay_days != first.delay_days_rule)]
    assert len(changed) > 5
    mine, theirs = (
        pq.read_table(book / "events.parquet", columns=["account_id", "ts", "kind", "amount"])
        .to_pandas()
        .astype({"kind": str})
        for book in (out, tmp_path)
    )
    turns = changed.groupby("account_id").decided_at.min()
    for account in mine.account_id.unique():
        turn = turns.get(account)
        a, b = (frame[frame.account_id == account] for frame in (mine, theirs))
        if turn is not None:
            a, b = a[a.ts <= turn], b[b.ts <= turn]
        assert a.reset_index(drop=True).equals(b.reset_index(drop=True))


def test_what_was_kept_is_decided_again_on_later_nights(tmp_path):
    simulate(tmp_path, accounts=150, months=8, seed=5, workers=1, policy=OnSecondThought())
    decisions = pq.read_table(tmp_path / "decisions.parquet").to_pandas()
    events = pq.read_table(tmp_path / "events.parquet").to_pandas().astype({"kind": str})
    assert (decisions.share == 0).all()
    back = events[events.kind == "restored"].merge(
        decisions, left_on=["account_id", "detail"], right_on=["account_id", "decision_id"]
    )
    days = (back.ts - back.decided_at).dt.total_seconds() / 86_400
    early = back[days < 60]
    settled = decisions.decided_at < decisions.decided_at.max() - np.timedelta64(60, "D")
    chosen = decisions[settled & (decisions.freed % 200 < 100) & (decisions.freed > 0)]
    assert len(chosen) > 20
    assert set(chosen.decision_id) <= set(early.decision_id)
    assert days[days < 60].between(13, 15).all()
    assert (early.amount - early.freed / 2).abs().max() <= 1
    assert early.decision_id.is_unique


@pytest.mark.parametrize(
    ("later", "more", "days"), [((0.75, 14), 0.25, 14), ((1.0, 3), 0.5, 8), ((0.25, 0), 0.0, 0)]
)
def test_what_was_withheld_in_part_is_bettered_and_never_taken_back(later, more, days, tmp_path):
    simulate(tmp_path, accounts=60, months=8, seed=5, workers=1, policy=HalfAtOnce(later))
    decisions = pq.read_table(tmp_path / "decisions.parquet").to_pandas()
    events = pq.read_table(tmp_path / "events.parquet").to_pandas().astype({"kind": str})
    back = events[events.kind == "restored"].merge(
        decisions, left_on=["account_id", "detail"], right_on=["account_id", "decision_id"]
    )
    waited = (back.ts - back.decided_at).dt.total_seconds() / 86_400
    settled = back.decided_at < decisions.decided_at.max() - np.timedelta64(60, "D")
    second = back[settled & (waited > 1) & (waited < 60)]
    if more:
        assert len(second) > 20
        assert waited[second.index].between(days - 1, days + 1).all()
        assert (second.amount - more * second.freed).abs().max() <= 1
    else:
        assert second.empty


def test_an_oracle_of_another_policys_world_is_refused(tmp_path):
    with pytest.raises(DataError, match="older rule's world"):
        simulate(tmp_path, accounts=1, months=1, seed=1, oracle=1, policy=Always(0))

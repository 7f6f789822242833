"""Policies valued on simulated logs: with exploration, without, and with the propensities lost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import Book, DataError, ModelError
from relimit.data.simulator import simulate
from relimit.data.vocabulary import ARMS
from relimit.policy import load_policy
from relimit.policy.value import ESTIMATORS
from relimit.training.document import to_html
from relimit.training.policy_report import evaluation_page
from relimit.training.policy_rows import Assumptions, read_log_rows
from relimit.training.policy_segments import segments_of
from relimit.training.policy_targets import candidate, fixed, incumbent, plain_targets
from relimit.training.policy_value import (
    HEADLINE,
    OUTCOMES,
    evaluate_policy,
    outcome_tables,
    promise_kept,
    value_target,
)

HORIZON = 120
"""Shorter than usual, so that a small book has matured decisions."""


class Model:
    """Risk by the tenure alone: what a policy's replay asks of a model."""

    feature_names = ("tenure_days",)
    version = "stub"
    horizon_days = HORIZON
    days_past_due = 30
    manifest: dict = {}  # noqa: RUF012

    def restoration_risk(self, X):
        return np.clip(0.2 - X[:, 0] / 2_000, 0.01, 0.2)

    def expected_loss(self, X, freed):
        return 0.6 * self.restoration_risk(X) * freed

    def contributions(self, X):
        return np.zeros(X.shape)


def made(folder, scenario, accounts=1_500):
    simulate(folder, accounts=accounts, months=18, seed=3, scenario=scenario, workers=1)
    return folder


def read(folder, *, forget=False):
    log = pq.read_table(folder / "decisions.parquet")
    if forget:
        place = log.column_names.index("propensity")
        log = log.set_column(place, "propensity", pa.nulls(log.num_rows, pa.float64()))
    book = Book.open(folder)
    assumed = Assumptions(horizon_days=HORIZON)
    return read_log_rows(book.events, log, as_of=book.as_of, assumptions=assumed, workers=1)


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    return made(tmp_path_factory.mktemp("explored"), "base")


@pytest.fixture(scope="module")
def rows(explored):
    return read(explored)


@pytest.fixture(scope="module")
def found(rows):
    return evaluate_policy(rows, Model(), load_policy())


def test_the_incumbents_value_is_the_mean_of_its_log(rows, found):
    incumbent_valued = found.policies[1]
    for name, (came, _) in outcome_tables(rows).items():
        for estimator in ("ips", "snips", "dr", "pooled_dr"):
            estimate = incumbent_valued.values[name][estimator]
            assert estimate.value == pytest.approx(came.mean())
            assert estimate.low < came.mean() < estimate.high


def test_every_policy_is_answered_for_or_has_a_reason_and_bounds(found):
    names = [valued.name for valued in found.policies]
    assert names == ["candidate", "incumbent", "restore all", "restore nothing"]
    for valued in found.policies:
        assert bool(valued.refusal) == (not valued.values) == bool(valued.bounds)
        for name in OUTCOMES:
            if valued.refusal:
                low, high = valued.bounds[name]
                assert low <= high
            else:
                assert set(valued.values[name]) == set(ESTIMATORS)
    everything, nothing = found.policies[2:]
    assert everything.schedule["share_24h"] == 1.0
    assert nothing.schedule["restored_yuan"] == 0.0


def with_few_bad(rows, count):
    """Return the decisions but those of all borrowers that went bad save some."""
    account, bad = rows.labelled.account_id, rows.outcomes.bad == 1.0
    gone = np.unique(account[bad])[count:]
    return rows.take(~np.isin(account, gone))


def test_few_bad_borrowers_are_told_and_widen_what_hangs_on_them(rows):
    few = with_few_bad(rows, 3)
    found = evaluate_policy(few, Model(), load_policy())
    assert found.bad_accounts == 3
    assert found.warnings[0].startswith("only 3 borrowers went bad after the")
    assert "only 3 borrowers" in to_html(evaluation_page(found))
    rate = found.policies[1].values["bad_rate"][HEADLINE]
    # Of three events exact limits are 0.62 and 8.77, as against 3 ± 3.39 by their own spread.
    assert rate.high / rate.value > 2.8
    loss, net = (found.policies[1].values[name][HEADLINE] for name in ("loss_yuan", "net_yuan"))
    assert loss.high - loss.value > 1.4 * (loss.value - loss.low)
    assert net.value - net.low > net.high - net.value


def test_where_nobody_went_bad_no_limit_is_closed(rows):
    none = with_few_bad(rows, 0)
    values = value_target(none, incumbent(none)).values
    assert values["bad_rate"][HEADLINE].high > 3.6 / len(none)
    assert values["loss_yuan"][HEADLINE].high > 0.0
    assert values["loss_yuan"][HEADLINE].low == 0.0


def test_segments_part_the_book(rows, found):
    for kind in ("limit", "tenure", "arrears", "reason"):
        parts = [segment for segment in found.segments if segment.kind == kind]
        assert sum(segment.decisions for segment in parts) == len(rows) == found.decisions
        assert sum(segment.bad_accounts for segment in parts) >= found.bad_accounts > 10
        for place, valued in enumerate(found.policies):
            mine = [segment.policies[place] for segment in parts]
            assert {its.name for its in mine} == {valued.name}
            restored = sum(its.schedule["restored_yuan"] for its in mine)
            assert restored == pytest.approx(valued.schedule["restored_yuan"])
        kept = [its.promise_kept for segment in parts for its in segment.policies[1:2]]
        assert min(kept) <= found.policies[1].promise_kept <= max(kept)
    assert sum(cell.support.target for cell in found.cells) == pytest.approx(len(rows))


def test_what_is_left_out_is_counted(rows, found, explored):
    counts = found.counts
    left = sum(counts[name] for name in ("not_matured", "freed_nothing", "limit_unknown"))
    assert counts["logged"] == len(rows) + left
    assert counts["not_matured"] > 0
    log = pq.read_table(explored / "decisions.parquet").to_pandas()
    ends = Book.open(explored).as_of - pd.Timedelta(days=HORIZON)
    assert len(rows) == ((log.decided_at <= ends) & (log.freed > 0)).sum()
    (few,) = found.warnings
    assert few.startswith(f"only {found.bad_accounts} borrowers went bad")


@pytest.mark.usefixtures("roughly")
def test_a_rule_that_never_explores_is_no_witness(tmp_path):
    rows = read(made(tmp_path, "no-exploration", accounts=1_100))
    found = evaluate_policy(rows, Model(), load_policy())
    by_name = {valued.name: valued for valued in found.policies}
    for name in ("candidate", "restore all"):
        valued = by_name[name]
        assert not valued.values
        assert "history can't answer" in valued.refusal
        low, high = valued.bounds["bad_rate"]
        assert 0.0 <= low < high <= 1.0
    assert by_name["incumbent"].values
    page = to_html(evaluation_page(found))
    assert "history can&#x27;t answer" in page
    assert "not known: " in page


@pytest.mark.usefixtures("roughly")
def test_propensities_that_were_not_logged_are_fitted_with_a_warning(explored, rows):
    forgotten = read(explored, forget=True)
    found = evaluate_policy(forgotten, Model(), load_policy())
    assert found.counts["propensities_fitted"] == len(forgotten) == len(rows)
    assert "were not logged" in found.warnings[-1]
    assert "were not logged" in to_html(evaluation_page(found))


@pytest.mark.usefixtures("roughly")
def test_rows_that_the_model_learnt_from_are_left_out(rows):
    class Trained(Model):
        manifest = {  # noqa: RUF012
            "split": {"kind": "out_of_time", "test_from": int(np.median(rows.labelled.as_of))}
        }

    assert evaluate_policy(rows, Trained(), load_policy()).decisions < 0.6 * len(rows)
    assert evaluate_policy(rows, Trained(), load_policy(), all_rows=True).decisions == len(rows)
    Trained.manifest["split"]["test_from"] = 2**62
    with pytest.raises(DataError, match=f"learnt from all {len(rows)} decisions"):
        evaluate_policy(rows, Trained(), load_policy())


@pytest.mark.usefixtures("roughly")
def test_a_log_without_interest_is_said_to_know_only_the_cost_of_funds(rows, found):
    assert not any("cost of funds" in warning for warning in found.warnings)
    margin = -np.abs(rows.outcomes.margin)
    poor = replace(rows, outcomes=replace(rows.outcomes, margin=margin))
    warnings = evaluate_policy(poor, Model(), load_policy()).warnings
    assert sum("the events seem to lack interest_payment" in one for one in warnings) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [({"horizon_days": 180}, "30 days past due in 180"), ({"days_past_due": 60}, "60 days past")],
)
def test_a_model_of_another_outcome_is_refused(rows, found, change, said):
    other = type("Other", (Model,), change)()
    assert found.horizon_days == HORIZON
    assert found.days_past_due == 30
    with pytest.raises(ModelError, match=f"{said}.*outcomes say who fell 30 days past due in 120"):
        evaluate_policy(rows, other, load_policy())


def test_returning_nothing_counts_whatever_delay_the_log_gave_it(rows):
    target = plain_targets(rows)[1]
    probabilities = target.probabilities(rows.logged.arm)
    nothing = [place for place, (share, _) in enumerate(ARMS) if share == 0.0]
    assert probabilities[:, nothing].sum(axis=1) == pytest.approx(1.0)
    taken = np.isin(rows.logged.arm, nothing)
    assert ((rows.logged.weights(probabilities) > 0) == taken).all()


def test_a_schedule_counts_what_is_back_in_time(rows):
    freed = rows.labelled.freed
    week = fixed(rows, (0.5, 7), "week").schedule(freed)
    assert week["share_restored"] == week["share_7d"] == pytest.approx(0.5)
    assert (week["share_24h"], week["mean_days"]) == (0.0, 7.0)
    logged = incumbent(rows).schedule(freed)
    assert logged["share_restored"] == pytest.approx((freed @ rows.labelled.share) / freed.sum())


def test_a_candidate_that_decides_as_the_log_did_is_worth_what_came(rows):
    ours = candidate(rows, Model(), load_policy())
    same = replace(rows, logged=replace(rows.logged, arm=ours.arm))
    valued = value_target(same, ours)
    for name, (came, _) in outcome_tables(rows).items():
        assert valued.values[name][HEADLINE].value == pytest.approx(came.mean())


def test_a_cause_that_the_history_shows_and_the_model_feels_has_a_segment(rows):
    class Feels(Model):
        feature_names = ("tenure_days", "cycle_count_90d")
        asked = 0

        def contributions(self, X):
            self.asked = len(X)
            return np.column_stack([np.zeros(len(X)), np.full(len(X), 9.0)])

    policy = load_policy()
    policy = replace(policy, evidence=replace(policy.evidence, cycles=1))

    def reasons(model):
        return set(segments_of(rows, candidate(rows, model, policy))["reason"])

    model = Feels()
    assert "cycling" in reasons(model)
    assert "cycling" not in reasons(Model())
    assert 0 < model.asked < len(rows)


def test_promises_are_kept_as_often_as_the_incumbents_of_the_same_kind(rows):
    """At once half of them are back in time, later nine in ten."""
    given = rows.labelled
    at_once = given.delay_days == 0.0
    nth = np.where(at_once, np.cumsum(at_once) % 2, np.cumsum(~at_once) % 10)
    back = np.where(nth == 0, np.nan, given.delay_days)
    told = replace(rows, restored_days=np.where(given.share > 0.0, back, np.nan))
    promised = given.share > 0.0
    measured = np.isfinite(told.restored_days[promised]).mean()
    assert promise_kept(told, incumbent(told)) == pytest.approx(measured)
    soon, never = plain_targets(told)
    assert promise_kept(told, soon) == pytest.approx(0.5, abs=0.01)
    assert promise_kept(told, fixed(told, (0.5, 7), "week")) == pytest.approx(0.9, abs=0.01)
    assert promise_kept(told, never) is None
    silent = replace(told, restored_days=np.full(len(told), np.nan))
    assert promise_kept(silent, soon) is None

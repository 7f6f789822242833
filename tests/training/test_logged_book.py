"""What a policy is optimised on: rows that the model has not learnt from, if enough are left."""

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data import Book, realised
from relimit.data.simulator import simulate
from relimit.data.vocabulary import LOSS_GIVEN_DEFAULT
from relimit.policy import load_policy
from relimit.training import line_fit, line_outcomes, logged_book
from relimit.training.line_fit import UNKNOWN_EFFECT
from relimit.training.logged_book import read_logged_book
from relimit.training.matured import numbers
from relimit.training.splits import OUT_OF_TIME


class Model:
    """Risk by the tenure alone."""

    feature_names = ("tenure_days",)
    horizon_days = 180
    days_past_due = 30

    def __init__(self, **manifest):
        self.manifest = manifest

    def restoration_risk(self, X):
        return np.clip(0.2 - X[:, 0] / 2_000, 0.01, 0.2)

    def expected_loss(self, X, freed):
        return 0.6 * self.restoration_risk(X) * freed


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    out = tmp_path_factory.mktemp("book")
    simulate(out, accounts=1_500, months=18, seed=3, workers=1)
    return Book.open(out), pq.read_table(out / "decisions.parquet")


@pytest.fixture
def read(book, monkeypatch):
    """Read the book under a model; what arms bring is not estimated but made up."""
    opened, log = book
    monkeypatch.setattr(logged_book, "fit_arm_outcomes", made_up)
    monkeypatch.setattr(logged_book, "estimate_line_effect", lambda *_, **__: 2.0)

    def of(model, **how):
        return read_logged_book(opened.events, log, model, load_policy(), workers=1, **how)

    return of


def made_up(X, share, days, outcomes, account, *, horizon_days, seed, monotone):
    assert monotone["dpd_now"] == 1
    assert horizon_days == 180
    n = len(account)
    table = np.arange(n)[:, None] + np.ones((n, 25))
    return logged_book.ArmOutcomes(table / (n + 2), table, table, 0)


def test_tiers_are_found_on_rows_that_the_model_has_not_learnt_from(read, book, monkeypatch):
    monkeypatch.setattr(logged_book, "ENOUGH_BADS", 10)
    log = book[1].to_pandas()
    every = read(Model(), all_rows=True)
    when = log.decided_at.astype("datetime64[us, UTC]").astype("int64")
    cut = int(when.sort_values().iloc[900])
    model = Model(split={"kind": OUT_OF_TIME, "test_from": cut})
    late = set(log.decision_id[when >= cut])
    found = read(model)
    assert not found.warnings
    assert set(found.decision_id) == set(every.decision_id) & late
    assert 0 < len(found) < len(every) == len(found.came.account)
    # The rows keep their own estimates and accounts.
    place = {name: row for row, name in enumerate(every.decision_id)}
    rows = np.array([place[name] for name in found.decision_id])
    assert (found.outcomes.margin == every.outcomes.margin[rows]).all()
    assert (found.account == every.came.account[rows]).all()
    assert (found.place == rows).all()
    assert (found.lines.lines.log.freed[rows] == found.freed).all()
    assert found.lines.lines.log.ratio[rows] == pytest.approx(found.situation.loss_ratio)
    assert (found.situation.loss_ratio == every.situation.loss_ratio[rows]).all()
    assert (found.signals.expected_loss == every.signals.expected_loss[rows]).all()


def test_outcomes_are_told_over_the_horizon_of_the_model(read, book, monkeypatch):
    """Of 60 days: more decisions have matured, fewer went bad, and lines lack less."""

    class Short(Model):
        horizon_days = 60

    given = {}

    def kept(X, share, days, outcomes, account, *, horizon_days, seed, monotone):
        given.update(bad=outcomes.bad, horizon_days=horizon_days)
        return made_up(
            X, share, days, outcomes, account, horizon_days=180, seed=seed, monotone=monotone
        )

    monkeypatch.setattr(logged_book, "fit_arm_outcomes", kept)
    found, opened = read(Short(), all_rows=True), book[0]
    came = realised(opened.events, book[1], horizon_days=60)
    came = came.filter(pc.and_(came["bad"].is_valid(), pc.greater(came["freed"], 0)))
    assert found.decision_id.tolist() == came["decision_id"].to_pylist()
    assert given["bad"].tolist() == numbers(came, "bad").tolist()
    assert given["horizon_days"] == found.horizon_days == 60
    lines = found.lines.lines
    days = np.abs(lines.log.day[lines.by] - lines.log.day[lines.on])
    assert 0 < days.max() < 60
    owed = line_fit.owed_of(opened.events, came, 60, 30)
    assert ((owed > 0) <= (given["bad"] > 0)).all()
    longer = read(Model(), all_rows=True)
    assert len(longer) < len(found)


def test_outcomes_are_told_by_the_days_past_due_of_the_model(read, book, monkeypatch):
    """At 7 days more go bad than at 30, and lines are looked at longer before they do."""

    class Early(Model):
        days_past_due = 7

    given = {}

    def kept(X, share, days, outcomes, account, **how):
        given.update(bad=outcomes.bad)
        return made_up(X, share, days, outcomes, account, **how)

    monkeypatch.setattr(logged_book, "fit_arm_outcomes", kept)
    late = read(Model(), all_rows=True)
    usual = given["bad"]
    early = read(Early(), all_rows=True)
    came = realised(book[0].events, book[1], days_past_due=7)
    came = came.filter(pc.and_(came["bad"].is_valid(), pc.greater(came["freed"], 0)))
    assert given["bad"].tolist() == numbers(came, "bad").tolist()
    assert given["bad"].sum() > usual.sum()
    owed = [line_fit.owed_of(book[0].events, came, 180, days) for days in (30, 7)]
    assert (owed[1] > 0).sum() > (owed[0] > 0).sum()
    pairs = [found.lines.lines for found in (late, early)]
    assert pairs[0].by.tolist() == pairs[1].by.tolist()
    assert (pairs[0].part != pairs[1].part).any()


def test_where_too_few_went_bad_unseen_all_rows_are_taken_with_a_warning(read):
    every = read(Model(), all_rows=True)
    assert every.warnings == ()
    late = read(Model(split={"kind": OUT_OF_TIME, "test_from": 2**62}))
    (warning,) = late.warnings
    assert "Only 0 accounts went bad" in warning
    assert len(late) == len(every)
    (silent,) = read(Model()).warnings
    assert "doesn't say" in silent


def test_what_the_log_lost_is_what_is_expected_of_its_own_arms(read, monkeypatch):
    monkeypatch.setattr(line_outcomes, "LEAST_LOSSES", 5)
    every = read(Model(), all_rows=True)
    came = every.came
    own = every.outcomes.loss[np.arange(len(every)), every.arm]
    assert own == pytest.approx(came.loss_expected)
    assert came.loss_expected.sum() == pytest.approx(came.loss.sum())


def test_where_the_log_cant_tell_what_a_withheld_line_does_that_is_said(read, monkeypatch):
    monkeypatch.setattr(logged_book, "estimate_line_effect", lambda *_, **__: None)
    (warning,) = (blind := read(Model(), all_rows=True)).warnings
    assert warning == UNKNOWN_EFFECT
    assert blind.lines.effect == 0


def test_what_bad_borrowers_owed_explains_what_was_lost(book):
    opened, decisions = book
    log = realised(opened.events, decisions)
    log = log.filter(pc.and_(log["loss"].is_valid(), log["limit"].is_valid()))
    owed = line_fit.owed_of(opened.events, log, 180, 30)
    bad, freed, limit = (numbers(log, name) for name in ("bad", "freed", "limit"))
    assert ((owed > 0) <= (bad > 0)).all()
    lost = LOSS_GIVEN_DEFAULT * np.maximum(owed - (limit - freed), 0)
    assert (numbers(log, "loss") > 0).any()
    assert lost == pytest.approx(numbers(log, "loss"), abs=2)

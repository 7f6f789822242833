"""Fitting on a small book whose risk is known by construction."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from relimit.data.vocabulary import ARMS, MICROSECONDS_PER_DAY
from relimit.models import BoostedTrees, Level, choose_calibration
from relimit.models.prediction import TreeScores
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model
from relimit.training.logged_risk import logged_risk
from relimit.training.metrics import evaluate
from relimit.training.propensity import weigh_decisions


def read(history, observations):
    return read_training_data(history[0], observations, workers=1, progress=lambda _: None)


def fit(data, family, seed=0):
    return fit_model(family, data.X, data.names, data.labelled, data.split, workers=1, seed=seed)


@pytest.fixture(scope="module")
def known():
    """Fit data as they are, once a family; for tests that change nothing before it."""
    kept = {}

    def known(data, family):
        if (id(data), family) not in kept:
            kept[id(data), family] = fit(data, family)
        return kept[id(data), family]

    return known


@pytest.fixture(scope="module")
def plain(history, observations):
    return read(history, observations)


@pytest.fixture(scope="module")
def decisions(history, decided):
    return read(history, decided)


def test_rows_are_split_in_time_and_features_follow_their_rows(plain, observations):
    assert plain.split.kind == "out_of_time"
    assert plain.not_matured == observations["bad"].null_count > 0
    assert plain.X.shape == (len(plain.labelled), len(plain.names))


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_a_family_learns_what_tells_the_risk_and_its_metrics_are_true(plain, known, family):
    fitted = known(plain, family)
    test = plain.split.test
    risk = fitted.model.restoration_risk(plain.X[test])
    bad = plain.labelled.bad[test]
    np.testing.assert_array_equal(risk, fitted.test_risk)
    assert fitted.metrics["auc"] == pytest.approx(roc_auc_score(bad, risk))
    assert fitted.metrics["brier"] == pytest.approx(brier_score_loss(bad, risk))
    assert fitted.metrics["rows"] == len(test)
    assert fitted.metrics["auc"] > 0.65
    assert abs(risk.mean() - bad.mean()) < 0.06
    assert fitted.propensities is None
    assert not fitted.model.has_arms


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_training_twice_gives_the_same_predictions(decisions, known, family):
    first, second = known(decisions, family), fit(decisions, family)
    X = decisions.X[:200]
    np.testing.assert_array_equal(first.model.risk_by_arm(X), second.model.risk_by_arm(X))


def test_logged_decisions_bring_arms_weights_and_observed_losses(decisions, known):
    fitted = known(decisions, "lightgbm")
    assert fitted.model.has_arms
    assert fitted.model.tried == ((0.5, 7), (1.0, 0))
    assert fitted.propensities.fitted == 0
    assert fitted.propensities.arms_never_tried == 23
    assert 0 < fitted.propensities.effective_rows < len(decisions.labelled)
    assert fitted.metrics["weighted_auc"] != fitted.metrics["auc"]
    by_arm = fitted.model.risk_by_arm(decisions.X[:50])
    test = decisions.labelled.take(np.arange(50))
    places = [ARMS.index((share, int(delay))) for share, delay in test.arms]
    expected = by_arm[np.arange(50), places]
    np.testing.assert_array_equal(logged_risk(fitted.model, decisions.X[:50], test), expected)


def test_rows_scored_in_blocks_and_by_number_have_the_risks_of_the_whole(
    decisions, known, monkeypatch
):
    model = known(decisions, "lightgbm").model
    whole = logged_risk(model, decisions.X, decisions.labelled)
    monkeypatch.setattr("relimit.training.logged_risk.SCORED_ROWS", 7)
    monkeypatch.setattr("relimit.models.arms.BLOCK", 3)
    rows = np.arange(5, len(whole), 11)
    some = logged_risk(model, decisions.X, decisions.labelled, rows)
    np.testing.assert_array_equal(some, whole[rows])


def test_trees_are_told_how_many_rows_are_to_come(decisions, monkeypatch):
    told = []
    monkeypatch.setattr(TreeScores, "expect", lambda self, rows: told.append(rows))
    fit(decisions, "lightgbm")
    assert told[0] >= len(decisions.split.calibrate) + len(decisions.split.test)


def test_trees_are_given_the_arms_effect_and_add_nothing_of_their_own(decisions, known):
    fitted = known(decisions, "lightgbm")
    effect = fitted.arm_effect
    assert effect.estimate.low < 0.3 < effect.estimate.high  # as the book was made
    assert 0.0 < effect.used < effect.estimate.value or effect.estimate.value < effect.used == 0.0
    learnt = np.concatenate([decisions.split.fit, decisions.split.calibrate])
    assert (effect.rows, effect.bads) == (len(learnt), decisions.labelled.bad[learnt].sum())
    assert effect.to_dict().items() <= fitted.metrics.items()
    X = decisions.X[:50]
    for place, arm in enumerate(ARMS):
        gap = fitted.model.log_odds(X, arm) - fitted.model.log_odds(X)
        np.testing.assert_allclose(gap, effect.by_arm(180)[place], atol=1e-9)


def test_trees_given_the_effect_grow_unweighted_and_are_calibrated_by_weight(
    decisions, known, monkeypatch
):
    effect = known(decisions, "lightgbm").arm_effect
    monkeypatch.setattr("relimit.training.fit.estimate_arm_effect", lambda *_, **__: effect)
    weighted = fit(decisions, "lightgbm").model
    monkeypatch.setattr(
        "relimit.training.fit.weigh_decisions",
        lambda X, *given, **options: replace(
            weigh_decisions(X, *given, **options), weight=np.ones(len(X))
        ),
    )
    even = fit(decisions, "lightgbm").model
    X = decisions.X[:100]
    np.testing.assert_array_equal(weighted.log_odds(X), even.log_odds(X))
    assert (weighted.restoration_risk(X) != even.restoration_risk(X)).all()


def test_the_effect_is_of_the_horizon_that_was_observed(decisions):
    fitted = fit_model(
        "lightgbm", decisions.X, decisions.names, decisions.labelled, decisions.split,
        horizon_days=7, workers=1,
    )  # fmt: skip
    X, effect = decisions.X[:20], fitted.arm_effect.used
    gap = fitted.model.log_odds(X, (1.0, 7)) - fitted.model.log_odds(X)
    np.testing.assert_allclose(gap, -effect, atol=1e-9)
    assert effect > 0.0


def test_a_scorecard_learns_the_arm_along_with_its_features(decisions, known):
    assert known(decisions, "scorecard").arm_effect is None


def test_more_share_never_means_less_risk_and_more_delay_never_more(decisions, known):
    risk = known(decisions, "lightgbm").model.risk_by_arm(decisions.X[:100]).reshape(100, 5, 5)
    assert (np.diff(risk, axis=1) >= 0).all()
    assert (np.diff(risk, axis=2) <= 0).all()


def test_what_happens_on_the_test_slice_does_not_reach_the_model(plain, known):
    changed = plain.labelled.bad.copy()
    changed[plain.split.test] = ~changed[plain.split.test]
    labelled = plain.labelled
    blind = type(labelled)(
        **{n: getattr(labelled, n) for n in labelled.__slots__ if n != "bad"}, bad=changed
    )
    other = fit_model("lightgbm", plain.X, plain.names, blind, plain.split, workers=1)
    first = known(plain, "lightgbm")
    np.testing.assert_array_equal(
        other.model.restoration_risk(plain.X), first.model.restoration_risk(plain.X)
    )
    assert other.metrics["auc"] == pytest.approx(1 - first.metrics["auc"])


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_weights_reach_the_fit(decisions, known, family, monkeypatch):
    weighted = known(decisions, family).model
    propensities = weigh_decisions(
        decisions.X, decisions.labelled.arms, decisions.labelled.propensity, learn=np.arange(100)
    )
    even = replace(propensities, weight=np.ones(len(decisions.labelled)))
    monkeypatch.setattr("relimit.training.fit.weigh_decisions", lambda *_, **__: even)
    unweighted = fit(decisions, family).model
    X = decisions.X[:200]
    assert np.abs(weighted.log_odds(X) - unweighted.log_odds(X)).max() > 0.01


def test_the_seed_is_what_is_drawn_by(plain, known):
    first, other = known(plain, "lightgbm").model, fit(plain, "lightgbm", seed=1).model
    assert (first.log_odds(plain.X) != other.log_odds(plain.X)).any()


def test_early_stopping_and_calibration_see_the_later_slice_and_no_other(decisions, monkeypatch):
    split, labelled = decisions.split, decisions.labelled
    seen = {}
    grow, choose = BoostedTrees.fit, choose_calibration

    def spy_fit(self, X, y, weight=None, *, eval_set, **more):
        seen["early"], seen["stop"] = (X, y), eval_set
        return grow(self, X, y, weight, eval_set=eval_set, **more)

    def spy_choose(log_odds, bad, weight=None, **more):
        seen["calibrate"] = log_odds, bad, weight
        return choose(log_odds, bad, weight, **more)

    monkeypatch.setattr(BoostedTrees, "fit", spy_fit)
    monkeypatch.setattr("relimit.training.fit.choose_calibration", spy_choose)
    fitted = fit(decisions, "lightgbm")
    rows = np.column_stack([decisions.X, labelled.arms])
    for name, slice_ in (("early", split.fit), ("stop", split.calibrate)):
        np.testing.assert_array_equal(seen[name][0].to_numpy(), rows[slice_])
        np.testing.assert_array_equal(seen[name][1], labelled.bad[slice_])
    log_odds, bad, weight = seen["calibrate"]
    later = np.ascontiguousarray(rows[split.calibrate])
    np.testing.assert_array_equal(log_odds, fitted.model.head.log_odds(later))
    np.testing.assert_array_equal(bad, labelled.bad[split.calibrate])
    np.testing.assert_array_equal(weight, fitted.propensities.weight[split.calibrate])
    assert labelled.as_of[split.fit].max() < labelled.as_of[split.calibrate].min()


def test_accounts_never_learnt_from_have_figures_with_limits_over_accounts(plain):
    labelled, split = plain.labelled, plain.split
    hidden = labelled.account_id < 200
    keep = [rows[~hidden[rows]] for rows in (split.fit, split.calibrate)]
    fewer = replace(split, fit=keep[0], calibrate=keep[1])
    fitted = fit_model("lightgbm", plain.X, plain.names, labelled, fewer, workers=1)
    unseen = hidden[split.test]
    test = labelled.take(split.test[unseen])
    risk = fitted.test_risk[unseen]
    found = {name: fitted.metrics[f"new_accounts_{name}"] for name in ("rows", "auc")}
    assert found == {"rows": unseen.sum(), "auc": pytest.approx(roc_auc_score(test.bad, risk))}
    clustered = evaluate(test.bad, risk, clusters=test.account_id)
    naive = evaluate(test.bad, risk)
    limits = [fitted.metrics[f"new_accounts_auc_{end}"] for end in ("low", "high")]
    assert limits == pytest.approx([clustered["auc_low"], clustered["auc_high"]])
    assert limits != pytest.approx([naive["auc_low"], naive["auc_high"]], abs=1e-6)


def test_other_accounts_can_be_held_out_where_time_could(history, observations):
    data = read_training_data(
        history[0], observations, hold_out="account", workers=1, progress=lambda _: None
    )
    assert data.split.kind == "out_of_account"
    assert "as asked for" in data.split.description
    learnt = np.concatenate([data.split.fit, data.split.calibrate])
    account = data.labelled.account_id
    assert set(account[data.split.test]).isdisjoint(account[learnt])


def test_any_arrears_in_the_window_are_read_from_the_events(history, observations):
    data = read(history, observations)
    events = pq.read_table(history[0]).to_pandas()
    overdue = events[events["kind"] == "overdue"]
    micro = overdue["ts"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    account, horizon = overdue["account_id"].to_numpy(), 180 * MICROSECONDS_PER_DAY
    labelled = data.labelled
    ends = events["ts"].astype("datetime64[us, UTC]").astype("int64").max()
    for row in range(0, len(labelled), 7):
        its = micro[account == labelled.account_id[row]]
        since = its - labelled.as_of[row]
        came = ((since > 0) & (since <= horizon)).any()
        assert data.late[row] == (came and labelled.as_of[row] + horizon <= ends)
    assert 0 < data.late.sum() < len(labelled)


def test_short_arrears_teach_trees_alone_and_the_risk_stays_that_of_a_bad(
    decisions, known, monkeypatch
):
    seen = []
    grow = BoostedTrees.fit

    def spy(self, X, y, weight=None, *, eval_set=None, **more):
        seen.append((y, None if eval_set is None else eval_set[1]))
        return grow(self, X, y, weight, eval_set=eval_set, **more)

    monkeypatch.setattr(BoostedTrees, "fit", spy)
    late = np.random.default_rng(0).random(len(decisions.labelled)) < 0.3
    split, labelled = decisions.split, decisions.labelled
    learn = np.concatenate([split.fit, split.calibrate])
    fitted = fit_model(
        "lightgbm", decisions.X, decisions.names, labelled, split, late=late, workers=1
    )
    bad = labelled.bad
    rate = bad[learn].sum() / (bad | late)[learn].sum()
    ((early, stop),) = seen
    target = np.where(bad, 1.0, np.where(late, rate, 0.0))
    np.testing.assert_allclose(early, target[split.fit])
    np.testing.assert_allclose(stop, target[split.calibrate])
    assert not isinstance(fitted.calibration.calibration, Level)
    assert abs(fitted.test_risk.mean() - bad[split.test].mean()) < 0.06
    seen.clear()
    card = fit_model(
        "scorecard", decisions.X, decisions.names, labelled, split, late=late, workers=1
    )
    assert not seen
    X = decisions.X[:99]
    np.testing.assert_array_equal(
        card.model.log_odds(X), known(decisions, "scorecard").model.log_odds(X)
    )


def test_arrears_of_the_test_slice_do_not_reach_the_model(plain):
    first = np.random.default_rng(0).random(len(plain.labelled)) < 0.3
    other = first.copy()
    other[plain.split.test] = True
    by = [
        fit_model(
            "lightgbm", plain.X, plain.names, plain.labelled, plain.split, late=late, workers=1
        ).model.restoration_risk(plain.X)
        for late in (first, other)
    ]
    np.testing.assert_array_equal(*by)


def test_few_bads_held_out_by_account_calibrate_trees_that_learnt_from_all(history, decided):
    data = read_training_data(
        history[0], decided, hold_out="account", workers=1, progress=lambda _: None
    )
    fitted = fit(data, "lightgbm")
    learnt = np.sort(np.concatenate([data.split.fit, data.split.calibrate]))
    assert fitted.cross_fitted
    assert fitted.model.loss.bads == (data.labelled.bad & (data.labelled.share > 0))[learnt].sum()
    assert fitted.metrics["auc"] > 0.6
    assert not fit(data, "scorecard").cross_fitted

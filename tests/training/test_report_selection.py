"""What the report says of a log whose hidden part is known: by how much not to trust it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from relimit.data.vocabulary import ARMS
from relimit.training.document import Notice
from relimit.training.labelled import Labelled
from relimit.training.propensity import Propensities
from relimit.training.report_selection import selection
from relimit.training.splits import sample_rows

ROWS = 40_000
HALF = ROWS // 2


class Naive:
    """A model that has not seen what the older policy saw, with no more to say by arm."""

    tried = tuple(ARMS[place] for place in (0, 10, 20))

    def __init__(self, x, bad):
        self.fitted = LogisticRegression().fit(x[:, None], bad)

    def restoration_risk(self, X):
        return self.fitted.predict_proba(X)[:, 1]

    def risk_bounds_by_arm(self, X):
        risk = np.repeat(self.restoration_risk(X)[:, None], len(ARMS), axis=1)
        return risk, risk


def judged(*, hidden: float, drawn: float = 0.2, effect: float = 0.6, seed: int = 0):
    """As in the scenario `mnar`: the policy withholds by x and by u, which no table holds."""
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=(2, ROWS))
    wanted = np.digitize(x + hidden * u + 0.5 * rng.normal(size=ROWS), [0, 1])
    arm = np.where(rng.random(ROWS) < drawn, rng.integers(0, 3, ROWS), wanted)
    odds = -3.0 + 0.8 * x + 0.8 * u
    bad = rng.random(ROWS) < expit(odds - effect * arm / 2.0)
    chance = drawn / 3.0 + (arm == wanted) * (1.0 - drawn)
    nothing = np.full(ROWS, np.nan)
    labelled = Labelled(
        account_id=np.arange(ROWS), as_of=np.zeros(ROWS, np.int64), bad=bad, share=1.0 - arm / 2.0,
        delay_days=np.zeros(ROWS), propensity=chance, freed=nothing, loss=nothing,
    )  # fmt: skip
    model = Naive(x[:HALF], bad[:HALF])
    split = SimpleNamespace(fit=np.arange(HALF), test=np.arange(HALF, ROWS))
    data = SimpleNamespace(X=x[:, None], labelled=labelled, split=split, horizon_days=180)
    weights = Propensities(np.ones(ROWS), chance, float(ROWS), 0, 0, 22)
    told = SimpleNamespace(
        data=data,
        fitted=SimpleNamespace(model=model, propensities=weights, arm_effect=None),
        test=labelled.take(split.test),
        test_features=lambda most: x[HALF:, None][sample_rows(HALF, most)],
        restoration_risk=lambda places: model.restoration_risk(x[split.test[places]][:, None]),
        odds=odds[HALF:],
    )
    held = (arm > 0) & (np.arange(ROWS) >= HALF)
    error = expit(odds[held]).mean() - model.restoration_risk(x[held][:, None]).mean()
    return told, 100 * error


def verdict(told):
    first = selection(told).blocks[0]
    return (first.text, True) if isinstance(first, Notice) else (first, False)


AT_LEAST = r"too low by ([\d.]+) points at least \(95% interval ([+-][\d.]+)"
BELOW = r"is ([\d.]+) points below it \(95% interval ([+-][\d.]+) to ([+-][\d.]+)\)"
DOUBLED = r"would be up to ([\d.]+)% where the model says ([\d.]+)%, ([+-][\d.]+) points"


def test_a_hidden_choice_is_said_with_the_points_that_are_missing_at_least():
    told, error = judged(hidden=1.0)
    words, warned = verdict(told)
    assert warned
    assert words.startswith("Don't trust")
    value, low = map(float, re.search(AT_LEAST, words).groups())
    assert 0.0 < low < value < error


@pytest.mark.parametrize("seed", range(2))
def test_where_the_bad_rate_bounds_nothing_it_still_says_by_how_much_it_may_be_off(seed):
    told, _ = judged(hidden=0.4, effect=1.5, seed=seed)
    words, warned = verdict(told)
    assert warned
    value, low, high = map(float, re.search(BELOW, words).groups())
    test, model = told.test, told.fitted.model
    held = test.share < 1.0
    risk = 100 * model.restoration_risk(told.test_features(HALF))
    assert low < value < high
    assert value == pytest.approx(risk[held].mean() - 100 * test.bad[held].mean(), abs=6e-3)
    most, says, points = map(float, re.search(DOUBLED, words).groups())
    assert says == pytest.approx(risk.mean(), abs=6e-3)
    assert points == pytest.approx(most - says, abs=0.011)
    truth = 100 * expit(told.odds).mean()
    assert says < truth < most


def test_a_log_that_lacks_nothing_is_trusted():
    words, warned = verdict(judged(hidden=0.0)[0])
    assert not warned
    assert words.startswith("The restoration risk can be trusted")

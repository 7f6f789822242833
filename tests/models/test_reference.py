from collections.abc import Callable

import numpy as np
import pytest

from relimit.data.errors import ModelError
from relimit.models import Distribution, Reference, RiskModel
from relimit.models.serial import decode, encode


def test_deciles_hold_a_tenth_each() -> None:
    x = np.random.default_rng(0).permutation(1000).astype(float)
    found = Distribution.of(x)
    assert len(found.edges) == 9
    np.testing.assert_allclose(found.shares, [0.1] * 10 + [0.0], atol=0.002)


def test_ties_and_missing_values_have_their_own_bins() -> None:
    x = np.array([0.0] * 70 + [1.0] * 20 + [np.nan] * 10)
    found = Distribution.of(x)
    assert found.edges == (0.0, 1.0)
    np.testing.assert_allclose(found.shares, [0.7, 0.2, 0.0, 0.1])


@pytest.mark.parametrize("value", [np.nan, 4.0])
def test_a_column_of_one_value_is_described(value: float) -> None:
    assert sum(Distribution.of(np.full(5, value)).shares) == pytest.approx(1.0)


def test_other_rows_are_counted_in_the_same_bins() -> None:
    found = Distribution.of(np.arange(100.0))
    np.testing.assert_allclose(found.shares_of(np.array([-5.0, 500, 500, np.nan])).sum(), 1.0)
    assert found.shares_of(np.array([-5.0, 500, 500, np.nan]))[[0, -2, -1]].tolist() == [
        0.25,
        0.5,
        0.25,
    ]


def test_it_reads_back_and_refuses_what_does_not_fit() -> None:
    X = np.random.default_rng(1).normal(size=(50, 2))
    reference = Reference.of(X, ("a", "b"), X[:, 0])
    stored = decode(encode(reference.to_json()), "reference.json")
    assert Reference.from_json(stored, ("a", "b"), "reference.json") == reference
    with pytest.raises(ModelError, match=r"reference\.json: not a training reference.*'c'"):
        Reference.from_json(stored, ("a", "c"), "reference.json")
    stored["risk"]["shares"].pop()
    with pytest.raises(ModelError, match="shares for"):
        Reference.from_json(stored, ("a", "b"), "reference.json")


def test_golden_rows_hold_no_training_row_but_missing_values_too() -> None:
    X = np.random.default_rng(2).normal(size=(200, 3))
    golden = Reference.of(X, ("a", "b", "c"), X[:, 0]).golden_rows()
    assert golden.shape == (16, 3)
    assert np.isnan(golden).any()
    assert not {tuple(row) for row in golden} & {tuple(row) for row in X}


def test_the_reference_of_very_many_rows_is_that_of_a_sample(
    make_model: Callable[..., RiskModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_model("scorecard").reference
    monkeypatch.setattr("relimit.models.risk.REFERENCE_ROWS", 1500)
    sampled, again = (make_model("scorecard").reference for _ in range(2))
    assert (whole.rows, sampled.rows) == (3000, 1500)
    assert sampled == again
    for a, b in zip(whole.risk.edges, sampled.risk.edges, strict=True):
        assert a == pytest.approx(b, rel=0.3)

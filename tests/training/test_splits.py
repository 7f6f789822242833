"""Splits are checked row by row against the plain statement of what a leak is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.training.splits import (
    OUT_OF_ACCOUNT,
    OUT_OF_TIME,
    account_hash,
    split_observations,
    unseen_rows,
)

DAY = 86_400_000_000
PINNED_INTEGERS = [0.3381666012719897, 0.8586764687735633, 0.11845963771618584]
PINNED_STRINGS = [0.7562500399656916, 0.6878210881757848]


def book(days: int, accounts: int = 300, rows: int = 3000, seed: int = 0):
    rng = np.random.default_rng(seed)
    account = rng.integers(0, accounts, rows)
    as_of = rng.integers(0, days + 1, rows) * DAY
    return account, as_of, rng.random(rows) < 0.2


def test_no_account_has_outcome_windows_that_overlap_in_two_slices():
    account, as_of, bad = book(days=900)
    split = split_observations(account, as_of, bad, horizon_days=180)
    assert split.kind == OUT_OF_TIME
    for a, b in itertools.combinations([split.fit, split.calibrate, split.test], 2):
        for row in a:
            same = b[account[b] == account[row]]
            assert (np.abs(as_of[same] - as_of[row]) >= 180 * DAY).all()


def test_slices_follow_each_other_in_time():
    account, as_of, bad = book(days=900)
    split = split_observations(account, as_of, bad, horizon_days=180)
    assert as_of[split.fit].max() < as_of[split.calibrate].min()
    assert as_of[split.calibrate].max() + 180 * DAY <= as_of[split.test].min() == split.test_from


def test_slices_are_disjoint_and_the_rest_is_counted():
    account, as_of, bad = book(days=900)
    split = split_observations(account, as_of, bad, horizon_days=180)
    used = np.concatenate([split.fit, split.calibrate, split.test])
    assert np.unique(used).size == used.size == 3000 - split.left_out


def test_one_as_of_falls_back_to_accounts_and_says_why():
    account, as_of, bad = book(days=0)
    split = split_observations(account, as_of, bad, horizon_days=180)
    assert split.kind == OUT_OF_ACCOUNT
    assert "one as_of" in split.description
    assert split.left_out == 0
    slices = [set(account[s]) for s in (split.fit, split.calibrate, split.test)]
    assert all(not a & b for a, b in itertools.combinations(slices, 2))


def test_a_history_shorter_than_the_horizon_falls_back_to_accounts_with_counts():
    account, as_of, bad = book(days=100)
    split = split_observations(account, as_of, bad, horizon_days=180)
    assert split.kind == OUT_OF_ACCOUNT
    assert "with outcome windows of 180 days" in split.description
    assert "0 bad and 0 good" in split.description


def test_few_bads_in_a_long_history_fall_back_to_accounts_and_no_word_blames_its_length():
    account, as_of, bad = book(days=1500)
    bad = bad & (np.cumsum(bad) <= 60)
    split = split_observations(account, as_of, bad, horizon_days=180)
    assert split.kind == OUT_OF_ACCOUNT
    assert "fewer than 25 of one" in split.description
    assert "short" not in split.description


def test_string_accounts_split_as_well():
    account, as_of, bad = book(days=0)
    names = np.array([f"id-{a}" for a in account], dtype=object)
    split = split_observations(names, as_of, bad, horizon_days=180)
    assert 0.1 < split.test.size / 3000 < 0.3


@pytest.mark.parametrize("bads", [0, 4, 2996, 3000])
def test_one_class_or_too_few_of_one_is_refused_with_counts(bads):
    account, as_of, _ = book(days=900)
    bad = np.arange(3000) < bads
    with pytest.raises(DataError, match=f"{bads} bad and {3000 - bads} good"):
        split_observations(account, as_of, bad, horizon_days=180)


def test_no_observations_are_refused():
    empty = np.array([], dtype=np.int64)
    with pytest.raises(DataError, match="0 bad and 0 good"):
        split_observations(empty, empty, empty.astype(bool), horizon_days=180)


def test_too_few_bads_for_one_slice_names_the_slice():
    account = np.arange(3000)
    account[:50] = 7
    with pytest.raises(DataError, match=r"the \w+ slice.*0 bad"):
        split_observations(account, np.zeros(3000, np.int64), account == 7, horizon_days=180)


def test_few_bads_are_dealt_evenly_whatever_the_first_hash_makes_of_them():
    account = np.arange(3000)
    bad = np.zeros(3000, bool)
    bad[np.flatnonzero(account_hash(account) > 0.5)[:50]] = True
    split = split_observations(account, np.zeros(3000, np.int64), bad, horizon_days=180)
    assert 7 <= bad[split.test].sum() <= 13
    assert 7 <= bad[split.calibrate].sum() <= 13
    unseen = unseen_rows(split.to_manifest(), account, np.zeros(3000, np.int64))
    np.testing.assert_array_equal(np.flatnonzero(unseen), split.test)


def test_where_bads_abound_the_first_hash_deals():
    account, as_of, bad = book(days=0, accounts=3000)
    assert split_observations(account, as_of, bad, horizon_days=180).salt == 0


def test_a_manifest_of_before_salts_was_dealt_by_the_first_hash():
    account = np.arange(100)
    unseen = unseen_rows({"kind": OUT_OF_ACCOUNT}, account, np.zeros(100, np.int64))
    np.testing.assert_array_equal(unseen, account_hash(account) < 0.2)


def test_hash_is_fixed_for_ever_since_manifests_rely_on_it():
    hashed = account_hash(np.array([1, 2, 3]))
    np.testing.assert_allclose(hashed, PINNED_INTEGERS, atol=1e-12)
    hashed = account_hash(np.array(["a", "b"], dtype=object))
    np.testing.assert_allclose(hashed, PINNED_STRINGS, atol=1e-12)


def test_hash_is_uniform():
    hashed = account_hash(np.arange(100_000))
    counts = np.histogram(hashed, bins=20, range=(0, 1))[0]
    assert counts.sum() == 100_000
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-squared, 19 degrees, p = 0.001


@settings(max_examples=25, deadline=None)
@given(days=st.sampled_from([0, 100, 600, 1500]), seed=st.integers(0, 50))
def test_unseen_rows_hold_the_test_slice_and_no_row_that_was_learnt_from(days, seed):
    account, as_of, bad = book(days=days, seed=seed)
    split = split_observations(account, as_of, bad, horizon_days=90)
    unseen = unseen_rows(split.to_manifest(), account, as_of)
    assert unseen[split.test].all()
    assert not unseen[split.fit].any()
    assert not unseen[split.calibrate].any()

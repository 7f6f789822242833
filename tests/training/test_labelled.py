"""What observations are read into, and which are refused."""

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.errors import DataError
from relimit.data.schema import TIME
from relimit.training.labelled import read_labelled

DAY = 86_400_000_000


def table(**changes) -> pa.Table:
    columns = {
        "account_id": pa.array([1, 2, 3]),
        "as_of": pa.array([DAY, 2 * DAY, 3 * DAY], TIME),
        "bad": pa.array([True, None, False]),
    }
    return pa.table({**columns, **changes})


def test_rows_that_have_not_matured_are_left_out_in_order():
    labelled, matured = read_labelled(table())
    assert labelled.account_id.tolist() == matured["account_id"].to_pylist() == [1, 3]
    assert labelled.as_of.tolist() == [DAY, 3 * DAY]
    assert labelled.bad.tolist() == [True, False]
    assert np.isnan(labelled.freed).all()
    assert not labelled.varies_in_arm


def test_nulls_among_numbers_become_nan():
    labelled, _ = read_labelled(table(freed=pa.array([5, 6, None]), share=pa.nulls(3)))
    assert labelled.freed[0] == 5
    assert np.isnan(labelled.freed[1])
    assert np.isnan(labelled.share).all()


@pytest.mark.parametrize(
    ("share", "delay", "varies"),
    [
        ([1.0, 0.5, 0.5], [0, 0, 0], True),
        ([1.0, 0.5, 1.0], [0, 3, 0], False),  # the row that differs has not matured
        ([1.0, None, None], [0, 0, 3], False),
        ([1.0, 1.0, 1.0], [0, 0, 3], True),
    ],
)
def test_arms_vary_if_two_matured_rows_have_different_ones(share, delay, varies):
    columns = {"share": pa.array(share), "delay_days": pa.array(delay, pa.int32())}
    assert read_labelled(table(**columns))[0].varies_in_arm is varies


def test_rows_without_an_arm_are_left_out_only_where_others_have_one():
    delay = pa.array([0, 0, 3], pa.int32())
    mixed = table(bad=pa.array([True, False, False]), share=pa.array([1.0, None, 0.5]))
    labelled, matured = read_labelled(mixed.append_column("delay_days", delay))
    assert labelled.account_id.tolist() == matured["account_id"].to_pylist() == [1, 3]
    assert labelled.varies_in_arm
    full = table(bad=pa.array([True, False, False]), share=pa.array([1.0, None, 1.0]))
    without, _ = read_labelled(full)  # a share without a delay is no arm
    assert without.account_id.tolist() == [1, 2, 3]
    assert not without.names_arms


def test_fingerprint_changes_with_any_value_and_not_otherwise():
    first = read_labelled(table())[0].fingerprint()
    assert read_labelled(table())[0].fingerprint() == first
    changed = [
        table(bad=pa.array([False, None, False])),
        table(account_id=pa.array([1, 2, 4])),
        table(freed=pa.array([1, 1, 1])),
        table(account_id=pa.array(["1", "2", "3"])),
    ]
    assert len({first, *(read_labelled(t)[0].fingerprint() for t in changed)}) == 5


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (table().drop_columns("bad"), "1 columns are absent: bad; there are account_id, as_of"),
        (table(bad=pa.nulls(3, pa.bool_())), "none of 3 rows has matured"),
        (table(account_id=pa.array([1, None, 3])), "column account_id: 1 of 3 values are null"),
        (table().slice(0, 0), "none of 0 rows has matured"),
        (
            table(share=pa.array([1.0, 0.0, 0.5])),
            "share is not 1 in 1 of 2 rows, but delay_days is known in none of these",
        ),
        (
            table(delay_days=pa.array([7, 7, 0])),
            "delay_days is not 0 in 1 of 2 rows, but share is known in none of these",
        ),
    ],
)
def test_unusable_observations_are_refused_with_counts(broken, message):
    with pytest.raises(DataError, match=message):
        read_labelled(broken)

"""Which decisions of a log can be learnt from, and what to do where none can."""

import pyarrow as pa
import pytest

from relimit.data.errors import DataError
from relimit.training.matured import matured_decisions


def came(*, bad=False, freed=100, limit=1_000, loss=0):
    columns = {"bad": pa.bool_(), "freed": pa.int64(), "limit": pa.int64(), "loss": pa.int64()}
    row = {"bad": bad, "freed": freed, "limit": limit, "loss": loss}
    return pa.Table.from_pylist([row], schema=pa.schema(columns.items()))


@pytest.mark.parametrize(
    ("row", "mend"),
    [
        ({"bad": None}, "goes on for 180 days after"),
        ({"freed": 0}, "Write into `freed`"),
        ({"limit": None, "loss": None}, "Add each account's `limit` events"),
    ],
)
def test_what_mends_a_log_of_which_no_decision_is_left_depends_on_why(row, mend):
    with pytest.raises(DataError, match="none of 1 decisions is left") as error:
        matured_decisions(came(**row), 180)
    assert mend in error.value.mend


def test_what_is_left_is_kept_and_what_is_not_is_counted():
    log = pa.concat_tables([came(), came(limit=None, loss=None), came(bad=None), came(freed=0)])
    kept, counts = matured_decisions(log, 180)
    assert kept.num_rows == 1
    assert counts == {"logged": 4, "not_matured": 1, "freed_nothing": 1, "limit_unknown": 1}

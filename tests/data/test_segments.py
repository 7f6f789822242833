"""Searches in segments: few queries one by one give what many at once give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relimit.data import segments
from relimit.data.segments import first_after


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=7).map(sorted), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_first_later_time_of_each_segment_is_found(parts, random) -> None:
    times = np.array([time for part in parts for time in part], np.int64)
    ends = np.cumsum([len(part) for part in parts])
    query = np.array([random.randint(-1, 10) for _ in parts])
    low = ends - [len(part) for part in parts]
    expected = [
        begin + sum(time <= asked for time in part)
        for begin, part, asked in zip(low, parts, query, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for few in (0, 100):
            patch.setattr(segments, "FEW", few)
            assert first_after(times, low, ends, query).tolist() == expected

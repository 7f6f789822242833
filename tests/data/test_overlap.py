"""What is read ahead comes in order, and no more of it is begun than there is use for."""

from collections.abc import Callable, Iterator

import pytest

from relimit.data.overlap import Workers, read_ahead


class Reads:
    """Reads of the numbers from 0, and how many of them have been asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.begun = 0

    def __iter__(self) -> Iterator[Callable[[], int]]:
        for number in range(self.size):
            self.begun += 1
            yield lambda number=number: number  # type: ignore[misc]


@pytest.mark.parametrize(
    ("lasting", "begun"),
    [
        (set(), [3, 4, 5, 6, 6, 6]),
        (set(range(6)), [2, 3, 4, 5, 6, 6]),
        ({2, 5}, [3, 4, 4, 6, 6, 6]),
    ],
)
def test_one_less_is_begun_while_one_that_lasts_is_used(
    lasting: set[int], begun: list[int]
) -> None:
    reads = Reads(6)
    with Workers(2) as pool:
        ahead = read_ahead(iter(reads), pool, lasts=lasting.__contains__)
        found = [(number, reads.begun) for number in ahead]
    assert found == list(enumerate(begun))


def test_one_thread_that_lasts_still_ends() -> None:
    with Workers(1) as pool:
        assert list(read_ahead(iter(Reads(4)), pool, lasts=lambda _: True)) == [0, 1, 2, 3]


def test_nothing_is_begun_early_without_a_pool() -> None:
    reads = Reads(3)
    for number in read_ahead(iter(reads), None):
        assert reads.begun == number + 1

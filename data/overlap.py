"""Work done in threads while this one goes on reading, its results in the order of the items."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")

_LARGEST_LESSON: Final = 31 << 20


class Workers(ThreadPoolExecutor):
    """Threads that read and compute.

    Attributes
    ----------
    count
        How many they are.
    """

    def __init__(self, count: int) -> None:
        super().__init__(max_workers=count)
        self.count = count


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Yield `work(item)` of each item, in their order; a few items are read ahead.

    If the work on an item raises, or nobody asks for the rest, what has not begun never does.

    Examples
    --------
    >>> list(in_order(lambda number: number * number, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """
    with worker_pool(workers) as pool:
        yield from in_order_of(work, items, pool, most=2 * workers)


def in_order_of(
    work: Callable[[Item], Result], items: Iterable[Item], pool: Workers, *, most: int
) -> Iterator[Result]:
    """Yield what `in_order` does, from a pool that may read the items as well.

    At most `most` items wait or are worked on.
    """
    running: deque[Future[Result]] = deque()
    for item in items:
        running.append(pool.submit(work, item))
        while len(running) > most:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def read_ahead(
    reads: Iterator[Callable[[], Item]],
    pool: Workers | None,
    *,
    most: int | None = None,
    lasts: Callable[[Item], bool] = lambda _: False,
) -> Iterator[Item]:
    """Yield what each reads, in their order; `most` are begun before they are asked for.

    None begins as many as the pool has threads. Without a pool nothing is begun early. While one
    that `lasts` is used, one less is begun: there is time enough, and each takes memory.
    """
    if pool is None:
        yield from (read() for read in reads)
        return
    begun = deque(pool.submit(read) for read in itertools.islice(reads, most or pool.count))
    while begun:
        item = begun.popleft().result()
        long = bool(begun) and lasts(item)
        if not long:
            begun.extend(pool.submit(read) for read in itertools.islice(reads, 1))
        yield item
        if long:
            begun.extend(pool.submit(read) for read in itertools.islice(reads, 1))


def made_ahead(items: Iterator[Item], pool: Workers | None) -> Iterator[Item]:
    """Yield the items; a thread of the pool makes the next one before it is asked for."""

    def make() -> list[Item]:
        return list(itertools.islice(items, 1))

    for made in read_ahead(itertools.repeat(make), pool, most=1):
        if not made:
            return
        yield from made


@contextmanager
def worker_pool(workers: int) -> Iterator[Workers]:
    """Yield a pool of threads; in the end, what has not begun never does."""
    _keep_memory()
    pool = Workers(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_memory() -> None:
    """Let the allocator keep what a block has freed for the next one.

    Otherwise the C library hands it back to the system and each block pays a fifth more, to have
    its pages mapped anew. It learns what to keep from the largest array freed so far, up to 32 MiB
    (`M_MMAP_THRESHOLD` in mallopt(3)); this one is never touched, and so takes no memory.
    """
    np.empty(_LARGEST_LESSON, np.uint8)

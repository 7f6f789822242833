"""Run tasks on several processes, results in order, only a few of them in memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Result = TypeVar("Result")


def in_order(
    task: Callable[..., Result], calls: Iterable[tuple[object, ...]], workers: int
) -> Generator[Result, None, None]:
    """Yield `task(*call)` of each call in turn; at most `workers` + 1 results are waiting."""
    if workers == 1:
        yield from (task(*call) for call in calls)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Result]] = deque()
        for call in calls:
            waiting.append(pool.submit(task, *call))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

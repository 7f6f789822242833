"""From events to answers: read, decided in threads, and given in the order of the accounts."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from relimit.data.events import blocks_from_table
from relimit.data.overlap import in_order_of, worker_pool
from relimit.data.stream import BLOCK_ROWS, EventPlan
from relimit.policy import decisions_schema
from relimit.serving.blocks import Answers, decide_block
from relimit.serving.clock import Clock
from relimit.serving.quarantine import quarantine_schema
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer

Progress = Callable[[int, int], None]
"""Told how many events have been worked through, and of how many."""


TOGETHER: Final = BLOCK_ROWS // 2
"""Events of chosen accounts that are put together: few decisions cost as much as some hundreds."""


class Engine(Protocol):
    """Answers what is asked about the events, in the order of the accounts."""

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""

    def iterate(self, after: Any, clock: Clock, progress: Progress | None) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The chosen of `read` events of all accounts in `(after, through]`; None is an open end."""

    events: pa.Table
    read: int
    after: Any
    through: Any


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers what is asked about a plan's events, span of accounts by span.

    Attributes
    ----------
    scorer, request
        The model with its policy, and what is asked.
    plan
        What is to be read if nothing is done yet.
    workers
        Threads that read, choose and decide.
    """

    scorer: Scorer
    request: Request
    plan: EventPlan
    workers: int

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""
        return no_answers(self.plan.schema.field("account_id").type)

    def iterate(self, after: Any, clock: Clock, progress: Progress | None) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all."""
        rest = self.plan if after is None else self.plan.following(after)
        done, total = self.plan.rows - rest.rows, self.plan.rows

        def choose(span: _Span) -> _Span:
            with clock.stage("choosing"):
                return replace(span, events=self.request.chosen(span.events))

        def answer(span: _Span) -> Answers:
            with clock.stage("deciding"):
                return self._answer(span)

        def chosen(pool: Executor) -> Iterator[_Span]:
            seen = done
            spans = clock.timed("waiting for what is read", _spans(rest, pool))
            for span in in_order_of(choose, spans, pool, most=2 * self.workers):
                seen += span.read
                if progress is not None:
                    progress(seen, total)
                yield span

        with worker_pool(self.workers) as pool:
            spans = _together(chosen(pool))
            yield from in_order_of(answer, spans, pool, most=2 * self.workers)
        if progress is not None:
            progress(total, total)

    def _answer(self, span: _Span) -> Answers:
        block = blocks_from_table(span.events)
        answers = (
            decide_block(self.scorer, self.request, block) if span.events.num_rows else self.empty()
        )
        missing = self.request.without_events(block.account_ids, span.after, span.through)
        return with_missing(answers, missing)


def no_answers(account_id: pa.DataType) -> Answers:
    """Return answers about nobody."""
    return Answers(
        decisions_schema(account_id).empty_table(), quarantine_schema(account_id).empty_table()
    )


def with_missing(answers: Answers, missing: pa.Table) -> Answers:
    """Return answers with the quarantine of prepayments without events, by account."""
    if not missing.num_rows:
        return answers
    quarantined = pa.concat_tables([answers.quarantined, missing])
    order = np.argsort(quarantined["account_id"].to_numpy(), kind="stable")
    return Answers(answers.decided, quarantined.take(pa.array(order)))


def _spans(plan: EventPlan, pool: Executor) -> Iterator[_Span]:
    """Yield the events, and at the end a span without any for the accounts after the last."""
    after = plan.after
    for events in plan.tables(BLOCK_ROWS, pool):
        through = events["account_id"][-1].as_py()
        yield _Span(events, events.num_rows, after, through)
        after = through
    yield _Span(plan.schema.empty_table(), 0, after, None)


def _together(spans: Iterator[_Span]) -> Iterator[_Span]:
    """Join neighbouring spans until their events are enough."""
    held: list[_Span] = []
    for span in spans:
        held.append(span)
        if sum(one.events.num_rows for one in held) >= TOGETHER:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(spans: list[_Span]) -> _Span:
    tables = [span.events for span in spans if span.events.num_rows] or [spans[0].events]
    events = pa.concat_tables(tables, promote_options="permissive")
    return _Span(events, sum(span.read for span in spans), spans[0].after, spans[-1].through)

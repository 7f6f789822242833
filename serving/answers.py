"""From events to answers: read, decided in threads, and given in the order of the accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from relimit.data.event_tables import conform_events
from relimit.data.overlap import Workers, in_order_of, worker_pool
from relimit.data.stream import BLOCK_ROWS, EventPlan
from relimit.data.wanted import Tally
from relimit.serving.blocks import Answers, decide_events, no_answers, with_quarantined
from relimit.serving.clock import Clock
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer

Progress = Callable[[int, int], None]
"""Told how many events have been worked through, and of how many."""


TOGETHER: Final = BLOCK_ROWS // 2
"""Events of a night's accounts that are decided together: few cost as much as some hundreds."""


class Engine(Protocol):
    """Answers what is asked about the events, in the order of the accounts."""

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""

    def iterate(self, after: Any, clock: Clock, tally: Tally) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all.

        What is read, and who is due, is noted in `tally` before anything is decided.
        """


@dataclass(frozen=True, slots=True)
class _Span:
    """The events of those wanted, and maybe others, in `(after, through]`; None is an open end."""

    events: pa.Table
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

    def iterate(self, after: Any, clock: Clock, tally: Tally) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all."""
        rest = self.plan if after is None else self.plan.following(after)

        def answer(span: _Span) -> Answers:
            with clock.stage("deciding"):
                return self._answer(span)

        with worker_pool(self.workers) as pool:
            spans = clock.timed("waiting for what is read", self._spans(rest, tally, pool))
            yield from in_order_of(answer, spans, pool, most=2 * self.workers)

    def _spans(self, plan: EventPlan, tally: Tally, pool: Workers) -> Iterator[_Span]:
        """Yield the events, and at the end a span without any for the accounts after the last."""
        after = plan.after
        rows = BLOCK_ROWS if self.request.accounts is not None else TOGETHER
        for events in plan.wanted(self.request.wanted, tally, rows, pool):
            through = events["account_id"][-1].as_py()
            yield _Span(events, after, through)
            after = through
        yield _Span(plan.schema.empty_table(), after, None)

    def _answer(self, span: _Span) -> Answers:
        events = conform_events(span.events, where="events", lenient=True)
        mine = self.request.wanted.of(events)
        answers, seen = decide_events(self.scorer, self.request, mine)
        missing = self.request.without_events(seen, span.after, span.through)
        return with_quarantined(answers, missing)

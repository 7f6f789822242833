"""From events to answers: read, decided in threads, and given in the order of the accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from relimit.data.events import blocks_from_table
from relimit.data.overlap import in_order
from relimit.data.stream import EventPlan
from relimit.policy import decisions_schema
from relimit.serving.blocks import Answers, decide_block
from relimit.serving.clock import Clock
from relimit.serving.quarantine import quarantine_schema
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer

Progress = Callable[[int, int], None]
"""Told how many events have been worked through, and of how many."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The events of all accounts in `(after, through]`; None is an open end."""

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
        Threads that decide while this one reads.
    """

    scorer: Scorer
    request: Request
    plan: EventPlan
    workers: int

    def empty(self) -> Answers:
        """Return no answers, with ids as the events have them."""
        ids = self.plan.schema.field("account_id").type
        return Answers(decisions_schema(ids).empty_table(), quarantine_schema(ids).empty_table())

    def iterate(self, after: Any, clock: Clock, progress: Progress | None) -> Iterator[Answers]:
        """Yield the answers about the accounts after one, which is None for all."""
        rest = self.plan if after is None else self.plan.following(after)
        done, total = self.plan.rows - rest.rows, self.plan.rows

        def work(span: _Span) -> tuple[int, Answers]:
            with clock.stage("deciding"):
                return span.events.num_rows, self._answer(span)

        spans = clock.timed("reading", _spans(rest))
        for events, answers in in_order(work, spans, workers=self.workers):
            done += events
            if progress is not None:
                progress(done, total)
            yield answers
        if progress is not None:
            progress(total, total)

    def _answer(self, span: _Span) -> Answers:
        chosen = self.request.chosen(span.events)
        block = blocks_from_table(chosen)
        answers = (
            decide_block(self.scorer, self.request, block) if chosen.num_rows else self.empty()
        )
        missing = self.request.without_events(block.account_ids, span.after, span.through)
        if not missing.num_rows:
            return answers
        quarantined = pa.concat_tables([answers.quarantined, missing])
        order = np.argsort(quarantined["account_id"].to_numpy(), kind="stable")
        return Answers(answers.decided, quarantined.take(pa.array(order)))


def _spans(plan: EventPlan) -> Iterator[_Span]:
    """Yield the events, and at the end a span without any for the accounts after the last."""
    after = plan.after
    for events in plan.tables():
        through = events["account_id"][-1].as_py()
        yield _Span(events, after, through)
        after = through
    yield _Span(plan.schema.empty_table(), after, None)

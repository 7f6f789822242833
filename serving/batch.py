"""A night's prepayments, Parquet to Parquet: every one is decided or quarantined."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from relimit.data.accounts import Ids
from relimit.data.errors import DataError
from relimit.data.stream import EventPlan
from relimit.data.vocabulary import STATUSES
from relimit.data.wanted import Tally, within
from relimit.serving.answers import Answering, Engine, Progress
from relimit.serving.clock import Clock
from relimit.serving.fingerprint import state_of
from relimit.serving.left_open import left_open
from relimit.serving.limits import MOST_QUARANTINED
from relimit.serving.lock import locked
from relimit.serving.lots import LOT_ROWS, MONEY, Lot, Lots, accounts_of
from relimit.serving.manifest import ANSWERS, OPEN, QUARANTINE, finished_run
from relimit.serving.quarantine import require_bearable
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer
from relimit.serving.sources import Sources
from relimit.serving.unfinished import AGAIN, Unfinished, has_leftovers
from relimit.serving.unusable import NO_ACCOUNT

MakeEngine = Callable[[Scorer, Request, EventPlan, int], Engine]


def score(
    scorer: Scorer,
    events: Path,
    request: Request,
    out: Path,
    *,
    workers: int = 1,
    max_quarantine: float = MOST_QUARANTINED,
    progress: Progress | None = None,
    engine: MakeEngine = Answering,
) -> dict[str, Any]:
    """Decide the requested prepayments into `out` and return the manifest.

    `decisions/*.parquet`, `quarantine/*.parquet`, `open/*.parquet` (what a later night takes up)
    and `manifest.json` appear there once all is done and not before: without a manifest there is
    no run. The files depend on the inputs alone, but for the manifest's timings. A finished run of
    the same inputs is returned as it is, if its quarantine is no larger than is allowed now. One
    that was killed or could not be put in its place is resumed, and one that fails leaves no
    result.

    Parameters
    ----------
    workers
        Threads that decide while another one reads.
    max_quarantine
        Share of the prepayments that may be quarantined, rounded up to a whole one.
    engine
        What answers, made from scorer, request, plan and workers: threads here, or a cluster. The
        files are the same.

    Raises
    ------
    DataError
        If the events break the contract or change meanwhile, too many prepayments can't be decided
        (a finished run is held to that again), `out` holds a run of other inputs, or another
        process is writing there.
    """
    clock = Clock()
    state = state_of(events)  # before the footers, which say where everything is
    plan = EventPlan.of(events, accounts=request.accounts, lenient=True)
    request.require_type(plan.schema.field("account_id").type)
    if request.total is not None:
        scorer.model.expect(request.total)
    answering = engine(scorer, request, plan, workers)
    with ThreadPoolExecutor(max_workers=1) as aside:
        sources = aside.submit(Sources.of, scorer, events, request, state)

        def inputs() -> dict[str, Any]:
            return sources.result().inputs

        finished = finished_run(out, inputs)
        if finished is not None and not has_leftovers(out):
            return _bearable(finished, max_quarantine, out)
        with locked(out):
            run = Unfinished(out, inputs)
            finished = finished_run(out, inputs)  # by one that was killed as it ended, or just now
            if finished is not None:
                run.clear()
                return _bearable(finished, max_quarantine, out)
            run.resume()
            with run.cleared_if_it_fails():
                _write(answering, request, run, clock, _tally(plan, run.through, progress))
                nothing = answering.empty()
                run.close(sources.result().nameless, nothing, left_open(nothing, None)[0])
                if progress is not None:
                    progress(plan.rows, plan.rows)
                _require_all(request, run)
                require_bearable(run.total("reasons"), run.found, max_quarantine, run.refuse)
                sources.result().require_unchanged(events)
                timings = clock.timings() | {"predictor": scorer.model.scored_by()}
                strange = {"unknown_kinds": sources.result().unknown_kinds}
                manifest = {"inputs": inputs(), **_summary(run), **strange, "timings": timings}
            run.commit(manifest)
            return manifest


def _bearable(finished: dict[str, Any], share: float, out: Path) -> dict[str, Any]:
    """Return the manifest of a finished run, which may have been allowed a larger quarantine."""
    asked = finished["counts"]["prepayments"]
    require_bearable(finished["quarantined"], asked, share, lambda: out / QUARANTINE)
    return finished


def _tally(plan: EventPlan, through: Any, progress: Progress | None) -> Tally:
    """Return a tally that tells the progress, of a run that is done up to an account."""
    if progress is None:
        return Tally()
    done = 0 if through is None else plan.rows - plan.following(through).rows
    return Tally(lambda rows: progress(done + rows, plan.rows))


def _write(
    answering: Engine, request: Request, run: Unfinished, clock: Clock, tally: Tally
) -> None:
    """Answer what the run has not answered yet, and write it lot by lot."""
    lots = Lots(LOT_ROWS)

    def write(lot: Lot) -> None:
        with clock.stage("writing"):
            _require_answered(run, request, tally, lot.through, accounts_of(lot.answers))
            run.write(lot, *left_open(lot.answers, request.earlier))

    for answers in answering.iterate(run.through, clock, tally):
        run.found += answers.rows
        for lot in lots.add(answers):
            write(lot)
    for lot in lots.rest():
        write(lot)
    _require_answered(run, request, tally, None, accounts_of(answering.empty()))


def _require_answered(
    run: Unfinished, request: Request, tally: Tally, through: Any, answered: Ids
) -> None:
    """Raise unless the next accounts answered, up to one, are those asked about by then."""
    asked = tally.between(run.through, through)
    named = request.wanted.named
    if named is not None:
        asked = np.union1d(asked, within(named, run.through, through))
    if not np.array_equal(asked, answered):
        lost = len(np.setdiff1d(asked, answered))
        what = f"{len(asked):,} accounts were asked about, {lost:,} of them have no answer"
        raise DataError(what, where=str(run.out), mend="Report this: it is a fault of relimit")


def _require_all(request: Request, run: Unfinished) -> None:
    """Raise unless every prepayment is in the files once, and every earlier decision."""
    nobodys = run.total("reasons")[NO_ACCOUNT]
    asked = run.found if request.total is None else request.total + nobodys
    written = run.rows_on_disk()
    open_before = 0 if request.earlier is None else len(request.earlier)
    again = run.total("rows")[AGAIN]
    if again != open_before:
        what = f"{open_before:,} earlier decisions were open, {again:,} were taken up"
        raise DataError(what, where=str(run.out), mend="Report this: it is a fault of relimit")
    if not asked == run.found == written == run.answered:
        what = f"{asked:,} prepayments were asked about, {run.found:,} found, {written:,} written"
        raise DataError(what, where=str(run.out), mend="Report this: it is a fault of relimit")


def _summary(run: Unfinished) -> dict[str, Any]:
    """Return what all lots add up to, of this run and of those that it resumed."""
    rows, statuses, money = run.total("rows"), run.total("statuses"), run.total("money")
    if money["freed"] != sum(money[name] for name in ("restore_now", "restore_later", "withheld")):
        raise DataError(f"money is not conserved: {dict(money)}", where=str(run.out))
    decided, quarantined = (rows[name] for name in ANSWERS)
    return {
        "counts": {
            "prepayments": decided + quarantined,
            "decided": decided,
            "quarantined": quarantined,
            "decided_again": rows[AGAIN],
            "left_open": rows[OPEN],
            **{status: statuses[status] for status in STATUSES},
        },
        "binding": dict(run.total("binding").most_common()),
        "quarantined": dict(sorted(run.total("reasons").items())),
        "money": {name: money[name] for name in MONEY},
        "files": run.files,
    }

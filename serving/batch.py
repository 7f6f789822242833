"""A night's prepayments, Parquet to Parquet: every one is decided or quarantined."""

from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data import write_json
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, Ids
from relimit.data.schema import TIME
from relimit.data.stream import iter_event_blocks
from relimit.data.vocabulary import STATUSES
from relimit.policy import decisions_schema
from relimit.serving.manifest import MANIFEST, begun_run, fingerprint, finished_run
from relimit.serving.parts import Parts
from relimit.serving.quarantine import quarantine_schema, undecidable
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer

MONEY: Final = ("prepaid", "freed", "restore_now", "withheld")


def score(
    scorer: Scorer,
    events: Path,
    request: Request,
    out: Path,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Decide the requested prepayments into `out` and return the manifest.

    Writes `decisions/*.parquet`, `quarantine/*.parquet` and, last, `manifest.json`: without it
    there is no run. The files depend on the inputs alone, not on `workers` or the time of day. A
    finished run of the same inputs is returned as it is.

    Parameters
    ----------
    progress
        Told how many accounts more have been read.

    Raises
    ------
    DataError
        If the events break the contract, or `out` holds a finished run of other inputs.
    """
    inputs = {
        "events": fingerprint(events),
        "model_version": scorer.model.version,
        "policy_version": scorer.policy.version,
        "relimit_version": version("relimit"),
        **request.inputs(),
    }
    finished = finished_run(out, inputs)
    if finished is not None:
        return finished
    with begun_run(out):
        blocks = _decided_blocks(scorer, events, request, workers, progress)
        manifest = {"inputs": inputs, **_write_parts(blocks, out)}
        write_json(manifest, out / MANIFEST)
    return manifest


def _decided_blocks(
    scorer: Scorer,
    events: Path,
    request: Request,
    workers: int,
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield the decisions and the quarantine of one block of accounts after another."""
    blocks = iter_event_blocks(events, accounts=request.accounts)
    run = joblib.Parallel(n_jobs=workers, backend="threading", return_as="generator")
    seen: list[Ids] = []
    for ids, decided, quarantined in run(
        joblib.delayed(_decide_block)(scorer, request, block) for block in blocks
    ):
        if progress is not None:
            progress(len(ids))
        seen.append(ids)
        yield decided, quarantined
    rest = request.without_events(np.concatenate(seen) if seen else np.empty(0, np.int64))
    if rest.num_rows:
        yield decisions_schema(rest.schema.field("account_id").type).empty_table(), rest


def _decide_block(
    scorer: Scorer, request: Request, block: EventBlock
) -> tuple[Ids, pa.Table, pa.Table]:
    found = request.prepayments(block)
    reasons = undecidable(block, found)
    refused = np.array([reason is not None for reason in reasons], bool)
    decided = scorer.decide_block(block, found.take(~refused)).to_table()
    refusals = found.take(refused)
    quarantined = pa.Table.from_arrays(
        [
            pa.array(refusals.decision_id, pa.string()),
            pa.array(block.account_ids[refusals.account]),
            pa.array(refusals.as_of, TIME),
            pa.array(refusals.prepaid),
            pa.array(reasons[refused], pa.string()),
        ],
        schema=quarantine_schema(decided.schema.field("account_id").type),
    )
    return block.account_ids, decided, quarantined


def _write_parts(blocks: Iterator[tuple[pa.Table, pa.Table]], out: Path) -> dict[str, Any]:
    """Write the parts and return what they add up to."""
    decisions = Parts(out / "decisions")
    quarantine = Parts(out / "quarantine")
    money, statuses = Counter[str](), Counter[str]()
    for decided, quarantined in blocks:
        money.update({name: _total(decided, name) for name in MONEY})
        money["restore_later"] += pc.sum(_promised(decided)).as_py() or 0
        statuses.update(decided["status"].to_pylist())
        decisions.add(decided)
        quarantine.add(quarantined)
    decisions.close(empty=decisions_schema())
    quarantine.close(empty=quarantine_schema())
    if money["freed"] != sum(money[name] for name in ("restore_now", "restore_later", "withheld")):
        raise DataError(f"money is not conserved: {dict(money)}", where=str(out))
    return {
        "counts": {
            "prepayments": decisions.rows + quarantine.rows,
            "decided": decisions.rows,
            "quarantined": quarantine.rows,
            **{status: statuses[status] for status in STATUSES},
        },
        "money": {name: money[name] for name in (*MONEY[:3], "restore_later", MONEY[3])},
        "files": {"decisions": decisions.files, "quarantine": quarantine.files},
    }


def _total(table: pa.Table, name: str) -> int:
    return int(pc.sum(table[name]).as_py() or 0)


def _promised(table: pa.Table) -> pa.Array:
    promises = pc.list_flatten(table["restore_later"]).combine_chunks()
    return pc.struct_field(promises, "amount")

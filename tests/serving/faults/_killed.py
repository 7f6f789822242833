"""Kills runs at random points and resumes them; run by a test, in a process of its own.

    python _killed.py EVENTS MODEL FOLDER POINTS

Nothing starts a thread before a fork. A point is a file or folder that the run opens, makes,
renames or removes in its output, or a block that it decides.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from relimit.data import choosing
from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving import answers, batch
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer

TOUCHES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


class Points:
    """Counts the points that a run passes, and kills it at one of them."""

    def __init__(self, out: Path, deadly: int | None) -> None:
        self.prefix = str(out)
        self.deadly = deadly
        self.passed = 0
        self.blocks = 0
        self.guard = threading.Lock()
        sys.addaudithook(self.audit)
        self.decide_events = answers.decide_events
        answers.decide_events = self.decide

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in TOUCHES and str(arguments[0]).startswith(self.prefix):
            self.step()

    def decide(self, *arguments: Any) -> Any:
        self.blocks += 1
        self.step()
        return self.decide_events(*arguments)

    def step(self) -> None:
        with self.guard:
            if self.passed == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            self.passed += 1


def in_a_fork(work: Callable[[], None]) -> int:
    """Run some work in a child and return its wait status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def run(events: Path, model: Path, out: Path, deadly: int | None, told: Path) -> None:
    """Score the night in small lots and small blocks, and tell what was passed."""
    batch.LOT_ROWS = 30
    answers.BLOCK_ROWS = 80
    answers.TOGETHER = 80
    choosing.LOT_ROWS = 80
    points = Points(out, deadly)
    scorer = Scorer(load_model(model), load_policy(None))
    since, as_of = (datetime.fromisoformat(os.environ[name]) for name in ("SINCE", "AS_OF"))
    batch.score(scorer, events, Night(since, as_of), out, workers=2, max_quarantine=0.05)
    told.write_text(json.dumps({"passed": points.passed, "blocks": points.blocks}))


def main() -> None:
    """Write what came of each point to stdout, as JSON."""
    events, model, folder = (Path(word) for word in sys.argv[1:4])
    told = folder / "told.json"
    assert in_a_fork(lambda: run(events, model, folder / "whole", None, told)) == 0
    whole = json.loads(told.read_text())
    chosen = np.sort(
        np.random.default_rng(11).permutation(whole["passed"])[: int(sys.argv[4])]
    ).tolist()
    outcomes = []
    for point in chosen:
        out = folder / f"killed-{point}"
        status = in_a_fork(lambda out=out, point=point: run(events, model, out, point, told))
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        told.unlink(missing_ok=True)
        resumed = in_a_fork(lambda out=out: run(events, model, out, None, told))
        passed = json.loads(told.read_text()) if told.exists() else {}
        outcomes.append({"out": str(out), "killed": killed, "resumed": resumed, **passed})
    json.dump({"whole": whole, "outcomes": outcomes}, sys.stdout)


if __name__ == "__main__":
    main()

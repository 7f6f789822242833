"""The manifest of a run: what an older version wrote is still read."""

import json
from pathlib import Path

from relimit.serving.manifest import MANIFEST, read_run

OLDER = ("inputs", "counts", "quarantined", "money", "files", "unknown_kinds", "timings")


def test_a_run_that_an_older_version_finished_tells_of_no_binding_rule(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({name: {} for name in OLDER}), "utf-8")
    assert read_run(tmp_path) == {name: {} for name in (*OLDER, "binding")}

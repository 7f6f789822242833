"""Texts for people and JSON for programs come out in every locale."""

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from relimit.serving.streams import json_text, speak_every_language

CODE = """
import sys
from relimit.serving.cli import main
main(sys.argv[1:])
"""
SENTENCE = "¥29,300.00将于2025年7月5日全部恢复 –"


def under_ascii(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command where Python takes nothing but ASCII for text and names."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    kept |= {"LC_ALL": "C", "PYTHONUTF8": "0"}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    words = (sys.executable, "-c", CODE, *words)
    return subprocess.run(words, env=kept, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", SENTENCE.encode()),
        ("utf-8", SENTENCE.encode()),
        ("gbk", SENTENCE.replace("¥", r"\xa5").encode("gbk")),
        ("latin-1", SENTENCE.encode("latin-1", "backslashreplace")),
    ],
)
def test_a_stream_takes_what_its_encoding_lacks(
    encoding: str, printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [TextIOWrapper(BytesIO(), encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    speak_every_language()
    for stream in streams:
        stream.write(SENTENCE)
        stream.flush()
        assert stream.buffer.getvalue() == printed  # type: ignore[attr-defined]
    stream = streams[0]
    stream.write(json_text({"text": SENTENCE}))
    stream.flush()
    told = stream.buffer.getvalue().removeprefix(printed)  # type: ignore[attr-defined]
    assert json.loads(told.decode(stream.encoding)) == {"text": SENTENCE}


def test_ascii_alone_is_no_reason_not_to_print() -> None:
    done = under_ascii("features", "--list")
    assert done.returncode == 0, done.stderr
    assert "…" in done.stdout.decode()


def test_a_name_that_is_not_ascii_is_refused_there_in_words(tmp_path: Path) -> None:
    out = tmp_path / "帳"
    done = under_ascii("simulate", str(out), "--accounts", "10", "--months", "16", "--seed", "1")
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert f"{out}" in told.replace("\n", "")
    assert "PYTHONUTF8=1" in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.rglob("*.parquet")] == []

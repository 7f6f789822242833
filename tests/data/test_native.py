"""Compiled loops: kept, loaded without numba, refused where they need a library."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from relimit.data import native
from relimit.data.errors import DataError
from relimit.data.native import UncompiledError, load

HEAD = """
import numba
import numpy as np
from numba import types
P = types.CPointer(types.int64)
"""
LOOPS = """
LOOPS = {"loop": numba.cfunc(types.void(P, types.int64, P), forceinline=True)(loop)}
"""
DOUBLED = """
def loop(given, size, out):
    for place in range(size):
        out[place] = 2 * given[place]
"""
ZEROED = """
def loop(given, size, out):
    for place in range(size):
        out[place] = 0
"""
ALLOCATED = """
def loop(given, size, out):
    room = np.zeros(size, np.int64)
    for place in range(size):
        room[given[place]] += 1
    for place in range(size):
        out[place] = room[place]
"""
READ = """
import sys
from relimit.data.native import load
import numpy as np
given, out = np.arange(5), np.empty(5, np.int64)
load("tiny")["loop"](given.ctypes.data, 5, out.ctypes.data)
print(out.tolist(), "numba" in sys.modules, "tiny" in sys.modules)
"""

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is absent"
)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where compiled code is kept; modules are found beside it."""
    folder = tmp_path / "kept"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tiny", raising=False)
    return folder


def write(kept: Path, body: str) -> None:
    kept.with_name("tiny.py").write_text(HEAD + body + LOOPS)
    importlib.invalidate_caches()


@needs_numba
def test_what_was_compiled_once_is_loaded_without_numba(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, DOUBLED)
    given, out = np.arange(5), np.empty(5, np.int64)
    load("tiny")["loop"](given.ctypes.data, 5, out.ctypes.data)
    assert out.tolist() == [0, 2, 4, 6, 8]
    monkeypatch.setenv("PYTHONPATH", f"{kept.parent}:{':'.join(filter(None, sys.path))}")
    told = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[0, 2, 4, 6, 8] False False"
    assert len(list(kept.iterdir())) == 1


@needs_numba
def test_another_source_or_processor_has_code_of_its_own(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llvm = pytest.importorskip("llvmlite.binding")
    write(kept, DOUBLED)
    source = kept.with_name("tiny.py")
    keys = [native._key(source, llvm)]
    source.write_text(source.read_text() + "\n")
    keys.append(native._key(source, llvm))
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: "another")
    keys.append(native._key(source, llvm))
    assert len(set(keys)) == 3


@needs_numba
@pytest.mark.parametrize(("body", "named"), [(ZEROED, "llvm.memset"), (ALLOCATED, "NRT_")])
def test_a_loop_that_calls_a_library_is_refused(body: str, named: str, kept: Path) -> None:
    write(kept, body)
    with pytest.raises(UncompiledError, match=named):
        load("tiny")
    assert not kept.exists()


@needs_numba
def test_code_that_is_damaged_is_compiled_again(kept: Path) -> None:
    write(kept, DOUBLED)
    load("tiny")
    (path,) = kept.iterdir()
    text = path.read_text()
    whole = json.loads(text)
    loop = whole["functions"]["loop"]
    loops = [loop | its for its in ({"symbol": "another"}, {"arguments": 2}, {"code": "bm9uZQ=="})]
    damages = [{"functions": its} for its in ({}, [], None, *({"loop": each} for each in loops))]
    shapes = ("", "{", "[]", "1", "null", '"functions"', "{}", '{"functions": {}}')
    for damaged in (*shapes, *(json.dumps(whole | its) for its in (*damages, {"digest": ""}))):
        path.write_text(damaged)
        assert load("tiny").keys() == {"loop"}
        assert path.read_text() == text


@needs_numba
def test_nothing_is_compiled_where_it_cannot_be_kept(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, DOUBLED)
    monkeypatch.setattr(native.os, "access", lambda *_: False)
    with pytest.raises(UncompiledError, match="no folder"):
        load("tiny")
    assert "tiny" not in sys.modules


@needs_numba
def test_what_is_kept_beside_the_package_is_found_by_who_can_write_nowhere(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, DOUBLED)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    load("tiny")
    monkeypatch.delitem(sys.modules, "tiny")
    monkeypatch.setattr(native.os, "access", lambda *_: False)
    for asked in ("", str(kept)):
        monkeypatch.setenv("NUMBA_CACHE_DIR", asked)
        assert load("tiny").keys() == {"loop"}
    assert "tiny" not in sys.modules


@needs_numba
def test_a_user_without_a_home_keeps_the_code_where_asked(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    write(kept, DOUBLED)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(native.Path, "home", nowhere)
    assert load("tiny").keys() == {"loop"}
    assert len(list(kept.iterdir())) == 1


@needs_numba
def test_what_was_compiled_is_used_though_the_disk_is_full(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DataError("can't be written: No space left on device")

    write(kept, DOUBLED)
    monkeypatch.setattr(native, "write_json", full)
    assert load("tiny").keys() == {"loop"}


def test_without_numba_there_is_nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    with pytest.raises(UncompiledError, match="numba is not installed"):
        load("tiny")

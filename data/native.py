"""Loops that numba compiled once, kept as machine code and loaded without importing numba.

To import numba and to make it ready takes a second of processor time, whatever it is to run; LLVM
alone, which loads what was kept, some hundredths. So it pays for work of a second, too.
"""

import base64
import ctypes
import hashlib
import inspect
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import pyarrow as pa

from relimit.data.atomic import write_json
from relimit.data.errors import DataError

Loops = Mapping[str, Callable[..., None]]
"""Compiled functions by name: they take addresses and whole numbers, and let go of the lock."""

LARGE: Final = 8_192
"""Rows from which loops are worth calling: a call costs some microseconds."""

WORTH_LOADING: Final = 1_000_000
"""Rows to come by until loops are loaded, which costs about what they save on as many."""

_log = logging.getLogger(__name__)

_DECLARED: Final = re.compile(r"^(?:declare [^@]*|@.*= external[^@]*)@?([\w.]*)", re.MULTILINE)
_BUILT_IN: Final = re.compile(r"llvm\.(?!mem)")
"""What LLVM makes instructions of. Anything else would be looked for in a library, and for want of
it the processor sent to nowhere; `llvm.memset` is such a call in disguise."""

_engines: Final[list[Any]] = []
"""What the functions lie in, which goes once nobody has it."""


class UncompiledError(RuntimeError):
    """Nothing compiled can be had here, and why."""


class Loader:
    """Loads the loops of a module once there are enough rows for them.

    Threads may share it: while one loads them, the others get none, and do without.

    Parameters
    ----------
    module
        See `load`.

    Attributes
    ----------
    loops
        Empty until they are loaded, and for good where they can't be.
    """

    def __init__(self, module: str) -> None:
        self.loops: Loops = {}
        self._module = module
        self._rows_to_come = WORTH_LOADING
        self._once = Lock()

    def loops_for(self, rows: int) -> Loops:
        """Return the loops for work on so many rows; none if they are not to be had, or too few."""
        if rows < LARGE:
            return {}
        self._rows_to_come -= rows
        if self._rows_to_come <= 0 and self._once.acquire(blocking=False):
            self.load()
        return self.loops

    def load(self) -> None:
        """Load the loops; say why if they can't be."""
        try:
            self.loops = load(self._module)
        except UncompiledError as error:
            _log.info("numpy goes without %s: %s", self._module, error)


def run(loop: Callable[..., None], *given: Any) -> None:
    """Run a loop on whole numbers and arrays, which must be contiguous."""
    # Arrow tells an address in a fifth of the time that numpy takes.
    loop(*(each if isinstance(each, int) else pa.py_buffer(each).address for each in given))


def load(module: str) -> Loops:
    """Return the compiled functions of a module; the first time on a machine, numba compiles them.

    Parameters
    ----------
    module
        Its `LOOPS` are functions made by `compiled`, by name. It is imported to be compiled alone,
        and imports nothing else but numba.

    Raises
    ------
    UncompiledError
        numba (the extra `fast`) is not installed, fails, or its work can't be kept anywhere.
    """
    if find_spec("numba") is None:
        raise UncompiledError("numba is not installed")
    try:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return _linked(_codes(module, llvm), llvm)
    except UncompiledError:
        raise
    except Exception as error:  # of numba, LLVM, or the disk: whoever asked has another way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UncompiledError(f"numba can't compile here ({reason})") from error


def compiled(function: Callable[..., None], *parameters: Any) -> Any:
    """Return what numba makes of a function of int64s and pointers, so that `load` can keep it."""
    import numba

    kind = numba.types.void(*parameters)
    return numba.cfunc(kind, error_model="numpy", forceinline=True)(function)


def _codes(module: str, llvm: Any) -> dict[str, Any]:
    """Return what was kept of the functions of a module; compile and keep it if nothing was."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise UncompiledError(f"{module} is in no file")
    source = Path(spec.origin)
    folders, name = _folders(source), f"{source.stem}.{_key(source, llvm)}.json"
    for folder in folders:
        if (found := _read(folder / name)) is not None:
            return found
    kept = _writable(folders) / name
    loops = import_module(module).LOOPS
    codes = {name: _code(function, llvm) for name, function in loops.items()}
    with suppress(DataError):  # the disk may be full, but what was compiled can be used
        write_json({"functions": codes, "digest": _digest(codes)}, kept)
    return codes


def _read(kept: Path) -> dict[str, Any] | None:
    """Return what was kept; None if nothing was, or it is damaged, on which LLVM would crash."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        codes: dict[str, Any] = found["functions"]
        return codes if found["digest"] == _digest(codes) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _code(function: Any, llvm: Any) -> dict[str, Any]:
    """Return what is kept of a function: its symbol, its number of arguments, its code."""
    count, text = len(inspect.signature(function).parameters), function.inspect_llvm()
    if foreign := [name for name in _DECLARED.findall(text) if not _BUILT_IN.match(name)]:
        raise UncompiledError(f"{function.native_name} needs {', '.join(foreign)}")
    code = base64.b64encode(_machine(llvm).emit_object(llvm.parse_assembly(text)))
    return {"symbol": function.native_name, "arguments": count, "code": code.decode()}


def _digest(codes: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(codes).encode()).hexdigest()


def _key(source: Path, llvm: Any) -> str:
    """Return what the code depends on, as a few digits."""
    features = llvm.get_host_cpu_features().flatten()
    told = (version("numba"), version("llvmlite"), llvm.get_host_cpu_name(), features)
    content = source.read_bytes() + Path(__file__).read_bytes() + "\n".join(told).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _folders(source: Path) -> list[Path]:
    """Return the folders where numba, too, keeps its work, those that it prefers first."""
    asked, caches = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    folders = [*([Path(asked)] if asked else []), source.parent / "__pycache__"]
    with suppress(RuntimeError):  # a user whom the system doesn't know has no home
        folders.append((Path(caches) if caches else Path.home() / ".cache") / "relimit")
    return folders


def _writable(folders: list[Path]) -> Path:
    """Return the first of some folders that can be written, or made."""
    for folder in folders:
        above = (path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
        if os.access(next(above, folder), os.W_OK | os.X_OK):
            return folder
    raise UncompiledError("there is no folder to keep compiled code in")


def _machine(llvm: Any) -> Any:
    """Return this processor, as LLVM compiles for it."""
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True
    )


def _linked(codes: dict[str, Any], llvm: Any) -> Loops:
    """Return functions that run what was kept."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm))
    for kept in codes.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(base64.b64decode(kept["code"])))
    engine.finalize_object()
    _engines.append(engine)
    return {name: _function(engine, kept) for name, kept in codes.items()}


def _function(engine: Any, kept: dict[str, Any]) -> Callable[..., None]:
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * kept["arguments"])
    return kind(engine.get_function_address(kept["symbol"]))

"""What runs inside a worker process: load a function, run jobs with it, answer each, until the pipe closes.

Imports the standard library only: the parent starts it with ``python -c``, and everything else arrives with the
function's own module, whose import is announced before the first job and so is not charged to any job.

Frames in both directions are a 4-byte big-endian length and that much JSON. JSON and not pickle: what comes back was
computed from text by strangers.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import resource
import select
import signal
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_MEMORY = 77  # not a status that Python or a shell uses; tells the parent that the memory limit was hit
HEADER = struct.Struct(">I")


def main() -> None:
    """Entry point; argv is the lifeline's file descriptor and the memory limit in MB."""
    _die_with_parent(int(sys.argv[1]))
    jobs, results = _private_pipes()
    _limit_memory(int(sys.argv[2]) << 20)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        serve(jobs, results)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except BrokenPipeError:
        os._exit(0)


def serve(jobs: int, results: int) -> None:
    """Answer until the end of ``jobs``: one frame to a function's name once it is loaded, one to each job of a list.

    Two messages, so that arguments too large for this process are the job's own death and not the function's.
    """
    function = load("builtins:print")
    while (message := _receive(jobs)) is not None:
        if "function" in message:
            try:
                function = load(message["function"])
            except Exception as error:  # noqa: BLE001 - the parent raises it
                _send(results, {"unusable": describe(error)})
            else:
                _send(results, {"ready": True})
            continue
        for args in message["jobs"]:
            _send(results, _answer(function, args))


def load(path: str) -> Callable[..., Any]:
    """Return the function that ``module:qualified.name`` names."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{path} is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def describe(error: BaseException) -> str:
    """Type and message; an exception whose text cannot be made (a huge number, say) still has its type."""
    try:
        return f"{type(error).__name__}: {str(error)[:500]}"
    except Exception:  # noqa: BLE001
        return type(error).__name__


def _answer(function: Callable[..., Any], args: list[Any]) -> bytes | dict[str, Any]:
    """The job's answer. MemoryError passes: after it nothing in this process can be trusted to have been let be."""
    try:
        return json.dumps({"value": function(*args)}).encode()
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - also SystemExit: no job may end the process in silence
        return {"raised": describe(error)}


def _die_with_parent(lifeline: int) -> None:
    """Has the kernel kill this process when the parent's end of the lifeline closes, however the parent ended.

    SIGIO's default action ends the process without any Python code having to run, which matters while a big-integer
    operation holds the interpreter lock. Not PR_SET_PDEATHSIG: that fires when the *thread* that started this process
    ends, and pools are used from the short-lived threads of a task runner.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; its end is ours
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it closed before the kernel was asked to tell
        os._exit(0)


def _limit_memory(n_bytes: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _private_pipes() -> tuple[int, int]:
    """Move the protocol off stdin and stdout, so that a stray print or input() of a library cannot touch it."""
    jobs, results = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return jobs, results


def _receive(jobs: int) -> dict[str, Any] | None:
    header = _read(jobs, HEADER.size)
    if header is None:
        return None
    body = _read(jobs, HEADER.unpack(header)[0])
    return None if body is None else json.loads(body)


def _read(source: int, n_bytes: int) -> bytes | None:
    """Return exactly ``n_bytes``, or None at the end of the pipe."""
    chunks = bytearray()
    while len(chunks) < n_bytes:
        chunk = os.read(source, min(n_bytes - len(chunks), 1 << 20))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)


def _send(results: int, frame: bytes | dict[str, Any]) -> None:
    body = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    view = memoryview(HEADER.pack(len(body)) + body)
    while view:
        view = view[os.write(results, view) :]

"""The process that programs are forked from: ``python -m tests.support.warm.parent [LIBRARY]… SOCKET``.

It has imported the libraries that programs of this project import, Prefect's server, and the modules that flows are
made of: that is nearly all that a program's start computes. A program is else like any other: with arguments, an
environment, a folder and descriptors of its own. What is the same in all is what those modules read from the
environment when they are imported; Prefect's settings are read anew.

A request is a JSON object with ``words`` (of the interpreter's command line), ``cwd``, ``environment``, ``cores``
(the processors that it may use) and ``forks`` (whether what it starts by ``sys.executable`` is forked here, too: then
that is no child of it), and comes with the descriptors of the program's input, output and errors. The answer
is a line with its process id when it is there, and one with its status when it has ended, negative for a signal. Where
a fourth descriptor comes, the program is the leader of a session, and all of its process group is killed at that one's
end. The process ends with its own standard input, and takes the socket's folder with it.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LIBRARIES = (
    "aiohttp",
    "datasketch",
    "docker",
    "fsspec",
    "jinja2",
    "markdown_it",
    "math_verify",
    "mpmath",
    "numba",
    "numpy",
    "orjson",
    "prefect.cli.deploy",
    "prefect.cli.server",
    "prefect.cli.worker",
    "prefect.main",
    "prefect.runner._workspace_supervisor",
    "prefect.server.api.server",
    "prefect.workers.process",
    "pyarrow.compute",
    "pyarrow.parquet",
    "rapidfuzz",
    "s3fs",
    "sympy",
    "uvicorn.main",
    "yaml",
    "zstandard",
)
OURS = ("flows.engine", "flows.phases", "tracemill.cli")  # packages that import nearly all others
_MOST_BYTES = 1 << 20


class Program(NamedTuple):
    """What a request asks for."""

    words: list[str]
    cwd: str
    environment: dict[str, str]
    cores: list[int]
    forks: bool
    descriptors: list[int]


def main() -> None:
    """Is that process."""
    _, *more, place = sys.argv

    def prepare(program: Program) -> None:
        read_settings()
        if program.forks:
            sys.executable = os.path.join(os.path.dirname(place), "python")  # noqa: PTH118, PTH120 - as below

    fork_programs(place, (*LIBRARIES, *more, *our_modules()), prepare)


def our_modules() -> Iterator[str]:
    """Of the packages that flows and commands are made of; no module that is a program itself."""
    for package in map(importlib.import_module, OURS):
        yield from (found.name for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."))


def fork_programs(place: str, libraries: Iterable[str], prepare: Callable[[Program], None]) -> None:
    """Serves until standard input is closed; in each forked process, becomes the program."""
    import_libraries(libraries)
    with socket.socket(socket.AF_UNIX) as listening, selectors.DefaultSelector() as selector:
        listening.bind(place)
        listening.listen(64)
        program = Parent(selector).serve(listening)
    if program is None:
        shutil.rmtree(os.path.dirname(place), ignore_errors=True)  # noqa: PTH120 - no Path for one folder
        return
    become(program)
    prepare(program)
    # As `python -m` does it, in a new module, by both names under which multiprocessing looks classes up.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = types.ModuleType("__main__")
    kind, what, *_ = program.words
    if kind == "-m":
        runpy._run_module_as_main(what, alter_argv=False)  # type: ignore[attr-defined]
    else:
        exec(compile(what, "<string>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102 - it is `python -c`


def import_libraries(names: Iterable[str]) -> None:
    """Imports what programs import; when it comes to forking no thread may be there."""
    for name in names:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()


class Parent:
    """What has been forked and goes on."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._running: dict[int, socket.socket] = {}  # by process id: who waits for the program's end
        self._groups: dict[int, int] = {}  # by descriptor: the process group that is killed at its end

    def serve(self, listening: socket.socket) -> Program | None:
        """Forks a process for each request. Returns a program in those, and None here, at the end."""
        signals, wake = socket.socketpair()
        for end in (signals, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for source in (sys.stdin, listening, signals):
            self._selector.register(source, selectors.EVENT_READ)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            self._kill(self._groups.keys() & ready)
            if signals in ready:
                signals.recv(4096)
                self._report()
            program = self._forked(listening.accept()[0]) if listening in ready else None
            if program is not None:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (*self._running.values(), signals, wake):
                    each.close()
                for descriptor in self._groups:
                    os.close(descriptor)
                return program
            if sys.stdin in ready and not os.read(0, 1):
                self._kill(set(self._groups))
                return None

    def _forked(self, caller: socket.socket) -> Program | None:
        """Reads a request and forks; returns the program in the process that is to be it, None here."""
        program = received(caller)
        pid = os.fork()
        if pid == 0:
            caller.close()
            return program
        for descriptor in program.descriptors[:3]:
            os.close(descriptor)
        for descriptor in program.descriptors[3:]:
            self._groups[descriptor] = pid
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._running[pid] = caller
        caller.sendall(f"{pid}\n".encode())
        return None

    def _report(self) -> None:
        """Tells callers of the programs that have ended."""
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._running.pop(pid) as caller, suppress(OSError):  # nobody may wait for it
                caller.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    def _kill(self, at_end: set[int]) -> None:
        """Kills what is left of programs whose descriptors are at their end."""
        for descriptor in at_end:
            pid = self._groups.pop(descriptor)
            self._selector.unregister(descriptor)
            os.close(descriptor)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            if pid in self._running:  # it may not have come to have a group
                os.kill(pid, signal.SIGKILL)


def received(caller: socket.socket) -> Program:
    """A whole request; the caller has shut down its side for writing."""
    descriptors = array.array("i")
    data = bytearray()
    while True:
        part, ancillary, _, _ = caller.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(4 * descriptors.itemsize))
        for _, _, sent in ancillary:
            descriptors.frombytes(sent)
        if not part:
            asked: dict[str, Any] = json.loads(data)
            return Program(**asked, descriptors=list(descriptors))
        data += part


def become(program: Program) -> None:
    """Takes over the program's arguments, environment, folder, processors and descriptors."""
    for number, descriptor in enumerate(program.descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in program.descriptors:
        os.close(descriptor)
    if program.descriptors[3:]:
        os.setsid()
    os.sched_setaffinity(0, program.cores)
    os.environ.clear()
    os.environ.update(program.environment)
    os.chdir(program.cwd)
    kind, what, *arguments = program.words
    sys.argv = [what if kind == "-m" else kind, *arguments]
    named = program.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [program.cwd, *filter(None, named)]  # where `python -m` looks first


def read_settings() -> None:
    """Prefect's settings, from the program's environment."""
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()
    setup_logging(incremental=False)


if __name__ == "__main__":
    main()

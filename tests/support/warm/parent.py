"""The process that programs are forked from: ``python -m tests.support.warm.parent SOCKET``.

With the first request it imports the libraries that programs of this project import, which is most of what a program's
start computes, and nothing of this project. A program is else like any other: with arguments, an environment, a folder
and descriptors of its own. What is the same in all is what those libraries read from the environment when they are
imported; Prefect's settings are read anew.

A request is a JSON object with ``argv`` (the module and its arguments), ``cwd`` and ``environment``, and comes with the
descriptors of the program's input, output and errors. The answer is a line with its process id when it is there, and
one with its status when it has ended, negative for a signal. The process ends with its own standard input.
"""

from __future__ import annotations

import array
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
from typing import Any, NamedTuple

LIBRARIES = (
    "aiohttp",
    "docker",
    "fsspec",
    "jinja2",
    "markdown_it",
    "math_verify",
    "mpmath",
    "numba",
    "numpy",
    "orjson",
    "prefect.main",
    "pyarrow.compute",
    "pyarrow.parquet",
    "rapidfuzz",
    "s3fs",
    "sympy",
    "yaml",
    "zstandard",
)
_MOST_BYTES = 1 << 20


class Program(NamedTuple):
    """What a request asks for."""

    argv: list[str]
    cwd: str
    environment: dict[str, str]
    descriptors: list[int]


def main() -> None:
    """Serves until standard input is closed; in each forked process, becomes the program."""
    program = serve(sys.argv[1])
    if program is not None:
        become(program)
        # As `python -m` does it, in a new module, by both names under which multiprocessing looks classes up.
        sys.modules["__main__"] = sys.modules["__mp_main__"] = types.ModuleType("__main__")
        runpy._run_module_as_main(program.argv[0], alter_argv=False)  # type: ignore[attr-defined]


@functools.cache
def import_libraries() -> None:
    """Imports what programs import, once; when it comes to forking no thread may be there."""
    for name in LIBRARIES:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()


def serve(place: str) -> Program | None:
    """Forks a process for each request. Returns a program in those, and None here, at the end."""
    signals, wake = socket.socketpair()
    for end in (signals, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as listening, selectors.DefaultSelector() as selector:
        listening.bind(place)
        listening.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for source in (sys.stdin, listening, signals):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if signals in ready:
                signals.recv(4096)
                report(running)
            if listening in ready:
                import_libraries()
                caller, _ = listening.accept()
                program = forked(caller, running)
                if program is not None:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for each in (*running.values(), signals, wake):
                        each.close()
                    return program
            if sys.stdin in ready and not os.read(0, 1):
                return None


def forked(caller: socket.socket, running: dict[int, socket.socket]) -> Program | None:
    """Reads a request and forks; returns the program in the process that is to be it, None here."""
    program = received(caller)
    pid = os.fork()
    if pid == 0:
        caller.close()
        return program
    for descriptor in program.descriptors:
        os.close(descriptor)
    running[pid] = caller
    caller.sendall(f"{pid}\n".encode())
    return None


def received(caller: socket.socket) -> Program:
    """A whole request; the caller has shut down its side for writing."""
    descriptors = array.array("i")
    data = bytearray()
    while True:
        part, ancillary, _, _ = caller.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(3 * descriptors.itemsize))
        for _, _, sent in ancillary:
            descriptors.frombytes(sent)
        if not part:
            asked: dict[str, Any] = json.loads(data)
            return Program(asked["argv"], asked["cwd"], asked["environment"], list(descriptors))
        data += part


def report(running: dict[int, socket.socket]) -> None:
    """Tells callers of the programs that have ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as caller:
            try:
                caller.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            except OSError:
                continue  # nobody waits for it


def become(program: Program) -> None:
    """Takes over the program's arguments, environment, folder and descriptors, and Prefect's settings from them."""
    for number, descriptor in enumerate(program.descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(program.environment)
    os.chdir(program.cwd)
    sys.argv = list(program.argv)
    named = program.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [program.cwd, *filter(None, named)]  # where `python -m` looks first
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()
    setup_logging(incremental=False)


if __name__ == "__main__":
    main()

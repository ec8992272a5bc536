"""The warm parent: an interpreter that has everything common loaded, and forks a child for each test.

A fork takes under a millisecond where a new interpreter takes five or more. It never sees inputs, outputs or programs
(they go straight from the supervisor's descriptors to the child's), so that there is nothing to leak, and it reads
nothing that a child writes.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys

from verifiers.sandbox.inside import child

CONTROL = 3
_MAX_ORDER = 1 << 16
_PR_SET_CHILD_SUBREAPER = 36
# What programs of the kind we judge import most; each is one import less per test.
_COMMON = (
    "array", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools",
    "heapq", "io", "itertools", "json", "math", "operator", "queue", "random", "re", "statistics", "string", "struct",
    "textwrap", "time", "traceback", "typing",
)  # fmt: skip


def main() -> None:
    """Forks until the supervisor hangs up. In a child it never returns."""
    child._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # noqa: SLF001 - orphans of a test are ours to reap
    for name in _COMMON:
        importlib.import_module(name)
    control = socket.socket(fileno=CONTROL)
    gc.collect()
    gc.freeze()  # or the collector of each child would copy every page that it counts on
    control.send(b"{}")
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MAX_ORDER, 8)
        if not message:
            os._exit(0)
        order = json.loads(message)
        try:
            pid = os.fork()
        except OSError as error:
            control.send(child.explain(error))
            _close(fds)
            continue
        if pid == 0:
            _child(control, order, fds)
        _close(fds)
        _, status, usage = os.wait4(pid, 0)
        _reap()
        control.send(
            json.dumps({"status": status, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_kb": usage.ru_maxrss}).encode()
        )


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _reap() -> None:
    """Children of the test's process that have ended; those that have not are found by the supervisor."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _child(control: socket.socket, order: dict[str, object], fds: list[int]) -> None:
    status = 1
    try:
        try:
            code, plan = child.become(order, fds)
        except BaseException as error:  # noqa: BLE001 - told to the supervisor, who must not take it for the program's
            control.send(child.explain(error))
            return
        control.detach()
        del control
        status = child.live(order, code, plan)
    except BaseException as error:  # noqa: BLE001 - the child must never get back into the parent's loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n"[:500])
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(status)

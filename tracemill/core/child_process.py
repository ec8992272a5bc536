"""Processes that we start and that must not outlive us: trainers, servers of models."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG: Final = 1
_RUNNING: Final[set[subprocess.Popen[str]]] = set()


def run_child(command: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this thread; :func:`end_children`, or the death of this process, ends it before.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took more than ``limit_s``, and was killed.
    """
    with subprocess.Popen(  # noqa: S603 - what it is, is for the caller to answer
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - the child calls prctl and getppid, nothing that locks
    ) as child:
        _RUNNING.add(child)
        try:
            out, told = child.communicate(timeout=limit_s)
        except BaseException:
            child.kill()
            raise
        finally:
            _RUNNING.discard(child)
    return subprocess.CompletedProcess(list(command), child.returncode, out, told)


def end_children() -> None:
    """Send SIGTERM to every child of :func:`run_child`: their work is no longer wanted, and would be waited for."""
    for child in list(_RUNNING):
        child.terminate()


def die_with_parent() -> Callable[[], None] | None:
    """Return what makes the kernel end the child when this process dies, even by SIGKILL; Linux only, best effort.

    For ``preexec_fn`` of a process that is to end with us. The kernel takes the thread that starts it for the parent:
    that thread has to live as long as the child. The library is loaded here, before the fork: a forked child should do
    as little as it can.
    """
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died between the fork and the call
            os.kill(os.getpid(), signal.SIGTERM)

    return in_child

"""Processes that we start and that must not outlive us: trainers, servers of models."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG: Final = 1


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

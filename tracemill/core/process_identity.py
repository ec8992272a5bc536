"""Which process this is, in one line that stays true when process ids are used again; and whether another is gone.

A name is ``host/pid/start``, where start is in clock ticks since boot (empty where there is no ``/proc``): the clock
that people set plays no part.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def process_name(pid: int | None = None) -> str:
    """Return the name of a process on this host; of this one, unless another is asked for."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}/{pid}/{_started(pid)}"


def is_gone(name: str) -> bool:
    """Whether a process was on this host and has ended. Of other hosts, and of what is no name, nothing is known."""
    host, _, rest = name.partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    return not _is_there(int(pid)) or _started(int(pid)) != started


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    """Empty also for a zombie, which has ended and only waits for its parent to notice."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]

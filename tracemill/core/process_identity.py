"""Which process this is, in one line that stays true when process ids are used again; and whether another is gone.

A name is ``host/pid/start``, where start is in clock ticks since boot (empty where there is no ``/proc``): the clock
that people set plays no part. In a container ``/namespace`` follows: containers that share their host's network have
its name too, and see none of its processes, nor of each other's.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_OF_THE_MACHINE: Final = "pid:[4026531836]"  # the kernel's first namespace of processes (PROC_PID_INIT_INO)


def process_name(pid: int | None = None) -> str:
    """Return the name of a process on this host; of this one, unless another is asked for."""
    pid = os.getpid() if pid is None else pid
    namespace = _namespace()
    return f"{socket.gethostname()}/{pid}/{_started(pid)}{namespace and '/'}{namespace}"


def is_gone(name: str) -> bool:
    """Whether a process was on this host and has ended.

    Of other hosts, of other containers, and of what is no name, nothing is known.
    """
    host, _, rest = name.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, namespace = rest.partition("/")
    if (host, namespace) != (socket.gethostname(), _namespace()) or not pid.isdigit():
        return False
    return not _is_there(int(pid)) or _started(int(pid)) != started


def _namespace() -> str:
    """Return within what process ids mean something; empty for the machine's own, and where there is no ``/proc``."""
    try:
        found = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return "" if found == _OF_THE_MACHINE else found.removeprefix("pid:[").removesuffix("]")


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

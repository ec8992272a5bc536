"""The container's own cgroup, version 1 or 2: CPU time used, and processes killed for memory.

One run at a time per container makes these the figures of the run, whatever processes it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_ROOT = "/sys/fs/cgroup"
_CPU = (
    ("cpuacct/cpuacct.usage", None, 1e-9),
    ("cpu,cpuacct/cpuacct.usage", None, 1e-9),
    ("cpu.stat", "usage_usec", 1e-6),
)
_OOM = (("memory/memory.oom_control", "oom_kill", 1), ("memory.events", "oom_kill", 1))

Reader = Callable[[], float]


def cpu_seconds() -> Reader | None:
    """Read the CPU seconds used so far by everything in the container; None where the kernel does not tell."""
    return _reader(_CPU)


def oom_kills() -> Reader | None:
    """Read how many processes were killed for memory so far; None where the kernel does not tell (gVisor)."""
    return _reader(_OOM)


def _reader(places: tuple[tuple[str, str | None, float], ...]) -> Reader | None:
    for name, key, unit in places:
        try:
            fd = os.open(os.path.join(_ROOT, name), os.O_RDONLY)
        except OSError:
            continue
        if _value(fd, key) is not None:
            return lambda fd=fd, key=key, unit=unit: (_value(fd, key) or 0) * unit  # type: ignore[misc]
        os.close(fd)
    return None


def _value(fd: int, key: str | None) -> int | None:
    text = os.pread(fd, 4096, 0).decode()
    if key is None:
        return int(text)
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return None

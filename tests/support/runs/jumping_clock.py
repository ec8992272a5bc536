"""A wall clock that jumps: a shim that is loaded into a process adds the seconds in a file to what the kernel says.

Only the clock that people set is moved; those that never go back (``CLOCK_MONOTONIC``), and sleeping, are the kernel's.
libfaketime was tried: under it CPython's ``time.sleep`` fails with EINVAL.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = {0};
    int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY);
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *seconds) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (seconds) *seconds = exact.tv_sec;
    return exact.tv_sec;
}
"""


@dataclass(frozen=True)
class JumpingClock:
    """The clock of processes that are started with :attr:`settings` in their environment."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> JumpingClock:
        """Compiles the shim below ``folder``; the clock is right so far."""
        clock = cls(folder)
        source = folder / "clock.c"
        source.write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(folder / "clock.so"), str(source)], check=True)
        clock.set(0)
        return clock

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables."""
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "CLOCK_OFFSET_FILE": str(self.folder / "offset")}

    def set(self, seconds: int) -> None:
        """From now on it is so many seconds fast."""
        fresh = self.folder / "offset.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.folder / "offset")

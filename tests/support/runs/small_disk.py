"""A small disk that may fill up or go read-only: a tmpfs in a mount namespace of its own, which ends with the test."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.needs import OWN_MOUNTS, ROOT


@dataclass(frozen=True)
class SmallDisk:
    """The disk.

    Attributes:
        place: where processes started with :attr:`prefix` see it.
        seen: where this process sees it.
        prefix: of the command line of a process that is to see it.
    """

    place: Path
    seen: Path
    prefix: tuple[str, ...]

    def fill(self) -> None:
        """Leaves no byte."""
        with contextlib.suppress(OSError), (self.seen / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass

    def empty(self) -> None:
        """Gives the space back."""
        (self.seen / "filler").unlink()

    def remount(self, option: str) -> None:
        """Makes it ``ro`` or ``rw``."""
        subprocess.run([*self.prefix, "mount", "-o", f"remount,{option}", str(self.place)], check=True)


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of so many megabytes at ``place``."""
    place.mkdir()
    script = f"mount -t tmpfs -o size={megabytes}m tmpfs {place} && echo mounted && exec sleep infinity"
    with subprocess.Popen([*OWN_MOUNTS, "sh", "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "mounted\n"
            enter = ["nsenter", "--target", str(holder.pid), "--mount"]
            if os.geteuid() != 0:
                enter += ["--user", "--preserve-credentials"]
            enter += ["sh", "-c", f'cd {ROOT} && exec "$@"', "sh"]  # nsenter begins in the root
            yield SmallDisk(place, Path(f"/proc/{holder.pid}/root{place}"), tuple(enter))
        finally:
            holder.kill()

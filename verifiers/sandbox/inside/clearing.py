"""After a test: every process of its uid killed, everything that it wrote removed, or the container is dirty."""

from __future__ import annotations

import os
import signal
import socket
import time

from verifiers.sandbox.inside.trial import KILL_S

_SCRATCH = ("/tmp", "/dev/shm", "/dev/mqueue")
_IPC = ("/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg")
_MAX_LEFT = 200  # files; to remove more, or folders three deep, takes longer than a new container
_DEPTH = 3


class Killer:
    """Kills every process of a uid, through a process that was started before the first test.

    A fork bomb leaves no room for another process, and the supervisor itself must never bear a test's uid: for that
    moment the test could kill it. If it kills the killer, the container is dirty, and nothing else is lost.

    Args:
        ours: process ids that are not tests'; the killer adds its own.
    """

    def __init__(self, ours: set[str]) -> None:
        self._ours = ours
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self._socket.close()
            _kill_on_order(theirs)
        theirs.close()
        ours.add(str(pid))

    def strays(self) -> list[str]:
        """Process ids in this container that are not ours."""
        return [name for name in os.listdir("/proc") if name.isdigit() and name not in self._ours]

    def kill(self, uid: int) -> str:
        """Kill until nothing of the uid is left; why that cannot be, or ""."""
        deadline = time.monotonic() + KILL_S
        while time.monotonic() < deadline:
            try:
                self._socket.send(str(uid).encode())
                self._socket.recv(1)
            except OSError:
                return "the killer was killed"
            if not any(_is_alive(name) for name in self.strays()):
                return ""
            time.sleep(0.001)
        return "processes cannot be killed"


def _kill_on_order(orders: socket.socket) -> None:
    while True:
        message = orders.recv(64)
        if not message:
            os._exit(0)
        uid = int(message)
        os.setresuid(uid, uid, 0)
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.setresuid(0, 0, 0)
        orders.send(b".")


def _is_alive(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as text:
            return text.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def clear(home: str) -> str:
    """Remove what a test wrote, once all its processes are dead; why that cannot be done quickly, or ""."""
    left = [_MAX_LEFT]
    places = [home, *(place for place in _SCRATCH if os.path.isdir(place))]
    try:
        if not all(_emptied(place, left, _DEPTH) for place in places):
            return "files were left behind"
        os.rmdir(home)
    except OSError as error:  # a folder from which only its owner may remove, say
        return f"files cannot be removed: {error}"
    if any(_n_lines(place) > 1 for place in _IPC):
        return "shared memory was left behind"
    return ""


def is_full(folder: str) -> bool:
    """Tell whether nothing more can be written there."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False


def _emptied(folder: str, left: list[int], depth: int) -> bool:
    """Remove what is in a folder; False where there is more than ``left`` or it lies deeper than ``depth``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                return False
            if entry.is_dir(follow_symlinks=False):
                if depth == 0 or not _emptied(entry.path, left, depth - 1):
                    return False
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
    return True


def _n_lines(path: str) -> int:
    try:
        with open(path) as text:
            return len(text.readlines())
    except OSError:
        return 0

"""Locks on files: the kernel's (``flock``), so that a process that ends, however it does, has none any more.

Covered: threads and processes of one machine, and of several where their file system shares locks. A lock belongs to an
open file, not to a path: who removes a locked file must look whether the path still names the one that it has opened.
Not covered: file systems without locks (some network ones); that there are none is an answer here, and what follows
from it is the caller's to say.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHOWN_BYTES: Final = 200
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


class Lock(enum.Enum):
    """What came of asking for a lock."""

    TAKEN = "taken"
    HELD = "held by another"
    UNSUPPORTED = "the file system knows no locks"


def try_lock(file: int, *, shared: bool = False) -> Lock:
    """Ask for the lock of an open file, and does not wait.

    Args:
        file: its descriptor; the lock goes with the last copy of it.
        shared: with others who share it; else with nobody.

    Raises:
        OSError: something else is wrong, such as a descriptor that is none.
    """
    return _asked(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def open_lock(path: Path) -> int:
    """Return a descriptor of a lock file, which is made where it is missing; to be closed by the caller.

    Not through a link: what one leads to is no lock of ours, and whoever has the lock writes into the file. Whom the
    process's umask lets write may ask for the lock, also another user of a shared folder.

    Raises:
        OSError: the file cannot be made or opened, or is a link.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[str], None] | None = None) -> Iterator[Lock]:
    """Hold the lock of a file during the block, if it can be had; what the block raises comes through as it is.

    Args:
        path: of the lock file; it stays, and says who has the lock.
        waiting: is told once who has the lock; then this waits. None: never wait.

    Yields:
        ``TAKEN``; ``HELD`` only where this does not wait; ``UNSUPPORTED`` where nothing keeps others out.

    Raises:
        OSError: the lock file cannot be made.
    """
    file = open_lock(path)
    try:
        found = try_lock(file)
        if found is Lock.HELD and waiting is not None:
            waiting(holder(path))
            found = _asked(file, fcntl.LOCK_EX)
        if found is Lock.TAKEN:
            sign(file)
        yield found
    finally:
        os.close(file)


def sign(file: int) -> None:
    """Write into a lock file who has its lock; on a full disk it stays empty, and locks all the same."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)


def holder(path: Path) -> str:
    """Who has the lock of a file, as far as that process has said so."""
    try:
        with path.open("rb") as file:
            said = file.read(_SHOWN_BYTES).decode(errors="replace").strip()
    except OSError:
        return "another process"
    return said or "another process"


def no_locks(path: Path) -> OSError:
    """Return the error for work that needs a lock, on a file system without."""
    return OSError(errno.ENOLCK, f"the file system of {path.parent} knows no locks")


def _asked(file: int, how: int) -> Lock:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return Lock.HELD
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return Lock.UNSUPPORTED
        raise
    return Lock.TAKEN

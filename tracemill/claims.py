"""Claims: of several processes that want the same work at once, one does it and the others wait for it.

In a folder a claim is the kernel's lock on a file (``flock``): a holder that is killed, however it is, frees it at
once, and nothing can be stale. On an object store it is a lease (``claim_leases``).

Covered: processes on one machine, and on several where their file system shares locks. Not covered: a file system
without locks; there every process does the work, as one would have without claims. A claim that cannot be made never
stops the work: done twice it costs time and requests, and its result is the same. A process holds one claim a task and
asks for no other meanwhile, so nobody waits in a circle.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.claim_leases import Lease
from tracemill.errors import StoreError
from tracemill.process_identity import process_name
from tracemill.store_objects import ObjectFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracemill.store import Store

FOLDER: Final = "claims"
_POLL_S: Final = (0.02, 0.05, 0.1, 0.25, 0.5)
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


@contextlib.contextmanager
def claimed(store: Store, stage: str, key: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Waits until no other process does this work, and keeps others from it during the block.

    Args:
        store: that the work is for.
        stage: whose work it is.
        key: of its manifest.
        tell: is told, once, whom this waits for, or why there is no claim.
    """
    name = f"{FOLDER}/{stage}/{key}"
    with contextlib.ExitStack() as held:
        try:
            if isinstance(store.files, ObjectFiles):
                held.enter_context(Lease(store.files, name).held(tell))
            else:
                held.enter_context(_locked(Path(store.path(f"{name}.lock")), tell))
        except (OSError, StoreError) as error:
            tell(f"no claim could be made, so another process may do this work too: {error}")
        yield


@contextlib.contextmanager
def _locked(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock on a file that is there only as long as it is of use.

    Raises:
        OSError: the file cannot be made, or its file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file, n_tries = _try_lock(path), 0
    while file is None:
        if n_tries == len(_POLL_S):
            tell(f"{_holder(path)} does this work; waiting for it")
        time.sleep(_POLL_S[min(n_tries, len(_POLL_S) - 1)])
        file, n_tries = _try_lock(path), n_tries + 1
    try:
        os.write(file, process_name().encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before the lock goes: whoever has this file open finds that it is not the path's any more
        os.close(file)


def _try_lock(path: Path) -> int | None:
    """A descriptor of the file with its lock, or None if another holds it, or has just removed the file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            os.ftruncate(file, 0)
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(file)
        if error.errno in _NO_LOCKS:
            raise OSError(error.errno, f"the file system of {path.parent} knows no locks") from error
        raise
    os.close(file)
    return None


def _holder(path: Path) -> str:
    """The process that holds a claim, as far as it has said."""
    try:
        host, _, pid = path.read_text().partition("/")
    except OSError:
        return "another process"
    return f"process {pid.partition('/')[0]} on {host}" if host else "another process"


def sweep_claims(store: Store) -> int:
    """Removes the lock files of processes that were killed; returns how many."""
    n_removed = 0
    if not store.is_local:
        return n_removed
    for path in Path(store.path(FOLDER)).glob("*/*.lock"):
        with contextlib.suppress(OSError):
            file = _try_lock(path)
            if file is not None:
                path.unlink()
                os.close(file)
                n_removed += 1
    return n_removed

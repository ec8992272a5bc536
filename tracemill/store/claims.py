"""Leases: claims on an object store, which has no locks but can write an object only where there is none.

The lease of some work is the object with the highest number in its folder. Its holder writes it anew every ``BEAT_S``.
One that stays as it is for ``EXPIRY_S`` (by the clock of whoever looks), or whose holder is a process of this machine
that has ended, is over, and the one who creates the next number takes the work over. Numbers only rise and each is
created once, so of several that take over one does.

What can go wrong makes work be done twice, never wrongly: a holder that is held up for longer than ``EXPIRY_S``, or a
store without conditional writes (``If-None-Match``).

Claims: of several processes that want the same work at once, one does it and the others wait for it.

In a folder a claim is the kernel's lock on a file (``flock``): a holder that is killed, however it is, frees it at
once, and nothing can be stale. On an object store it is a lease (``claim_leases``).

Covered: processes on one machine, and on several where their file system shares locks. Not covered: a file system
without locks; there every process does the work, as one would have without claims. A claim that cannot be made never
stops the work: done twice it costs time and requests, and its result is the same. A process holds one claim a task and
asks for no other meanwhile, so nobody waits in a circle.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.core import StoreError
from tracemill.core.file_lock import Lock, holder, no_locks, open_lock, sign, try_lock
from tracemill.core.process_identity import is_gone, process_name
from tracemill.store.objects import ObjectFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracemill.store.store import Store

BEAT_S: Final = 10.0
EXPIRY_S: Final = 60.0  # six beats: a machine under load is late, a request may be tried again for half a minute
_LEASE_POLL_S: Final = (0.1, 0.2, 0.5, 1.0)


class Lease:
    """The lease of one piece of work.

    Args:
        files: where it is kept.
        folder: of this work.
        beat_s: time between two signs of life.
        expiry_s: time without one after which it is over.
    """

    def __init__(self, files: ObjectFiles, folder: str, beat_s: float = BEAT_S, expiry_s: float = EXPIRY_S) -> None:
        self._files, self._folder = files, folder
        self._beat_s, self._expiry_s = beat_s, expiry_s
        self._token = uuid.uuid4().hex
        self._seen: dict[str, tuple[bytes, float]] = {}

    @contextlib.contextmanager
    def held(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Hold the lease, once nobody else does.

        Raises:
            StoreError: the store cannot be read or written.
        """
        n_tries = 0
        while (name := self._taken()) is None:
            if n_tries == len(_LEASE_POLL_S):
                tell(f"{self._holder()} does this work; waiting for it")
            time.sleep(_LEASE_POLL_S[min(n_tries, len(_LEASE_POLL_S) - 1)])
            n_tries += 1
        over = threading.Event()
        beating = threading.Thread(target=self._beat, args=(name, over), name="tracemill-lease", daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()
            with contextlib.suppress(StoreError):  # it will be over by itself
                for found in self._files.listing(self._folder):
                    if found.name <= name:
                        self._files.remove(found.name)

    def _taken(self) -> str | None:
        """Try to take the lease; its name, or None where another holds it."""
        others = self._alive()
        if others:
            return None
        highest = max(self._seen, default="")
        name = f"{self._folder}/{int(highest.rpartition('/')[2] or 0) + 1:08d}"
        if not self._files.create(name, self._content(0)):
            return None
        # Whoever created another number since the look above sees this one, or is seen here.
        if self._alive(but=name):
            self._files.remove(name)
            return None
        return name

    def _alive(self, but: str = "") -> list[str]:
        """Leases that are not over, as far as this process can tell by now."""
        now = time.monotonic()
        before, self._seen = self._seen, {}
        for found in self._files.listing(self._folder):
            content = self._read(found.name) if found.name != but else None
            if content is not None:
                known, since = before.get(found.name, (b"", now))
                self._seen[found.name] = (content, since if known == content else now)
        return [
            name
            for name, (content, since) in self._seen.items()
            if now - since < self._expiry_s and not is_gone(_owner(content))
        ]

    def _read(self, name: str) -> bytes | None:
        """Return a lease's content, or None where it was released since."""
        try:
            return self._files.read(name)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _beat(self, name: str, over: threading.Event) -> None:
        n_beats = 0
        while not over.wait(self._beat_s):
            n_beats += 1
            with contextlib.suppress(StoreError):  # the next one may be heard
                self._files.write(name, self._content(n_beats))

    def _content(self, n_beats: int) -> bytes:
        told = {"owner": process_name(), "token": self._token, "beat": n_beats}
        return json.dumps(told).encode()

    def _holder(self) -> str:
        contents = [content for content, _ in self._seen.values()]
        host, _, pid = _owner(contents[-1]).partition("/") if contents else ("", "", "")
        return f"process {pid.partition('/')[0]} on {host}" if host else "another process"


def _owner(content: bytes) -> str:
    """Return the process that wrote a lease; empty where it is no such thing."""
    try:
        return str(json.loads(content)["owner"])
    except (ValueError, KeyError, TypeError):
        return ""


FOLDER: Final = "claims"
_POLL_S: Final = (0.02, 0.05, 0.1, 0.25, 0.5)


@contextlib.contextmanager
def claimed(store: Store, stage: str, key: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other process does this work, and keeps others from it during the block.

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
    """Hold the lock on a file that is there only as long as it is of use.

    Raises:
        OSError: the file cannot be made, or its file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file, n_tries = _try_lock(path), 0
    while file is None:
        if n_tries == len(_POLL_S):
            tell(f"{holder(path)} does this work; waiting for it")
        time.sleep(_POLL_S[min(n_tries, len(_POLL_S) - 1)])
        file, n_tries = _try_lock(path), n_tries + 1
    try:
        sign(file)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before the lock goes: whoever has this file open finds that it is not the path's any more
        os.close(file)


def _try_lock(path: Path) -> int | None:
    """Return a descriptor of the file with its lock, or None if another holds it, or has just removed the file.

    Raises:
        OSError: the file cannot be made, or its file system knows no locks.
    """
    file = open_lock(path)
    with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as in_vain:
        in_vain.callback(os.close, file)
        lock = try_lock(file)
        if lock is Lock.UNSUPPORTED:
            raise no_locks(path)
        if lock is Lock.TAKEN and os.path.samestat(os.fstat(file), path.stat()):
            in_vain.pop_all()
            return file
    return None


def sweep_claims(store: Store) -> int:
    """Remove the lock files of processes that were killed; returns how many."""
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

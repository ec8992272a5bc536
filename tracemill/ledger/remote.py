"""The ledger of a process when it is on an object store: a folder of this machine, whose new records are uploaded soon.

The promise: after a kill -9 at most the requests in flight are sent again, as with any ledger, since the machine's disk
has the rest. When the machine is lost, at most the answers of the last ``every_s`` seconds are. What :meth:`sync`
returned from is in the store; a shard's task ends with one.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Final

from tracemill.core import LedgerError
from tracemill.ledger.ledger import Ledger
from tracemill.ledger.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.ledger.place import Place
    from tracemill.ledger.record import Completion
    from tracemill.ledger.segment import SegmentWriter

_log: Final = logging.getLogger(__name__)


class ShippingLedger(Ledger):
    """The completions recorded at ``place``; use it as any :class:`Ledger`.

    Args:
        place: where its objects are, and where this machine keeps its copy.
        segment_bytes: as for a ledger.
        upload_every_n: at most so many records wait for their upload.

    Raises:
        LedgerError: the store or the folder cannot be read.
    """

    def __init__(self, place: Place, *, segment_bytes: int = 64 << 20, upload_every_n: int = 1000) -> None:
        self._mirror, self._every_s, self._every_n = Mirror(place), place.every_s, upload_every_n
        self._mirror.exchange()
        self._sending = threading.Lock()
        self._sent: dict[str, int] = {}  # bytes uploaded of the segment that this process writes
        self._has_sealed = False  # a segment of this process waits to be uploaded whole
        self._n_unsent = 0
        self._uploader: Uploader | None = None
        super().__init__(self._mirror.directory, segment_bytes=segment_bytes)

    def put(self, completion: Completion) -> bool:
        """Record ``completion`` unless its key is known; says if it did. It is uploaded within ``every_s``."""
        try:
            is_new = super().put(completion)
        except LedgerError:
            self._has_sealed = True
            raise
        if is_new:
            self._n_unsent += 1
            self._have_uploaded()
        return is_new

    def refresh(self) -> int:
        """Read what others added since, on this machine and on others; the number of keys that are new here."""
        self._mirror.exchange()
        return super().refresh()

    def sync(self) -> None:
        """Flushes this process's records to disk, and uploads what is not yet."""
        super().sync()
        self._send()

    def close(self) -> None:
        """Upload the last records, seals this process's segment and uploads it whole, if not now then next time."""
        if self._uploader is not None:
            self._uploader.stop()
            self._uploader = None
        super().close()
        try:
            self._send()
        except (LedgerError, RuntimeError) as error:  # at the interpreter's end no thread can be started any more
            _log.info("the ledger's last segment is left in pieces for the next process: %s", error)

    def _seal(self, writer: SegmentWriter) -> None:
        super()._seal(writer)
        self._has_sealed = True

    def _send(self) -> None:
        """Upload what this process has written since; waits for another thread that is at it.

        Raises:
            LedgerError: the store does not take it. It is on disk, and goes with the next upload.
        """
        with self._sending:
            self._send_sealed()
            self._send_new()
            while self._has_sealed:  # meanwhile
                self._send_sealed()
                self._send_new()

    def _send_sealed(self) -> None:
        if not self._has_sealed:
            return
        self._has_sealed = False  # first: another may be sealed meanwhile
        try:
            self._mirror.exchange()
        except BaseException:
            self._has_sealed = True
            raise

    def _send_new(self) -> None:
        with self._lock:
            self._n_unsent = 0
            writer = self._writer
            path, size = (None, 0) if writer is None or writer.pid != os.getpid() else (writer.path, writer.size)
        if path is not None and size > self._sent.get(path.name, 0):
            self._mirror.send(path, self._sent.get(path.name, 0), size)
            self._sent = {path.name: size}

    def _have_uploaded(self) -> None:
        """Has it done by a thread, soon, or at once if much is waiting."""
        if self._uploader is None or self._uploader.pid != os.getpid():
            self._uploader = Uploader(self._send, self._every_s)
        if self._n_unsent >= self._every_n:
            self._uploader.due.set()


class Uploader:
    """A thread that sends every ``every_s`` seconds, and when it is due before.

    Attributes:
        pid: of the process that it runs in; a forked child has none.
        due: set it to have it send at once.
    """

    def __init__(self, send: Callable[[], None], every_s: float) -> None:
        self.pid, self.due = os.getpid(), threading.Event()
        self._send, self._every_s, self._stopped = send, every_s, False
        self._is_away = False
        threading.Thread(target=self._run, name="tracemill-ledger-upload", daemon=True).start()

    def stop(self) -> None:
        """End it soon."""
        self._stopped = True
        self.due.set()

    def _run(self) -> None:
        while not self._stopped:
            self.due.wait(self._every_s)
            self.due.clear()
            try:
                self._send()
            except LedgerError as error:
                if not self._is_away:
                    _log.warning("answers wait for their upload: %s", error)
                self._is_away = True
            else:
                self._is_away = False

"""What has been paid for: every completed generation, under the content key of its request.

Covered: any number of threads and processes write at once; kill -9 loses nothing that :meth:`Ledger.put` returned
from; power loss loses at most the last seconds (``sync_every_s``); torn lines are stepped over and damaged ones
reported. Each writer process appends to segment files of its own, so no write ever waits for another process.

Not covered: two processes that ask for the same key at the same time both pay (``claims`` keep them from doing so for
one shard); every reader then takes the record in the first segment by name (that is, by time of creation), so they
agree on one from the next ``refresh`` on.

Segments may be merged meanwhile (``ledger_compaction``): a process that misses one reads the directory anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracemill.core import LedgerError
from tracemill.ledger.index import Place, View, read_anew
from tracemill.ledger.record import Completion, checked_key, encode, request_key
from tracemill.ledger.segment import (
    SegmentGoneError,
    SegmentWriter,
    halves,
    have_room,
    read_completions,
    unreadable,
    unwritable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Completion", "Ledger", "LedgerStats", "request_key"]

_log: Final = logging.getLogger(__name__)

_ROOM_BYTES = 1 << 20  # what must be free before more is asked: some tens of long responses


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """What a ledger holds, as far as this process has read it.

    Attributes:
        n_completions: distinct keys.
        n_segments: segment files.
        n_bytes: bytes of whole records.
    """

    n_completions: int
    n_segments: int
    n_bytes: int


class Ledger:
    """The completions recorded under ``directory``, which is made where it is missing.

    Args:
        directory: one per store; processes may share it.
        segment_bytes: a new segment is begun from this size on.
        sync_every_s: longest time in seconds between a ``put`` and the ``put`` that also flushes to disk.
        sync_every_n: largest number of records between such flushes.

    Raises:
        LedgerError: the directory cannot be made or read, or a segment is damaged.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        segment_bytes: int = 64 << 20,
        sync_every_s: float = 5.0,
        sync_every_n: int = 1000,
    ) -> None:
        self.directory = Path(directory)
        self._segment_bytes, self._sync_every_s, self._sync_every_n = segment_bytes, sync_every_s, sync_every_n
        self._lock = threading.RLock()
        self._writer: SegmentWriter | None = None
        self._n_unsynced, self._synced_at = 0, time.monotonic()
        self._flusher: threading.Thread | None = None
        self._n_unreadable = 0
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unreadable(self.directory, error) from error
        self._view = read_anew(self.directory)

    def __len__(self) -> int:
        """Return the number of completions known to this process."""
        with self._lock:
            return len(self._view.index)

    def __contains__(self, key: str) -> bool:
        """Tell whether ``key`` is recorded, as far as this process has read."""
        with self._lock:
            return bool(self._view.index.find([checked_key(key)]))

    def stats(self) -> LedgerStats:
        """Return what is known to this process."""
        with self._lock:
            segments = self._view.segments
            n_bytes = sum(segment.covered for segment in segments)
            return LedgerStats(len(self._view.index), len(segments), n_bytes)

    def get(self, key: str) -> Completion | None:
        """Return the completion under ``key``, or None.

        Raises:
            LedgerError: its record cannot be read or is damaged.
        """
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The completions of those keys that are recorded, as far as this process has read (see :meth:`refresh`).

        Raises:
            LedgerError: a record cannot be read or is damaged, or segments are gone with what they held.

        A record that is as it was written and yet no completion (see ``ledger_record.decode``) counts as not there.
        """
        wanted = [checked_key(key) for key in keys]
        while True:
            with self._lock:
                view = self._view
                places = view.index.find(wanted)
            try:
                read = _read(view, places)
                found = {key: completion for key, completion in read.items() if completion is not None}
                return found if len(found) == len(read) else found | self._settle_unreadable(read.keys() - found)
            except SegmentGoneError:
                self._read_anew(view)

    def _settle_unreadable(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Return what a later record says under keys whose winning record holds no completion any more.

        A key without one is forgotten, so that it is asked again and the answer recorded; every process that comes
        after finds that answer here, behind the record that cannot be read.
        """
        by_number = {halves(key): key for key in keys}
        found: dict[str, Completion] = {}
        with self._lock:
            view = self._view
            for number, places in view.records(by_number).items():
                key = by_number[number]
                readable = ((place, _read(view, {key: place}).get(key)) for place in places)
                place, completion = next(((place, one) for place, one in readable if one is not None), (None, None))
                if place is not None and completion is not None:
                    view.index.put(number, place)
                    found[key] = completion
            view.index.forget(number for number, key in by_number.items() if key not in found)
            self._tell_unreadable(len(by_number))
        return found

    def _tell_unreadable(self, n_records: int) -> None:
        """Warn at the first, and counts: an old ledger may be full of them."""
        if self._n_unreadable == 0:
            _log.warning(
                "the ledger in %s holds records that cannot be read as completions any more (%d so far; "
                "python -m tracemill ledger stats counts them): they are left where they are, and asked again",
                self.directory, n_records,
            )  # fmt: skip
        self._n_unreadable += n_records

    def put(self, completion: Completion) -> bool:
        """Record ``completion`` unless its key is known; says if it did. When it returns, a kill loses nothing.

        Raises:
            LedgerError: it could not be written (disk full, no permission). What was recorded before is untouched,
                and a later ``put`` tries again.
        """
        line = encode(completion)
        number = halves(completion.key)
        with self._lock:
            # Known is what can be read: an index that was read anew has records again that hold no completion.
            if completion.key in self and self.get(completion.key) is not None:
                return False
            writer = self._open_writer()
            try:
                offset = writer.append(line, number)
            except OSError as error:
                self._writer = None
                raise unwritable(self.directory, error) from error
            segment = self._view.number_of(writer.path.name)
            self._view.segments[segment].covered = offset + len(line)
            self._view.index.offer(number, Place(segment, offset, len(line)))
            self._n_unsynced += 1
            due = self._n_unsynced >= self._sync_every_n or time.monotonic() - self._synced_at >= self._sync_every_s
        if due:
            self._flush_soon()
        return True

    def require_room(self) -> None:
        """Fail where a record could not be written; whoever is about to pay asks first.

        Raises:
            LedgerError: the disk is full, or nothing may be written there.
        """
        try:
            have_room(self.directory, _ROOM_BYTES)
        except OSError as error:
            raise LedgerError(
                f"nothing more can be recorded in the ledger {self.directory}, so nothing more is asked",
                got=str(error),
                expected=f"a directory that this process may write to, with {_ROOM_BYTES >> 20} MiB of space at least",
                remedy="make room, fix permissions or choose another place with run.ledger, and run again",
            ) from error

    def refresh(self) -> int:
        """Read what other writers added since; the number of keys that are new to this process.

        Raises:
            LedgerError: a segment cannot be read or is damaged, or segments are gone with what they held.
        """
        with self._lock:
            known = len(self._view.index)
            try:
                self._view.catch_up()
            except SegmentGoneError:
                self._read_anew(self._view)
            return len(self._view.index) - known

    def sync(self) -> None:
        """Flushes this process's records to disk, against power loss.

        Raises:
            LedgerError: the disk does not take them.
        """
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            self._n_unsynced, self._synced_at = 0, time.monotonic()
            flushed = None if self._writer is None else self._writer.duplicate()
        if flushed is None:
            return
        try:
            os.fsync(flushed)  # outside the lock: it may take long, and readers need not wait for it
        except OSError as error:
            raise unwritable(self.directory, error) from error
        finally:
            os.close(flushed)

    def _flush_soon(self) -> None:
        """Flushes in a thread of its own: a teacher records on the event loop that keeps all its requests going.

        20 MB took 75 to 170 ms to flush, in every 5 s. Only if the disk is slower than the records come is it waited
        for. What it does not take, the next ``sync`` says.
        """
        with self._lock:
            flusher = self._flusher
            is_late = flusher is not None and flusher.is_alive()
            if not is_late:
                self._n_unsynced, self._synced_at = 0, time.monotonic()
                self._flusher = threading.Thread(target=self._flush_quietly, name="tracemill-ledger", daemon=True)
                self._flusher.start()
        if is_late:
            self._flush()

    def _flush_quietly(self) -> None:
        with contextlib.suppress(LedgerError):
            self._flush()

    def close(self) -> None:
        """Flushes, and seals this process's segment with its index; a later ``put`` begins another.

        Raises:
            LedgerError: the disk does not take the last records.
        """
        self.sync()
        with self._lock:
            if self._writer is not None:
                self._seal(self._writer)

    def _seal(self, writer: SegmentWriter) -> None:
        writer.seal()
        self._writer = None

    def _open_writer(self) -> SegmentWriter:
        """Return the segment of this process; a new one after a fork, and when the last one is full or broken."""
        writer = self._writer
        if writer is not None and writer.pid != os.getpid():
            writer = None  # a forked child: the segment stays the parent's
        if writer is not None and writer.size >= self._segment_bytes:
            self._flush()
            self._seal(writer)
            writer = None
        if writer is None:
            try:
                writer = SegmentWriter(self.directory)
            except OSError as error:
                raise unwritable(self.directory, error) from error
            self._view.number_of(writer.path.name)
            self._writer = writer
        return writer

    def _read_anew(self, outdated: View) -> None:
        """Replace a view some of whose segments have been merged into others, unless another thread has."""
        with self._lock:
            if self._view is outdated:
                self._view = read_anew(self.directory, outdated)


def _read(view: View, places: Mapping[str, Place]) -> dict[str, Completion | None]:
    by_segment: dict[int, list[tuple[str, int, int]]] = {}
    for key, place in places.items():
        by_segment.setdefault(place.segment, []).append((key, place.offset, place.length))
    found: dict[str, Completion | None] = {}
    for number, wanted in by_segment.items():
        found.update(read_completions(view.segments[number].path, wanted))
    return found

"""The one writer of one ledger segment: whole lines, each in one write, or none.

The file is locked (``flock``) from before it has its name until the writer is done with it or dead: a segment that can
be locked is sealed for good. The lock is the kernel's, so a kill -9 frees it. A file system without locks does as well,
only that its segments are never merged.

One segment file of the ledger: finding its records, and the index file beside it that saves finding them again.

``NAME.ledger`` holds lines (see ``ledger_record``) and has one writer in its life. ``NAME.idx`` says where the
records of its first N bytes are; it is written atomically, may lag behind or be missing, and is never trusted
without a look at the segment: it is a short cut, the lines are the truth.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from tracemill.core import LedgerError
from tracemill.core.file_lock import Lock, try_lock
from tracemill.ledger.record import decode, sound_key

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tracemill.ledger.record import Completion

SUFFIX: Final = ".ledger"
SEGMENT_NAME: Final = re.compile(r"\d{20}-\d+-[0-9a-f]{8}\.ledger")

# Where one record stands. 16 bytes of a SHA-256 key: with 10^7 keys, two share them with probability 10^-25.
ENTRY: Final = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("offset", "<u4"), ("length", "<u4")])
Entries: TypeAlias = "NDArray[np.void]"

_MAGIC = b"tracemill-ledger-index 1\n"
_HEADER_BYTES = len(_MAGIC) + 8 + 4
_LOOKS = 100  # at a directory that changes; more than two are rare


def new_name(latest: str = "0-") -> str:
    """Return the name of a new segment; names sort by creation time and are unique per process.

    Args:
        latest: name of a segment that is there; the new one comes after it also where the clock was set back.
    """
    stamp = max(time.time_ns(), int(latest.partition("-")[0]) + 1)
    return f"{stamp:020d}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"


def latest_name(directory: Path) -> str:
    """Return the name of the newest segment, or of none before all.

    Raises:
        OSError: the directory cannot be read.
    """
    return max((entry.name for entry in _segments_in(directory)), default="0-")


def listing(directory: Path) -> list[tuple[str, int]]:
    """Return name and size in bytes of every segment, in winning order; other files are none of the ledger's business.

    Compaction adds a segment and then removes others. One look may miss both the new file and an old one, so looks are
    repeated until two agree.

    Raises:
        LedgerError: the directory cannot be read.
    """
    names: set[str] | None = None
    for _ in range(_LOOKS):
        try:
            seen = {entry.name: entry.stat().st_size for entry in _segments_in(directory)}
        except FileNotFoundError:  # removed between name and size
            continue
        except OSError as error:
            raise unreadable(directory, error) from error
        if seen.keys() == names:
            return sorted(seen.items())
        names = set(seen)
    raise unreadable(directory, OSError("its segments come and go, or are links to nowhere"))


def _segments_in(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        return [entry for entry in found if SEGMENT_NAME.fullmatch(entry.name)]


def is_live(path: Path) -> bool:
    """Tell whether a process may still append to a segment: its writer holds the file's lock until it is done, or dead.

    On a file system without locks nobody can tell, so every segment counts as live.

    Raises:
        LedgerError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return try_lock(file.fileno(), shared=True) is not Lock.TAKEN
    except OSError as error:
        raise unreadable(path, error) from error


def sync_directory(directory: Path) -> None:
    """Make names that were added to ``directory`` survive power loss."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def halves(key: str) -> tuple[int, int]:
    """Return the first 16 bytes of a key, as two unsigned 64-bit numbers."""
    return int(key[:16], 16), int(key[16:32], 16)


def scan(path: Path, start: int) -> tuple[Entries, int]:
    """Return the records from byte ``start`` on, and where the last whole one ends.

    A bad line with nothing after it is a torn write (a writer that died, or is in the middle of it): it is left out,
    to be looked at again.

    Raises:
        LedgerError: the file cannot be read, or a bad line has something after it.
    """
    data = _tail(path, start)
    places: list[tuple[int, int, int, int]] = []
    at = 0
    while (end := data.find(b"\n", at) + 1) > 0:
        key = sound_key(data[at:end])
        if key is None:
            break
        places.append((*halves(key), start + at, end - at))
        at = end
    if 0 < end < len(data):
        raise corrupt(path, start + at)
    return np.array(places, dtype=ENTRY), start + at


def _tail(path: Path, start: int) -> bytes:
    # The size is fixed before reading: a line that grows meanwhile must not be seen in two pieces.
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(start)
            return file.read(max(0, size - start))
    except OSError as error:
        raise unreadable(path, error) from error


def corrupt(path: Path, offset: int) -> LedgerError:
    """Return the error for a record that was whole once and is not what was written."""
    return LedgerError(
        f"the ledger is damaged: {path} at byte {offset}",
        got="a line whose checksum is wrong",
        expected="the line as it was written",
        remedy="restore the file from a copy, or delete that line: what it held is then asked, and paid, again",
    )


class SegmentGoneError(LedgerError):
    """A segment was there and is not any more: as a rule because compaction has merged it into another."""


def unreadable(path: Path, error: OSError) -> LedgerError:
    """Return the error for a ledger file or directory that the system does not let us read."""
    kind = SegmentGoneError if isinstance(error, FileNotFoundError) else LedgerError
    return kind(
        f"the ledger cannot be read: {path}",
        got=str(error),
        expected="a directory that this process may read, with all its segments",
        remedy="fix permissions or the disk; if segments were merged just now, run again. Nothing was changed",
    )


def unwritable(directory: Path, error: OSError) -> LedgerError:
    """Return the error for a record that the system does not take."""
    return LedgerError(
        f"a completed generation cannot be recorded in {directory}",
        got=str(error),
        expected="a directory that this process may write to, with space left",
        remedy="make room or fix permissions, and run again: what was recorded before is kept and not asked again",
    )


def write_index(path: Path, entries: Entries, covered: int) -> None:
    """Write the index of the first ``covered`` bytes of ``path``; a failure only costs time at the next open."""
    payload = BytesIO()
    np.save(payload, entries, allow_pickle=False)
    body = covered.to_bytes(8, "little") + payload.getvalue()
    temporary = path.with_suffix(f".tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(_MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
        temporary.replace(path.with_suffix(".idx"))
    except OSError:
        temporary.unlink(missing_ok=True)


def read_index(path: Path) -> tuple[Entries, int]:
    """The indexed entries of segment ``path`` and how many bytes they cover; (none, 0) where the index does not fit."""
    nothing = np.empty(0, dtype=ENTRY), 0
    try:
        raw = path.with_suffix(".idx").read_bytes()
    except OSError:
        return nothing
    crc, body = raw[len(_MAGIC) : len(_MAGIC) + 4], raw[len(_MAGIC) + 4 :]
    if len(raw) < _HEADER_BYTES or not raw.startswith(_MAGIC) or crc != zlib.crc32(body).to_bytes(4, "little"):
        return nothing
    entries: Entries = np.load(BytesIO(body[8:]), allow_pickle=False)
    covered = int.from_bytes(body[:8], "little")
    return (entries, covered) if entries.dtype == ENTRY and _fits(path, entries, covered) else nothing


def _fits(path: Path, entries: Entries, covered: int) -> bool:
    """Tell whether the last entry's record is where the index says: an index of another file, or of more, is not."""
    if len(entries) == 0:
        return covered == 0
    last = entries[-1]
    offset, length = int(last["offset"]), int(last["length"])
    try:
        line = read_line(path, offset, length)
    except OSError:
        return False
    key = sound_key(line)
    return offset + length == covered and key is not None and halves(key) == (int(last["hi"]), int(last["lo"]))


def all_entries(path: Path) -> Entries:
    """Return every whole record of a segment: by its index as far as that reaches, and by scanning the rest.

    Raises:
        LedgerError: the file cannot be read, or a bad line has something after it.
    """
    entries, covered = read_index(path)
    return np.concatenate([entries, scan(path, covered)[0]])


def read_line(path: Path, offset: int, length: int) -> bytes:
    """``length`` bytes at ``offset``.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return os.pread(file.fileno(), length, offset)


def read_completions(path: Path, wanted: list[tuple[str, int, int]]) -> dict[str, Completion | None]:
    """What stands at (key, offset, length) of one segment: None where it cannot be read as a completion any more.

    Raises:
        LedgerError: a record cannot be read, or is damaged.
    """
    found: dict[str, Completion | None] = {}
    try:
        with path.open("rb", buffering=0) as file:
            for key, offset, length in sorted(wanted, key=lambda item: item[1]):
                line = os.pread(file.fileno(), length, offset)
                completion = decode(line)
                recorded = completion.key if completion else sound_key(line)
                if recorded is None:
                    raise corrupt(path, offset)
                if recorded == key:  # the index knows 16 bytes of it
                    found[key] = completion
    except OSError as error:
        raise unreadable(path, error) from error
    return found


_NO_NAMELESS_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})


class SegmentWriter:
    """Appends records to a new segment file in ``directory``.

    Attributes:
        path: the segment.
        pid: the process that may append to it.
        size: bytes of whole records in it.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / new_name(latest_name(directory))
        self.pid = os.getpid()
        self.size = 0
        self._entries: list[tuple[int, int, int, int]] = []
        self._file = _locked_file(self.path)
        sync_directory(directory)

    def append(self, line: bytes, number: tuple[int, int]) -> int:
        """Write ``line``, the record of the key whose halves are ``number``; the offset in bytes where it stands.

        Raises:
            OSError: the line was not written whole. The segment is cut back to whole records and closed.
        """
        offset = self.size
        try:
            _write_whole(self._file, line)
        except OSError:
            self._abandon()
            raise
        self.size += len(line)
        self._entries.append((*number, offset, len(line)))
        return offset

    def duplicate(self) -> int:
        """Return a second descriptor of the file, for the caller to flush and close."""
        return os.dup(self._file)

    def seal(self) -> None:
        """Close the segment and writes its index."""
        os.close(self._file)
        write_index(self.path, np.array(self._entries, dtype=ENTRY), self.size)

    def _abandon(self) -> None:
        """Cut a torn line off. If even that fails it stays, and readers step over it: nothing will follow it."""
        try:
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)
            if self.size == 0:
                self.path.unlink()
        except OSError:
            pass
        finally:
            os.close(self._file)


def _write_whole(file: int, line: bytes) -> None:
    n_written = os.write(file, line)
    if n_written < len(line):  # what a full disk does before it says so
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {n_written} of {len(line)} bytes written")


def have_room(directory: Path, n_bytes: int) -> None:
    """Make sure that so much can be written, by a file without a name that goes at once, whatever happens.

    Nothing is said where the file system has no such files.

    Raises:
        OSError: the disk is full, or nothing may be written there.
    """
    nameless = getattr(os, "O_TMPFILE", None)  # Linux has it
    if nameless is None:
        return
    try:
        file = os.open(directory, nameless | os.O_WRONLY)
    except OSError as error:
        if error.errno in _NO_NAMELESS_FILES:
            return
        raise
    try:
        os.posix_fallocate(file, 0, n_bytes)
    finally:
        os.close(file)


def _locked_file(path: Path) -> int:
    """Return a new file to append to, which has its lock before it has its name."""
    temporary = path.with_suffix(".tmp")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        try_lock(file)  # nobody else knows the file; without locks it counts as live for ever
        temporary.rename(path)
    except OSError:
        os.close(file)
        temporary.unlink(missing_ok=True)
        raise
    return file

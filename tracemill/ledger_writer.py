"""The one writer of one ledger segment: whole lines, each in one write, or none.

The file is locked (``flock``) from before it has its name until the writer is done with it or dead: a segment that can
be locked is sealed for good. The lock is the kernel's, so a kill -9 frees it. A file system without locks does as well,
only that its segments are never merged.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import numpy as np

from tracemill.ledger_segment import ENTRY, latest_name, locked, new_name, sync_directory, write_index

if TYPE_CHECKING:
    from pathlib import Path


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
        """Writes ``line``, the record of the key whose halves are ``number``; the offset in bytes where it stands.

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
        """A second descriptor of the file, for the caller to flush and close."""
        return os.dup(self._file)

    def seal(self) -> None:
        """Closes the segment and writes its index."""
        os.close(self._file)
        write_index(self.path, np.array(self._entries, dtype=ENTRY), self.size)

    def _abandon(self) -> None:
        """Cuts a torn line off. If even that fails it stays, and readers step over it: nothing will follow it."""
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
    """Makes sure that so much can be written, by a file without a name that goes at once, whatever happens.

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
    """A new file to append to, which has its lock before it has its name."""
    temporary = path.with_suffix(".tmp")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        locked(file, fcntl.LOCK_EX)
        temporary.rename(path)
    except OSError:
        os.close(file)
        temporary.unlink(missing_ok=True)
        raise
    return file

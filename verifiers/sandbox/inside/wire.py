"""Frames between host and supervisor: a JSON header and a blob of bytes, each with its length."""

from __future__ import annotations

import json
import os
import struct

SIZES = struct.Struct(">II")
MAX_HEADER = 1 << 16  # a header is a handful of numbers and short words
PIECE = 1 << 16  # what is read at once of a pipe or a channel; a frame that passes it on holds no more
ERRORS_KEPT = 2048  # the end of what a process wrote to its standard error


class Closed(Exception):  # noqa: N818 - an event
    """The other end is gone."""


def pack(header: dict[str, object], blob: bytes = b"") -> bytes:
    """Return one frame."""
    text = json.dumps(header).encode()
    return SIZES.pack(len(text), len(blob)) + text + blob


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_exactly(fd: int, n_bytes: int) -> bytes:
    """Read so many bytes from a blocking descriptor.

    Raises:
        Closed: the other end is gone first.
    """
    chunks = []
    while n_bytes:
        chunk = os.read(fd, min(n_bytes, 1 << 20))
        if not chunk:
            raise Closed
        chunks.append(chunk)
        n_bytes -= len(chunk)
    return b"".join(chunks)


def read_frame(fd: int) -> tuple[dict[str, object], bytes]:
    """Return the next frame of a blocking descriptor.

    Raises:
        Closed: the other end is gone.
    """
    n_text, n_blob = SIZES.unpack(read_exactly(fd, SIZES.size))
    header = json.loads(read_exactly(fd, n_text))
    return header, read_exactly(fd, n_blob)

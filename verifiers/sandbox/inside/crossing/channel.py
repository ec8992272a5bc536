"""Messages between a program and its tests: a length and JSON, over a stream socket."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

LENGTH = struct.Struct(">I")
MAX_MESSAGE = 32 << 20


class Gone(Exception):  # noqa: N818 - an event
    """The other end is gone."""


def send(fd: int, message: dict[str, Any]) -> None:
    """Send one message.

    Raises:
        Gone: nobody reads.
        ValueError: the message is too large.
    """
    text = json.dumps(message).encode()
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(text)} bytes; at most {MAX_MESSAGE}")
    view = memoryview(LENGTH.pack(len(text)) + text)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        raise Gone from None


def receive(fd: int) -> dict[str, Any]:
    """Return the next message.

    Raises:
        Gone: there is none.
        ValueError: it is none of ours.
    """
    size = LENGTH.unpack(_read(fd, LENGTH.size))[0]
    if size > MAX_MESSAGE:
        raise ValueError(f"a message of {size} bytes; at most {MAX_MESSAGE}")
    try:
        message = json.loads(_read(fd, size))
    except RecursionError:
        raise ValueError("a message nested too deep") from None
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")  # noqa: TRY004 - it is the text that is wrong
    return message


def _read(fd: int, n_bytes: int) -> bytes:
    chunks = []
    while n_bytes:
        try:
            chunk = os.read(fd, min(n_bytes, 1 << 20))
        except OSError:
            chunk = b""
        if not chunk:
            raise Gone
        chunks.append(chunk)
        n_bytes -= len(chunk)
    return b"".join(chunks)

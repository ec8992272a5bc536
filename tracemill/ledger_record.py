r"""One line of the ledger: a completed generation under the key of its request, guarded by a checksum.

::

    <key: 64 hex> <crc32 of key and JSON: 8 hex> <JSON of everything but the key>\n

JSON text holds no raw line feed, so a line that ends in one was written to its end.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tracemill.errors import LedgerError
from tracemill.schema import digest, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEY = re.compile(r"[0-9a-f]{64}")
_KEY_END, _CRC_END = 64, 73


@dataclass(frozen=True, slots=True)
class Completion:
    """What the teacher answered to one request.

    Attributes:
        key: see :func:`request_key`.
        content: the message's content, as the server sent it.
        reasoning: the reasoning where the server split it off, else None.
        finish_reason: as the server said ("stop", "length", …).
        prompt_tokens: as the server counted them, or None where it does not.
        completion_tokens: as the server counted them, or None where it does not.
        model: the name under which the server answered.
    """

    key: str
    content: str
    reasoning: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str


_FIELDS = tuple(field.name for field in fields(Completion) if field.name != "key")


def request_key(
    messages: Sequence[Mapping[str, str]],
    model: str,
    revision: str,
    template: str,
    sampling: Mapping[str, Any],
    sample_index: int,
) -> str:
    """Content key of one generation, 64 hex digits; how it is obtained (URLs, time-outs) is no part of it.

    Whole floats count as integers, so that ``temperature: 1`` and ``1.0`` in a recipe are one request.
    """
    turns = [dict(message) for message in messages]
    parameters = {name: _whole(value) for name, value in sampling.items()}
    return digest("request", turns, model, revision, template, parameters, sample_index)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def checked_key(key: str) -> str:
    """``key`` itself.

    Raises:
        LedgerError: it is not a request key.
    """
    if _KEY.fullmatch(key) is None:
        raise LedgerError("not a request key", got=repr(key), expected="64 hex digits", remedy="use request_key()")
    return key


def encode(completion: Completion) -> bytes:
    """The line of ``completion``, line feed included.

    Raises:
        LedgerError: its key is not a request key.
    """
    key = checked_key(completion.key).encode()
    body = json_text({name: getattr(completion, name) for name in _FIELDS}).encode()
    return guarded(key, body)


def guarded(key: bytes, body: bytes) -> bytes:
    """The line of a key, in hex digits, and a completion's other fields as JSON."""
    return b"%b %08x %b\n" % (key, zlib.crc32(body, zlib.crc32(key)), body)


def sound_key(line: bytes) -> str | None:
    """The key of ``line``, or None unless the line is whole and its checksum right."""
    if len(line) <= _CRC_END + 1 or not line.endswith(b"\n"):
        return None
    key = line[:_KEY_END]
    expected = b" %08x " % zlib.crc32(line[_CRC_END + 1 : -1], zlib.crc32(key))
    if line[_KEY_END : _CRC_END + 1] != expected:
        return None
    return key.decode("ascii", "replace")


def decode(line: bytes) -> Completion | None:
    """The completion on ``line``, or None unless the line is whole and its checksum right."""
    key = sound_key(line)
    return None if key is None else Completion(key=key, **json.loads(line[_CRC_END + 1 :]))

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
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import LedgerError, digest, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEY = re.compile(r"[0-9a-f]{64}")
_KEY_END, _CRC_END = 64, 73


@dataclass(frozen=True, slots=True)
class Completion:
    """What the teacher answered to one request.

    Attributes:
        key: see :func:`request_key`.
        content: the message's text, as the server sent it; "" where it sent none.
        reasoning: the reasoning where the server split it off, else None.
        finish_reason: as the server said ("stop", "length", …); None where it did not say that it was done.
        prompt_tokens: as the server counted them, or None where it does not.
        completion_tokens: as the server counted them, or None where it does not.
        model: the name under which the server answered.
        refusal: the words in which the model refused, where the server keeps them apart from the content.
        tool_calls: what the model called instead of answering, as JSON, or None.
        cached_tokens: of the prompt, those that the server had from its cache; None where it does not say.
        reasoning_tokens: of the completion, those of the reasoning; None where it does not say.
        system_fingerprint: of the server's software and weights, as it says.
        provider: who answered behind a gateway, as it says.
        cost: what the server says that the answer has cost, in its own currency.
    """

    key: str
    content: str
    reasoning: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str
    refusal: str | None = None
    tool_calls: str | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    system_fingerprint: str | None = None
    provider: str | None = None
    cost: float | None = None


_COUNTS: Final = ("prompt_tokens", "completion_tokens")
_RARE_COUNTS: Final = ("cached_tokens", "reasoning_tokens")
_TEXTS: Final = ("content", "model")
_RARE_TEXTS: Final = ("refusal", "tool_calls", "system_fingerprint", "provider")
_NULLABLE_TEXTS: Final = ("reasoning", "finish_reason", *_RARE_TEXTS)
# Written only where the server said it: lines of other answers are those that earlier versions wrote and read.
_RARE: Final = frozenset({*_RARE_TEXTS, *_RARE_COUNTS, "cost"})
_SERVED: Final = ("provider", "system_fingerprint", "cached_tokens", "reasoning_tokens", "cost")
_FIELDS: Final = frozenset(field.name for field in fields(Completion)) - {"key"}
_MOST_TOKENS: Final = 10**12  # a number beyond it counts nothing, and sums must fit 64 bits
_MOST_MONEY: Final = 1e12  # of one answer, in any currency


def request_key(
    messages: Sequence[Mapping[str, str]],
    model: str,
    revision: str,
    template: str,
    sampling: Mapping[str, Any],
    sample_index: int,
) -> str:
    """Return content key of one generation, 64 hex digits; how it is obtained (URLs, time-outs) is no part of it.

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


def count_of(value: object) -> int | None:
    """Return a number of tokens, where ``value`` can only mean one: 5, 5.0 or "5"; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_MOST_TOKENS)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None


def amount_of(value: object) -> float | None:
    """Return an amount of money, where ``value`` can only mean one: a number from 0 on; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_MONEY:
        return None
    return float(value)


def record_of(completion: Completion) -> dict[str, Any]:
    """Return the fields of a completion that are written down, but the key."""
    said = {name: getattr(completion, name) for name in _FIELDS}
    return {name: value for name, value in said.items() if value is not None or name not in _RARE}


def served_by(completion: Completion) -> dict[str, Any]:
    """Return what the server said of how it answered, by field; empty where it said nothing."""
    said = {name: getattr(completion, name) for name in _SERVED}
    return {name: value for name, value in said.items() if value is not None}


def encode(completion: Completion) -> bytes:
    """Return the line of ``completion``, line feed included.

    Raises:
        LedgerError: its key is not a request key, or it would not be read again as what it is.
    """
    key, record = checked_key(completion.key), record_of(completion)
    if _typed(key, record) != completion:
        raise LedgerError(
            "not a completion",
            got=", ".join(f"{name}: {type(value).__name__}" for name, value in sorted(record.items())),
            expected="texts, and numbers of tokens from 0 on",
            remedy="this is a bug in tracemill: a reply was not read before it was to be recorded",
        )
    return guarded(key.encode(), json_text(record).encode())


def guarded(key: bytes, body: bytes) -> bytes:
    """Return the line of a key, in hex digits, and a completion's other fields as JSON."""
    return b"%b %08x %b\n" % (key, zlib.crc32(body, zlib.crc32(key)), body)


def sound_key(line: bytes) -> str | None:
    """Return the key of ``line``, or None unless the line is whole and its checksum right."""
    if len(line) <= _CRC_END + 1 or not line.endswith(b"\n"):
        return None
    key = line[:_KEY_END]
    expected = b" %08x " % zlib.crc32(line[_CRC_END + 1 : -1], zlib.crc32(key))
    if line[_KEY_END : _CRC_END + 1] != expected:
        return None
    text = key.decode("ascii", "replace")
    return text if _KEY.fullmatch(text) else None


def decode(line: bytes) -> Completion | None:
    """Return the completion on ``line``, or None: the line is torn or damaged (it has no ``sound_key``), or holds none.

    The latter was written by a version that recorded replies as they came, and what came had other types. Nobody can
    tell any more what it answers: whoever meets one goes on as if it was not there, and its key is asked again.
    """
    key = sound_key(line)
    if key is None:
        return None
    try:
        found = json.loads(line[_CRC_END + 1 :])
    except (ValueError, RecursionError):
        return None
    return _typed(key, found)


def _typed(key: str, found: object) -> Completion | None:
    """Return the completion of these fields, if they are all there, no others, and each of its type."""
    if not isinstance(found, dict) or not _FIELDS - _RARE <= found.keys() <= _FIELDS:
        return None
    is_text = all(isinstance(found[name], str) for name in _TEXTS)
    if not is_text or not all(isinstance(found.get(name), str | None) for name in _NULLABLE_TEXTS):
        return None
    counts = {name: count_of(found[name]) for name in (*_COUNTS, *_RARE_COUNTS) if name in found}
    cost = {"cost": amount_of(found["cost"])} if "cost" in found else {}
    return Completion(key=key, **(found | counts | cost))

"""JSON read and written by orjson, with the results of the standard library, which is what ids and keys were made by.

The two differ in whole numbers beyond 64 bits (orjson reads a float), in NaN, infinity and lone surrogates (orjson
refuses), and in how small floats are written. Where a value may be one of these, the standard library does it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

_EXACT: Final = 2**63  # whole numbers beyond may have been read as floats


def parsed(data: bytes) -> Any:
    """Return what ``json.loads`` makes of UTF-8 text.

    Raises:
        ValueError: it is no JSON, or no UTF-8.
        RecursionError: it is nested too deeply.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data.decode("utf-8"))
    return json.loads(data) if _may_be_rounded(value) else value


def written(value: object) -> str:
    """Return ``value`` as ``json.dumps`` writes it with sorted keys, without spaces and with real Unicode."""
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        except orjson.JSONEncodeError:  # a lone surrogate
            pass
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _may_be_rounded(value: object) -> bool:
    if isinstance(value, float):
        return abs(value) >= _EXACT
    if isinstance(value, list):
        return any(map(_may_be_rounded, value))
    return isinstance(value, dict) and any(map(_may_be_rounded, value.values()))


def _is_plain(value: object) -> bool:
    """Whether both write it alike: no floats, no whole numbers beyond 64 bits, no keys but texts, no subclasses."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return True
    if isinstance(value, int):
        return kind is int and -_EXACT <= value < _EXACT
    if isinstance(value, list | tuple):
        return kind in {list, tuple} and all(map(_is_plain, value))
    if not isinstance(value, dict) or kind is not dict:
        return False
    return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))

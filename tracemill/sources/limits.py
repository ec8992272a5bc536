"""Time and memory limits of contest problems, in whatever units their data sets have them."""

from __future__ import annotations

import re
from typing import Any, Final

_MB: Final = 1 << 20
_NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)")
_LEAST_BYTES: Final = _MB  # A number as large as this is one of bytes: no problem allows a terabyte.
_MOST: Final = 1e15  # Neither seconds nor bytes.


def limits_of(time: object, memory: object) -> dict[str, Any]:
    """``time_limit_s`` and ``memory_limit_mb`` of a test object; what is not known is left out.

    Args:
        time: seconds, as a number, as text ("2.0 seconds"), or as ``{seconds, nanos}``.
        memory: megabytes, as a number or text ("256.0 megabytes"), or bytes.
    """
    seconds, amount = _seconds(time), _number(memory)
    megabytes = amount // _MB if amount >= _LEAST_BYTES else amount
    limits: dict[str, Any] = {"time_limit_s": seconds} if seconds else {}
    return limits | ({"memory_limit_mb": int(megabytes)} if megabytes >= 1 else {})


def _seconds(time: object) -> float:
    if isinstance(time, dict):
        return _number(time.get("seconds")) + _number(time.get("nanos")) / 1e9
    return _number(time)


def _number(value: object) -> float:
    if isinstance(value, str):
        found = _NUMBER.match(value)
        return float(found.group(1)) if found else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST:
        return 0.0
    return float(value)

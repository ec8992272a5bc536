"""What a function returned against what it should have returned, where that is JSON.

Tuples are lists, and keys of objects are text, as JSON has them; a number may be an integer or a float of the same
value; floats are forgiven their last digits; infinity is infinity. Not forgiven: true for 1, sets for lists, nan.

What was returned is looked at as it crossed (see ``sandbox.inside.crossing.values``), since a hostile program may have
written it: nothing is decoded as a whole. Two hundred thousand integers of one hash, as the keys of a dict, take
minutes.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from verifiers.sandbox.inside.crossing.values import Malformed, decode

_SMALL: Final = 4_000  # characters of JSON that are decoded as a whole, whatever they hold
_SHOWN: Final = 120


def same_value(expected: Any, crossed: Any, tolerance: float) -> bool:
    """Tell whether a value is what was expected.

    Args:
        expected: JSON.
        crossed: the value as ``inside.values.encode`` has written it, or what a program has put in its place.
        tolerance: absolute or relative, where a float is expected.

    Raises:
        Malformed: it is nothing of the kind.
    """
    try:
        return _same(expected, crossed, tolerance)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise Malformed(f"{type(error).__name__}: {error}"[:200]) from None


def _same(expected: Any, crossed: Any, tolerance: float) -> bool:
    pairs = [(expected, crossed)]
    while pairs:
        wanted, given = pairs.pop()
        tag, inside = (given[0], given[1]) if isinstance(given, list) else ("", given)
        if isinstance(wanted, list):
            if tag not in ("list", "tuple") or len(wanted) != len(inside):
                return False
            pairs.extend(zip(wanted, inside, strict=True))
        elif isinstance(wanted, dict):
            if tag != "dict" or len(wanted) != len(inside):
                return False
            texts = {_key(key): value for key, value in inside}
            if texts.keys() != wanted.keys():
                return False
            pairs.extend((value, texts[key]) for key, value in wanted.items())
        elif not _same_scalar(wanted, _scalar(tag, inside), tolerance):
            return False
    return True


def _scalar(tag: str, inside: Any) -> Any:
    """Return a number, a text, a truth value or None; what is anything else equals none of them."""
    if tag == "float":
        return float.fromhex(inside)
    if tag == "int":
        return int(inside, 16)
    return inside if tag == "" else object()


def _key(crossed: Any) -> str:
    """Return a key as JSON writes it."""
    if isinstance(crossed, str):
        return crossed
    key = decode(crossed) if _is_small(crossed) else crossed
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def _same_scalar(wanted: Any, given: Any, tolerance: float) -> bool:
    if isinstance(wanted, bool) or isinstance(given, bool) or wanted is None or isinstance(wanted, str):
        return type(wanted) is type(given) and bool(wanted == given)
    if not isinstance(given, int | float):
        return False
    if isinstance(wanted, float) and isinstance(given, float):
        return wanted == given or (
            math.isfinite(given)
            and math.isfinite(wanted)
            and math.isclose(wanted, given, rel_tol=tolerance, abs_tol=tolerance)
        )
    return bool(wanted == given)


def shown(crossed: Any) -> str:
    """Return a value that has crossed, or the beginning of it, for people."""
    if not _is_small(crossed):
        return f"a large value: {json.dumps(crossed)[:_SHOWN]}…"
    try:
        text = repr(decode(crossed, lambda handle: _Opaque(str(handle[2:3]))))
    except (Malformed, ValueError):
        text = json.dumps(crossed)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_small(crossed: Any) -> bool:
    return not isinstance(crossed, str | list) or len(json.dumps(crossed)) <= _SMALL


class _Opaque:
    """An object of the program's, of which no more than its class is known."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"an object {self._kind}"

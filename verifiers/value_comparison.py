"""What a function returned against what it should have returned, where that is JSON.

Tuples are lists, and keys of objects are text, as JSON has them; a number may be an integer or a float of the same
value; floats are forgiven their last digits. Not forgiven: true for 1, sets for lists, nan.
"""

from __future__ import annotations

import math
from typing import Any


def same_value(expected: Any, got: Any, tolerance: float) -> bool:
    """Whether ``got`` is what was expected.

    Args:
        expected: JSON.
        got: a decoded value (see ``sandbox.inside.values``): plain data, by whomever.
        tolerance: absolute or relative, where a float is expected.
    """
    pairs = [(expected, got)]
    while pairs:
        wanted, given = pairs.pop()
        if isinstance(wanted, list):
            if not isinstance(given, list | tuple) or len(wanted) != len(given):
                return False
            pairs.extend(zip(wanted, given, strict=True))
        elif isinstance(wanted, dict):
            if not isinstance(given, dict) or len(wanted) != len(given):
                return False
            texts = {_key(key): value for key, value in given.items()}
            if texts.keys() != wanted.keys():
                return False
            pairs.extend((value, texts[key]) for key, value in wanted.items())
        elif not _same_scalar(wanted, given, tolerance):
            return False
    return True


def _key(key: Any) -> str:
    """A key as JSON writes it."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def _same_scalar(wanted: Any, given: Any, tolerance: float) -> bool:
    if isinstance(wanted, bool) or isinstance(given, bool) or wanted is None or isinstance(wanted, str):
        return type(wanted) is type(given) and bool(wanted == given)
    if not isinstance(given, int | float):
        return False
    if isinstance(wanted, float) and isinstance(given, float):
        return math.isfinite(given) and math.isclose(wanted, given, rel_tol=tolerance, abs_tol=tolerance)
    return bool(wanted == given)

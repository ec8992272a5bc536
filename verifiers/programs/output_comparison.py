"""What a program printed against what it should have printed: bytes against bytes, with named leniencies.

Forgiven, as most judges do: CRLF, white space at line ends, blank lines, how many spaces are between tokens. Forgiven
where the expected token asks for it: the last digits of a number with a point or an exponent, the case of yes and no.
A number without a point is compared as a decimal with one that has a point (5 and 5.000, as LiveCodeBench
does), exactly; to the last digits where other numbers of the expected output have a point: what was printed by
C++'s ``cout`` has none where it is whole. Not forgiven: tokens on other lines, nan.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

# Possessive: a token may be a program's sixteen million digits and a letter.
_FLOAT: Final = re.compile(rb"[-+]?(?:\d++\.\d*+|\.\d++|\d++(?=[eE]))(?:[eE][-+]?\d++)?")
_NUMBER: Final = re.compile(rb"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?")
_WORDS: Final = frozenset((b"yes", b"no"))


def why_different(expected: bytes, got: bytes, tolerance: float, *, exact_integers: bool = False) -> str | None:
    """Return where the outputs part, for people; None when they are the same.

    Args:
        expected: what the row says.
        got: what was printed.
        tolerance: absolute or relative, for expected tokens with a point or an exponent.
        exact_integers: whether an integer must be printed as one.
    """
    if expected == got:
        return None
    wanted, given = _lines(expected), _lines(got)
    has_floats = any(_FLOAT.fullmatch(token) for line in wanted for token in line)
    leniency = _Leniency(tolerance, None if exact_integers else tolerance if has_floats else 0.0)
    for number, (line, other) in enumerate(zip(wanted, given, strict=False), 1):
        if len(line) != len(other) or not all(map(_same_token, line, other, [leniency] * len(line))):
            return f"line {number}: expected {_shown(b' '.join(line))}, got {_shown(b' '.join(other))}"
    if len(wanted) != len(given):
        more = wanted[len(given) :] or given[len(wanted) :]
        side = "missing" if len(given) < len(wanted) else "too much"
        return f"{len(wanted)} lines expected, {len(given)} printed; {side}: {_shown(b' '.join(more[0]))}"
    return None


def _lines(output: bytes) -> list[list[bytes]]:
    return [tokens for line in output.split(b"\n") if (tokens := line.split())]


class _Leniency(NamedTuple):
    """Tolerance for expected numbers with a point; and for others, or None where they are texts."""

    of_floats: float
    of_integers: float | None


def _same_token(expected: bytes, got: bytes, leniency: _Leniency) -> bool:
    if expected == got:
        return True
    if expected.lower() in _WORDS:
        return expected.lower() == got.lower()
    if not _NUMBER.fullmatch(got):
        return False
    tolerance = leniency.of_floats
    if not _FLOAT.fullmatch(expected):
        if leniency.of_integers is None or not (_FLOAT.fullmatch(got) and _NUMBER.fullmatch(expected)):
            return False
        tolerance = leniency.of_integers
    if not tolerance:
        return _same_decimal(expected, got)
    a, b = float(expected), float(got)
    return math.isfinite(b) and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def _same_decimal(expected: bytes, got: bytes) -> bool:
    try:
        return Decimal(expected.decode()) == Decimal(got.decode())
    except InvalidOperation:  # an exponent of twenty digits
        return False


def _shown(text: bytes, limit: int = 80) -> str:
    shown = text[:limit].decode(errors="replace")
    return repr(shown + ("…" if len(text) > limit else ""))

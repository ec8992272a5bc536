"""Whether two expressions have one value: at points, to many digits, and decimals as far as they are given."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, NamedTuple

from mpmath import mp

from verifiers.maths.comparing.values import Evaluation, NoValueError, letters_of
from verifiers.maths.reading.tree import IMAGINARY, Call, Name, Node, Num, Quantity, children, walk, with_children


class Found(StrEnum):
    """What a comparison found."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNSURE = "unsure"


class Finding(NamedTuple):
    """What a comparison found, and why where it is not sure."""

    found: Found
    why: str = ""


EQUAL, DIFFERENT = Finding(Found.EQUAL), Finding(Found.DIFFERENT)
ONLY_REAL: Final = "equal only where all is real"
_DIGITS, _MORE_DIGITS, _MOST_DIGITS = 40, 120, 250
_POSITIVE, _SIGNED, _WHOLE = "positive", "signed", "whole"
_POINTS: Final = tuple((kind, number) for number in range(4) for kind in (_POSITIVE, _SIGNED))
_WHOLE_POINTS: Final = tuple((_WHOLE, number) for number in range(8))
_ENOUGH: Final = 3  # points at which two expressions agree before they are called one
_SIX_PLACES: Final = Fraction(1, 10**6)  # what math-verify and most checkers forgive of a decimal
_NEARLY: Final = 1e-5  # relative: decimals of that many digits are rounded, not wrong
_ROUNDED: Final = 2e-3  # 0.000333 for 1/3000 is three digits, and off by one in a thousand
_OF_SIGN: Final = frozenset(["root", "ln", "log", "pow"])  # which need positive numbers, or make them so
_EMBEDDED_PLACES: Final = 6
_HARDLY: Final = 1e-12  # 1/2^99 and 1/2^98: most checkers call them equal, so nobody asked for that


def unsure(why: str) -> Finding:
    """Neither equal nor different."""
    return Finding(Found.UNSURE, why)


def same_value(gold: Node, target: Node) -> Finding | None:
    """Compare two expressions; None where neither can be evaluated anywhere."""
    finding = _compared(gold, target, None)
    if finding is not None and finding.found == Found.DIFFERENT and _has_bare_logarithm(gold, target):
        other = _compared(gold, target, 10)
        if other is not None and other.found == Found.EQUAL:
            return unsure("equal if log is of base 10")
    return finding


def _has_bare_logarithm(*sides: Node) -> bool:
    return any(
        isinstance(part, Call) and part.name == "log" and len(part.args) == 1 for side in sides for part in walk(side)
    )


def _compared(gold: Node, target: Node, log_base: int | None) -> Finding | None:
    names = letters_of(gold) | letters_of(target)
    is_real = not any(part == IMAGINARY for side in (gold, target) for part in walk(side))
    pair = _Pair(gold, target, names, is_real=is_real, log_base=log_base)
    return pair.of_letters() if names else pair.of_constants()


class _Pair:
    """Two expressions to be evaluated at the same points."""

    def __init__(self, gold: Node, target: Node, names: set[str], *, is_real: bool, log_base: int | None) -> None:
        self.sides = gold, target
        self.names, self.is_real, self.log_base = sorted(names), is_real, log_base
        self.tolerance = 2e-6 if _has_long_decimals(gold, target) else None

    def _at(self, point: dict[str, Fraction], digits: int) -> tuple[Any, Any, bool] | None:
        values, left = [], False
        for side in self.sides:
            evaluation = Evaluation(point, digits, is_real=self.is_real, log_base=self.log_base)
            try:
                values.append(evaluation.value(side))
            except NoValueError:
                return None
            left |= evaluation.left_reals
        return values[0], values[1], left

    def _agree(self, a: Any, b: Any, digits: int) -> bool:
        return close(a, b, digits, self.tolerance)

    def of_constants(self) -> Finding | None:
        found = self._at({}, _DIGITS)
        if found is None:
            return None
        a, b, _ = found
        decimals = [decimal_of(side) for side in self.sides]
        if any(decimals):
            return _by_places(a, b, decimals)
        if not self._agree(a, b, _DIGITS):
            return unsure("numerically they differ, by very little") if _hardly_apart(a, b) else DIFFERENT
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return EQUAL
        more = self._at({}, _MOST_DIGITS)
        if more is None:
            return None
        return EQUAL if self._agree(more[0], more[1], _MOST_DIGITS) else unsure("equal to 30 digits, and not to 200")

    def of_letters(self) -> Finding | None:
        n_agreed = n_left = 0
        for kind, number in _POINTS:
            found = self._at(self._point(kind, number), _DIGITS)
            if found is None:
                continue
            a, b, left = found
            if self._agree(a, b, _DIGITS):
                n_agreed += 1
            elif left and self.is_real:
                n_left += 1
            else:
                return self._for_some() or DIFFERENT
        if not n_agreed and not n_left:
            return self._of_whole_numbers()
        if not n_agreed:
            return DIFFERENT
        if n_left:
            return unsure(ONLY_REAL)
        if n_agreed < _ENOUGH:
            return unsure("equal where they were compared, at few points")
        return self._exactly()

    def _exactly(self) -> Finding:
        more = self._at(self._point(_POSITIVE, 0), _MORE_DIGITS)
        if more is not None and not self._agree(more[0], more[1], _MORE_DIGITS):
            return unsure("equal to 30 digits, and not to 100")
        return EQUAL

    def _for_some(self) -> Finding | None:
        """Of two that differ: whether they are one for the numbers that letters often stand for."""
        operations = {part.name for side in self.sides for part in walk(side) if isinstance(part, Call)}
        if not operations & _OF_SIGN or "abs" in operations:  # |x| says that x may be negative
            return self._at_whole_numbers()
        points = [self._at(self._point(kind, number), _DIGITS) for kind, number in _POINTS if kind == _POSITIVE]
        agreed = [self._agree(found[0], found[1], _DIGITS) for found in points if found is not None]
        if len(agreed) >= _ENOUGH and all(agreed):
            return unsure("equal only where letters are positive")
        return self._at_whole_numbers()

    def _at_whole_numbers(self) -> Finding | None:
        """Of two that differ: whether they are one for whole numbers, as (-1)^n and cos(n pi)."""
        n_agreed = 0
        for point in _WHOLE_POINTS:
            found = self._at(self._point(*point), _DIGITS)
            if found is not None and not self._agree(found[0], found[1], _DIGITS):
                return None
            n_agreed += found is not None
        return unsure("equal only at whole numbers") if n_agreed >= _ENOUGH else None

    def _of_whole_numbers(self) -> Finding | None:
        """Of two that have values at whole numbers alone, as sums."""
        n_agreed = 0
        for point in _WHOLE_POINTS:
            found = self._at(self._point(*point), _DIGITS)
            if found is None:
                continue
            if not self._agree(found[0], found[1], _DIGITS):
                return DIFFERENT
            n_agreed += 1
        return EQUAL if n_agreed >= _ENOUGH else None

    def _point(self, kind: str, number: int) -> dict[str, Fraction]:
        return {name: _coordinate(name, kind, number) for name in self.names}


def _coordinate(name: str, kind: str, number: int) -> Fraction:
    """Of no special form, and the same for a letter on whichever side it stands."""
    drawn = int.from_bytes(hashlib.sha256(f"{name}{kind}{number}".encode()).digest()[:6], "big")
    if kind == _WHOLE:
        whole = 2 + drawn % 13 + 2 * number
        return Fraction(-whole if number >= _ENOUGH and drawn % 2 else whole)
    size = Fraction(200 + drawn % 2_797, 1_009 + number)
    return -size if kind == _SIGNED and (drawn >> 20) % 3 else size


def close(a: Any, b: Any, digits: int, tolerance: float | None = None) -> bool:
    """Tell whether two values agree to nearly that many digits; exactly, where both are exact."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b if tolerance is None else abs(a - b) <= Fraction(tolerance) * max(abs(a), abs(b))
    with mp.workdps(digits + 10):
        x, y = _number(a), _number(b)
        if not (mp.isfinite(x) and mp.isfinite(y)):
            return bool(x == y)
        allowed = mp.mpf(10) ** (10 - digits) if tolerance is None else mp.mpf(tolerance)
        if (isinstance(a, Fraction) and a == 0) or (isinstance(b, Fraction) and b == 0):
            return bool(abs(x - y) <= mp.mpf(10) ** (2 - digits))
        return bool(abs(x - y) <= allowed * max(abs(x), abs(y)))


def _number(value: Any) -> Any:
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _hardly_apart(a: Any, b: Any) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return abs(a - b) < _HARDLY
    with mp.workdps(_DIGITS + 10):
        x, y = _number(a), _number(b)
        return bool(mp.isfinite(x) and mp.isfinite(y) and abs(x - y) < _HARDLY)


# Decimals


def decimal_of(node: Node) -> int | None:
    """Return how many places a side has that is nothing but a decimal, which may be rounded; None for all else."""
    match node:
        case Num(_, places):
            return places
        case Call("neg" | "deg", (inner,)) | Quantity(inner, _):
            return decimal_of(inner)
        case Call("mul", (Num(_, int() as places), Call("pow", (Num(Fraction(numerator=10, denominator=1)), power)))):
            exponent = _whole_of(power)
            return None if exponent is None else places - exponent
        case _:
            return None


def _whole_of(node: Node) -> int | None:
    match node:
        case Num(value, None) if value.denominator == 1:
            return value.numerator
        case Call("neg", (inner,)):
            whole = _whole_of(inner)
            return None if whole is None else -whole
        case _:
            return None


def _has_long_decimals(*sides: Node) -> bool:
    places = [part.places for side in sides for part in walk(side) if isinstance(part, Num) and part.places]
    return any(number >= _EMBEDDED_PLACES for number in places)


def _by_places(a: Any, b: Any, places: list[int | None]) -> Finding:
    """Of values of which one at least is a decimal: equal as far as it is given, and to six places."""
    if isinstance(a, Fraction) and isinstance(b, Fraction) and a == b:
        return EQUAL
    with mp.workdps(_DIGITS + 10):
        x, y = _number(a), _number(b)
        if not (mp.isfinite(x) and mp.isfinite(y)):
            return DIFFERENT
        apart, size = abs(x - y), max(abs(x), abs(y))
        if apart <= size * mp.mpf(10) ** (10 - _DIGITS):
            return EQUAL
        if apart > _number(_SIX_PLACES):
            return DIFFERENT
        last = mp.mpf(10) ** -min(number for number in places if number is not None)
        if apart <= _NEARLY * size or (apart < last * 0.999 and apart <= _ROUNDED * size):
            return EQUAL
    return unsure("numerically they differ, in digits behind the sixth place")


def renamed(node: Node, names: dict[str, Node]) -> Node:
    """Return the tree with other nodes for some of its letters."""
    if isinstance(node, Name) and node.name in names:
        return names[node.name]
    below = children(node)
    return with_children(node, tuple(renamed(child, names) for child in below)) if below else node

"""Factors of units of one kind, all exact: 5 cm is 50 mm, and 5 ft 6 in are 66 in.

Left out: units of several meanings (ton, pint, kilobyte, penny) and those of no fixed length (months in days).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from verifiers.maths.reading.tree import Call, Node, Num

_INCH: Final = Fraction("0.0254")  # metres; international yard and pound agreement, 1959
_POUND: Final = Fraction("453.59237")  # grams; likewise
_KINDS: Final[dict[str, dict[str, Fraction]]] = {
    "length": {
        "metre": Fraction(1), "decimetre": Fraction(1, 10), "centimetre": Fraction(1, 100),
        "millimetre": Fraction(1, 1000), "micrometre": Fraction(1, 10**6), "nanometre": Fraction(1, 10**9),
        "kilometre": Fraction(1000), "inch": _INCH, "foot": 12 * _INCH, "yard": 36 * _INCH, "mile": 63_360 * _INCH,
    },
    "mass": {
        "gram": Fraction(1), "kilogram": Fraction(1000), "milligram": Fraction(1, 1000), "tonne": Fraction(10**6),
        "pound": _POUND, "ounce": _POUND / 16,
    },
    "time": {
        "second": Fraction(1), "millisecond": Fraction(1, 1000), "minute": Fraction(60), "hour": Fraction(3600),
        "day": Fraction(86_400), "week": Fraction(604_800),
    },
    "calendar": {"month": Fraction(1), "year": Fraction(12), "decade": Fraction(120), "century": Fraction(1200)},
    "volume": {"litre": Fraction(1), "millilitre": Fraction(1, 1000)},
    "money": {"dollar": Fraction(1), "cent": Fraction(1, 100)},
    "energy": {"joule": Fraction(1), "kilojoule": Fraction(1000)},
    "power": {"watt": Fraction(1), "kilowatt": Fraction(1000)},
    "pressure": {"pascal": Fraction(1), "kilopascal": Fraction(1000)},
    "area": {"hectare": Fraction(1)},
}  # fmt: skip
_FACTORS: Final = {unit: (kind, factor) for kind, units in _KINDS.items() for unit, factor in units.items()}


class Measured(NamedTuple):
    """What a unit is by its kind's own: a kilometre per hour is 1000/3600 of length^1, time^1."""

    kind: tuple[str, ...]
    factor: Fraction


def measured(unit: str) -> Measured | None:
    """Return kind and factor of a unit with its powers: metre per second^2; None of what is not in the table."""
    kinds, factor = [], Fraction(1)
    for place, part in enumerate(unit.split(" per ")):
        name, _, power = part.partition("^")
        if name not in _FACTORS or power not in {"", "2", "3"}:
            return None
        kind, one = _FACTORS[name]
        times = int(power or 1)
        kinds.append(f"{kind}^{times}")
        factor = factor / one**times if place else factor * one**times
    return Measured(tuple(kinds), factor)


def together(first: Node, unit: str, second: Node, smaller: str) -> Node | None:
    """Return 2 hours and 30 minutes in hours; None where the second unit is no smaller one of the same kind."""
    one, other = measured(unit), measured(smaller)
    if one is None or other is None or one.kind != other.kind or other.factor >= one.factor:
        return None
    return Call("add", (first, times(second, other.factor / one.factor)))


def times(node: Node, factor: Fraction) -> Node:
    """Return a multiple; of a number a number."""
    return Num(node.value * factor) if isinstance(node, Num) else Call("mul", (node, Num(factor)))

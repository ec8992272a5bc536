"""Values in other units of one kind: 5 cm is 50 mm, 20 °C are 68 °F."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from verifiers.maths.comparing.sameness import DIFFERENT, Finding, same_value, unsure
from verifiers.maths.reading.tree import Call, Node, Num, walk
from verifiers.maths.reading.unit_factors import measured, times

# Kelvin as a factor times a temperature, and what is added: of celsius 1 and 273.15.
TEMPERATURES: Final = {
    "kelvin": (Fraction(1), Fraction(0)),
    "celsius": (Fraction(1), Fraction("273.15")),
    "fahrenheit": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
}
_NEAR: Final = Fraction(2, 100)  # of a value, within which another unit's may have been rounded


def of_other_unit(gold: Node, gold_unit: str, target: Node, target_unit: str) -> Finding | None:
    """Compare two values in different units; None where the units are not of one kind.

    Values that nearly agree are left open where one of them may be rounded.
    """
    if gold_unit in TEMPERATURES and target_unit in TEMPERATURES:
        sides = [_kelvin(gold, gold_unit), _kelvin(target, target_unit)]
        return same_value(*sides) if same_value(*sides) != DIFFERENT else _unless_near(*sides)
    one, other = measured(gold_unit), measured(target_unit)
    if one is None or other is None or one.kind != other.kind:
        return None
    ratio = other.factor / one.factor
    sides = [gold, times(target, ratio)]
    finding = same_value(*sides)
    is_whole = 1 in (ratio.numerator, ratio.denominator) and not _has_decimals(gold) and not _has_decimals(target)
    return _unless_near(*sides) if finding == DIFFERENT and not is_whole else finding


def _has_decimals(node: Node) -> bool:
    return any(isinstance(part, Num) and part.places is not None for part in walk(node))


def _kelvin(node: Node, unit: str) -> Node:
    factor, shift = TEMPERATURES[unit]
    return Call("add", (times(node, factor), Num(shift)))


def _unless_near(gold: Node, target: Node) -> Finding:
    values = [_number(side) for side in (gold, target)]
    one, other = values
    if one is None or other is None:
        return unsure("the units differ")
    return unsure("other units, and nearly the same") if abs(one - other) <= _NEAR * abs(one) else DIFFERENT


def _number(node: Node) -> Fraction | None:
    match node:
        case Num(value):
            return value
        case Call("neg", (inner,)):
            value_ = _number(inner)
            return None if value_ is None else -value_
        case Call("add" | "mul" | "div" as name, (left, right)):
            one, other = _number(left), _number(right)
            if one is None or other is None or (name == "div" and not other):
                return None
            return {"add": one + other, "mul": one * other, "div": one / (other or 1)}[name]
        case _:
            return None

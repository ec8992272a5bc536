"""Single values with their units: degrees, percents, bases, remainders, and letters that may be units."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from verifiers.maths.comparing.conversion import TEMPERATURES, of_other_unit
from verifiers.maths.comparing.sameness import DIFFERENT, EQUAL, Finding, Found, same_value, unsure
from verifiers.maths.comparing.values import letters_of
from verifiers.maths.reading.tree import Call, Name, Node, Num, Quantity
from verifiers.maths.reading.units import UNIT_NAMES

_SHORT_SCALES: Final[dict[Node, Node]] = {Name("k"): Num(Fraction(10**3)), Name("M"): Num(Fraction(10**6))}
_HALF_TURN: Final = Num(Fraction(180))


def same_measure(gold: Node, target: Node) -> Finding | None:
    """Compare two values with their units; a unit that one of them lacks is forgiven."""
    (gold, gold_unit), (target, target_unit) = _measure(gold), _measure(target)
    of_units = _units(gold, gold_unit, target, target_unit)
    if of_units is not None:
        return of_units
    percents = [isinstance(side, Call) and side.name == "percent" for side in (gold, target)]
    if any(percents):
        return _percents(gold, target, is_unit=bool(gold_unit or target_unit))
    written = target
    gold, target, is_letter = _letter_unit(gold, gold_unit, target, target_unit)
    finding = _moduli(gold, target) or same_value(gold, target)
    may_be_unit = finding == DIFFERENT and (_is_number_and_letters(gold, written) or _differ_by_units(gold, written))
    if (finding == EQUAL and is_letter) or may_be_unit:
        return unsure("a letter that may be a unit or a factor")
    is_settled = finding is None or finding.found == Found.EQUAL or gold_unit == target_unit
    if is_settled or "degree" not in {gold_unit, target_unit}:
        return finding
    return _in_radians(gold, gold_unit, target) or finding


def _units(gold: Node, gold_unit: str | None, target: Node, target_unit: str | None) -> Finding | None:
    """Return what two units say of the values; None where they are the same, or the values alone decide."""
    bases = [unit for unit in (gold_unit, target_unit) if unit and unit.startswith("base ")]
    if len(bases) == 1:
        return _bases(gold, gold_unit, target, target_unit)
    if gold_unit and not target_unit:
        value, letter = _number_and_letter(target)  # 5000 g is a number and a letter, until a unit is expected
        unit = UNIT_NAMES.get(letter)
        other = of_other_unit(gold, gold_unit, value, unit) if value is not None and unit else None
        return EQUAL if other == EQUAL else None
    if gold_unit is None or target_unit is None or gold_unit == target_unit:
        return None
    if len(bases) == 2:
        return _other_bases(_to_base(gold, gold_unit), _to_base(target, target_unit))
    if "degree" in (gold_unit, target_unit) and TEMPERATURES.keys() & {gold_unit, target_unit}:
        return same_value(gold, target)
    return of_other_unit(gold, gold_unit, target, target_unit) or unsure(
        f"the units differ: {gold_unit} and {target_unit}"
    )


def _bases(gold: Node, gold_unit: str | None, target: Node, target_unit: str | None) -> Finding | None:
    """Of a number to a base and one without: the same digits are the same, and its value is another notation."""
    if same_value(gold, target) == EQUAL:
        return EQUAL
    is_gold = gold_unit is not None and gold_unit.startswith("base ")
    value = _to_base(*((gold, gold_unit or "") if is_gold else (target, target_unit or "")))
    other = target if is_gold else gold
    return unsure("numbers to different bases") if value is None or same_value(value, other) == EQUAL else DIFFERENT


def _other_bases(gold: Node | None, target: Node | None) -> Finding:
    """Of two numbers to different bases: another value is another number, the same one is another notation."""
    is_other = gold is not None and target is not None and gold != target
    return DIFFERENT if is_other else unsure("numbers to different bases")


def _to_base(digits: Node, unit: str) -> Node | None:
    base = int(unit.removeprefix("base "))
    if not isinstance(digits, Num) or digits.value.denominator != 1:
        return None
    try:
        return Num(Fraction(int(str(digits.value), base)))
    except ValueError:
        return None


def _measure(node: Node) -> tuple[Node, str | None]:
    match node:
        case Quantity(value, unit):
            return value, unit
        case Call("deg", (value,)):
            return value, "degree"
        case Call("neg", (inner,)):
            value, inner_unit = _measure(inner)
            return (Call("neg", (value,)), inner_unit) if inner_unit else (node, None)
        case Call(("add" | "pm"), (one, other)) if {_measure(one)[1], _measure(other)[1]} == {"degree"}:
            return node, "degree"
        case _:
            return node, None


def _in_radians(gold: Node, gold_unit: str | None, target: Node) -> Finding | None:
    """60 degrees beside pi/3."""
    turned = [Call("mul", (side, Call("div", (Name("π"), _HALF_TURN)))) for side in (gold, target)]
    pair = (turned[0], target) if gold_unit == "degree" else (gold, turned[1])
    finding = same_value(*pair)
    return EQUAL if finding is not None and finding.found == Found.EQUAL else None


def _percents(gold: Node, target: Node, *, is_unit: bool) -> Finding | None:
    golds, targets = (
        [side.args[0], side] if isinstance(side, Call) and side.name == "percent" else [side] for side in (gold, target)
    )
    if is_unit:
        return unsure("a percentage and a measure") if same_value(golds[0], targets[0]) == EQUAL else DIFFERENT
    if len(golds) == len(targets) == 2:
        return same_value(golds[0], targets[0])
    findings = [same_value(a, b) for a in golds for b in targets]
    if EQUAL in findings:
        return EQUAL
    return next((finding for finding in findings if finding is None or finding.found == Found.UNSURE), DIFFERENT)


def _letter_unit(gold: Node, gold_unit: str | None, target: Node, target_unit: str | None) -> tuple[Node, Node, bool]:
    """5 m beside 5 metres is the same; beside 5 it is a unit or a factor."""
    value, letter = _number_and_letter(target)
    if value is None or target_unit or letters_of(gold):
        gold_value, gold_letter = _number_and_letter(gold)
        if gold_value is not None and target_unit and UNIT_NAMES.get(gold_letter) == target_unit:
            return gold_value, target, False
        return gold, target, False
    if gold_unit is not None and UNIT_NAMES.get(letter) == gold_unit:
        return gold, value, False
    if letter in UNIT_NAMES:
        return gold, value, True
    return gold, target, False


def _is_number_and_letters(gold: Node, target: Node) -> bool:
    """Of 28 and 28 pct: letters without a blank may be a unit that is not known here."""
    if letters_of(gold):
        return False
    if isinstance(target, Call) and target.name == "mul" and target.args[1] in _SHORT_SCALES:  # 1k
        return same_value(gold, Call("mul", (target.args[0], _SHORT_SCALES[target.args[1]]))) == EQUAL
    n_letters = 0
    while isinstance(target, Call) and target.name == "mul" and isinstance(target.args[1], Name):
        target, n_letters = target.args[0], n_letters + 1
    return n_letters > 1 and not letters_of(target) and same_value(gold, target) == EQUAL


def _differ_by_units(gold: Node, target: Node) -> bool:
    """Of 5 and 5 m s^-1: several letters that may all be units."""
    bare = [_without_unit_letters(side) for side in (gold, target)]
    n_letters = max(count for _, count in bare)
    return (
        n_letters > 1 and not any(letters_of(side) for side, _ in bare) and same_value(*(s for s, _ in bare)) == EQUAL
    )


def _without_unit_letters(node: Node) -> tuple[Node, int]:
    """Return what is left without factors and divisors that may be units, and how many of these there were."""
    match node:
        case Call("mul" | "div", (value, factor)) if n_letters := _n_unit_letters(factor):
            rest, before = _without_unit_letters(value)
            return rest, before + n_letters
        case _:
            return node, 0


def _n_unit_letters(node: Node) -> int:
    match node:
        case Name(letter) | Call("pow", (Name(letter), _)):
            return int(letter.lower() in UNIT_NAMES)
        case Call("mul" | "div", (one, other)):
            counts = _n_unit_letters(one), _n_unit_letters(other)
            return sum(counts) if all(counts) else 0
        case _:
            return 0


def _number_and_letter(node: Node) -> tuple[Node | None, str]:
    match node:
        case Call("mul", (value, Name(letter))) | Call("mul", (value, Call("pow", (Name(letter), _)))) if (
            not letters_of(value)
        ):
            return value, letter.lower()
        case _:
            return None, ""


def _moduli(gold: Node, target: Node) -> Finding | None:
    match gold, target:
        case Call("mod", (a, m)), Call("mod", (b, n)):
            if same_value(m, n) != EQUAL:
                return unsure("remainders of different divisors")
            return same_value(gold, target)
        case Call("congruence", (x, a, m)), Call("congruence", (y, b, n)):
            if same_value(m, n) != EQUAL or x != y:
                return unsure("congruences of different kinds")
            return same_value(Call("mod", (a, m)), Call("mod", (b, n)))
        case (Call("mod" | "congruence", _), _) | (_, Call("mod" | "congruence", _)):
            return unsure("a remainder and a number")
        case _:
            return None


def ratio_and_number(ratio: Node, number: Node) -> Finding:
    """Compare 2:3 with 2/3."""
    finding = same_value(ratio, number)
    return finding or unsure("a ratio and a number")

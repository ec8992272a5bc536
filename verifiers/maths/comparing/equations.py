"""Equations as answers: two that say the same, and an exact value with about what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from verifiers.maths.comparing.names import is_label, is_scalar, named
from verifiers.maths.comparing.sameness import EQUAL, Finding, renamed, same_value, unsure
from verifiers.maths.comparing.sets import area_told
from verifiers.maths.comparing.values import letters_of
from verifiers.maths.reading.tree import CONSTANTS, Call, Indexed, Name, Node, Num, Quantity, Ratio, Relation, Seq

Compared = Callable[[Node, Node], Finding | None]


def are_equations(gold: Node, target: Node) -> bool:
    """Tell whether both are equations that name no value, or name another one each: y = 2x + 1 and 2x - y + 1 = 0."""
    if not all(isinstance(side, Relation) and side.ops == ("=",) for side in (gold, target)):
        return False
    labels = [named(side)[0] for side in (gold, target)]
    if any(
        isinstance(label, (Seq, Ratio, Indexed)) or (isinstance(label, Call) and label.name.startswith("function"))
        for label in labels
    ):
        return False
    values = [named(side)[1] for side in (gold, target)]
    if None in labels or any(
        letters_of(label) & letters_of(value) for label, value in zip(labels, values, strict=True) if label
    ):
        return True
    return labels[0] != labels[1] and len(letters_of(gold)) > 1


def about(gold: Node, target: Node, compared: Compared) -> Finding | None:
    """Of an exact value and about what it is (4 pi, about 12.57): either may be meant."""
    for side, other, is_gold in ((target, gold, False), (gold, target, True)):
        if isinstance(side, Relation) and side.ops and set(side.ops) <= {"=", "~"} and side.ops[-1] == "~":
            values = [part for part in side.parts if not is_label(part) or part in CONSTANTS]
            findings = [compared(value, other) if is_gold else compared(other, value) for value in values]
            if EQUAL in findings[:-1] or (findings and findings[-1] == EQUAL and _are_near(values)):
                return EQUAL
            if EQUAL in findings:
                return unsure("an exact value and another one about it")
    return None


def _are_near(values: Sequence[Node]) -> bool:
    if len(values) < 2:
        return True
    apart = Call("abs", (Call("add", (Call("div", (values[0], values[-1])), Num(Fraction(-1)))),))
    area = area_told(Relation(("<", "<"), (apart, Name("x"), Num(Fraction(1)))))
    return area is not None and bool(area) and float(area[0].low) < 0.01


def same_equations(gold: Node, target: Node) -> Finding | None:
    """Return two equations are one where their differences are proportional; else sympy may know."""
    sides = []
    for relation in (gold, target):
        if not isinstance(relation, Relation) or len(relation.parts) != 2:
            return None
        left, right = relation.parts
        if not (is_scalar(left) and is_scalar(right)) or any(isinstance(part, Quantity) for part in (left, right)):
            return None
        sides.append(Call("add", (left, Call("neg", (right,)))))
    if letters_of(sides[0]) != letters_of(sides[1]):
        return None
    ratio = Call("div", (sides[0], sides[1]))
    fixed = {name: Num(Fraction(3 + 5 * at, 7 + at)) for at, name in enumerate(sorted(letters_of(ratio)))}
    finding = same_value(ratio, renamed(ratio, dict(fixed)))
    return EQUAL if finding == EQUAL else None

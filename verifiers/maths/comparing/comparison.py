"""Whether two answers that were read say the same: numbers, lists, tuples, named values, intervals, relations.

Lenient: a unit or a name that one side lacks, 50% for 50 or 0.5, (1, 2) for 1, 2 in this order, a column for a tuple.
Neither equal nor different is what may be told in two ways: another unit, the same values in another order or under
other names, a set beside a tuple, decimals that differ behind the sixth place.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from verifiers.maths.comparing.equations import about, are_equations, same_equations
from verifiers.maths.comparing.lists import Lists
from verifiers.maths.comparing.measures import ratio_and_number, same_measure
from verifiers.maths.comparing.names import is_scalar, is_turned, named, same_label, same_names
from verifiers.maths.comparing.plus_minus import expanded
from verifiers.maths.comparing.sameness import DIFFERENT, EQUAL, Finding, Found, renamed, same_value, unsure
from verifiers.maths.comparing.sets import compare_areas
from verifiers.maths.comparing.values import letters_of
from verifiers.maths.reading.reader import Reading, read
from verifiers.maths.reading.tokens import DECIMAL_COMMA, EUROPEAN, GROUPED, INDIAN, LISTED, NotUnderstood
from verifiers.maths.reading.tree import (
    Call,
    Grid,
    Indexed,
    Name,
    Node,
    Num,
    Quantity,
    Ratio,
    Relation,
    Seq,
    children,
    walk,
    with_children,
)

_MODES: Final = (LISTED, DECIMAL_COMMA, EUROPEAN, INDIAN)
_DOUBTFUL_DIGITS: Final = re.compile(r"\d[.,]\d{2,3}|\d,\d")
_THOUSANDS: Final = re.compile(r"^[^\d.,]*\d{1,3}(?:,000)+(?![\d,.])")  # nobody writes 8 as 8,000
# Letters that stand for one thing by habit, of answers that differ otherwise.
_OTHER_NAMES: Final[tuple[tuple[dict[str, Node], str], ...]] = (
    ({"j": Name("i")}, "j, which may be the imaginary unit"),
    ({"K": Name("C"), "c": Name("C"), "k": Name("C")}, "another letter for a constant"),
)
_FREE: Final = frozenset("kmnlpqst")  # that go through the whole numbers by habit, where the problem names none of them
_DRESSED: Final = "bold "  # of a letter with an arrow, or in bold
_CONSTANTS: Final = frozenset("ABCDKck")  # as the solutions of differential equations have them
_VARIABLES: Final = frozenset("xyzt")
_MOST_CONSTANTS: Final = 3
_HALF_DAY: Final = 12  # hours between 3:30 and 15:30


def compare_texts(gold: str, target: str, told: frozenset[str] = frozenset()) -> Finding | None:
    """Compare two answers as they are written.

    Args:
        gold: the reference.
        target: the answer.
        told: the words of the problem.

    Returns:
        What was found; None where there is no telling, though both were read.

    Raises:
        NotUnderstood: of either side, in its first reading.
    """
    reading, other = read(gold, told=told), read(target, told=told)
    finding = compare(reading, other, told)
    if finding is not None and finding.found == Found.EQUAL:
        return finding
    return _read_otherwise(gold, target, told, reading) or finding


def _read_otherwise(gold: str, target: str, told: frozenset[str], first: Reading) -> Finding | None:
    """Return what other readings of digits with commas and points between them say: 2,75 may be 2.75."""
    for text, mode in [(target, mode) for mode in _MODES] + [(gold, mode) for mode in _MODES]:
        if not _DOUBTFUL_DIGITS.search(text) or (mode != LISTED and _THOUSANDS.search(text)):
            continue
        try:
            one = read(gold, mode, told) if text is gold else first
            other = read(target, mode if text is target else GROUPED, told)
        except NotUnderstood:
            continue
        finding = compare(one, other, told)
        if finding is not None and finding.found == Found.EQUAL:
            if mode == LISTED and text is target and isinstance(first.node, Seq):
                return finding  # of "7, 120" and "7,120" the first is a list
            return unsure("digits with commas or points that may be read otherwise")
    return None


def compare(gold: Reading, target: Reading, told: frozenset[str] = frozenset()) -> Finding | None:
    """Compare two readings; None where there is no telling. ``told`` are the words of the problem."""
    a, b = expanded(gold.node), expanded(target.node)
    finding = _compared(a, b)
    if finding is None or finding.found != Found.DIFFERENT:
        return finding
    if gold.is_ambiguous or target.is_ambiguous:
        return unsure("a notation that may be read otherwise")
    free = _free_letters(a, b, told)
    others = [*_OTHER_NAMES, *([(free, "another letter for any whole number")] if free else [])]
    dressed: dict[str, Node] = {
        name: Name(name.removeprefix(_DRESSED)) for name in _letters(a) ^ _letters(b) if name.startswith(_DRESSED)
    }
    others += [(dressed, "a letter with and without an arrow")] if dressed else []
    why = next((why for names, why in others if _equal_if_renamed(a, b, names)), None)
    if why is None and _equal_by_constants(a, b):
        why = "other letters for constants"
    return finding if why is None else unsure(why)


def _equal_by_constants(a: Node, b: Node) -> bool:
    """Tell whether two answers are equal with other letters for their constants: c₁eˣ + c₂ and Aeˣ + B."""
    ones, others = _constants_of(a), _constants_of(b)
    is_indexed = any(isinstance(node, Indexed) for node in ones | others)
    if not 1 <= len(ones) == len(others) <= _MOST_CONSTANTS or (ones == others and not is_indexed):
        return False
    if not (_letters(a) & _VARIABLES and _letters(b) & _VARIABLES):
        return False
    marks = [Name(f"constant {n}") for n in range(len(ones))]
    gold = _replaced(a, dict(zip(ones, marks, strict=True)))
    return any(
        (finding := _compared(gold, _replaced(b, dict(zip(order, marks, strict=True))))) is not None
        and finding.found == Found.EQUAL
        for order in itertools.permutations(others)
    )


def _constants_of(node: Node) -> set[Node]:
    return {
        part
        for part in walk(node)
        if (isinstance(part, Name) and part.name in _CONSTANTS)
        or (isinstance(part, Indexed) and part.name in _CONSTANTS and isinstance(part.index, Num))
    }


def _replaced(node: Node, by: dict[Node, Name]) -> Node:
    if node in by:
        return by[node]
    below = children(node)
    return with_children(node, tuple(_replaced(child, by) for child in below)) if below else node


def _free_letters(a: Node, b: Node, told: frozenset[str]) -> dict[str, Node]:
    """Return the one letter of the reference for the one of the answer, where both may stand for any whole number."""
    ones, others = _letters(a), _letters(b)
    gold, target = ones - others, others - ones
    if len(gold) != 1 or len(target) != 1 or not (gold | target) <= _FREE or (gold | target) & told:
        return {}
    return {target.pop(): Name(gold.pop())}


def _letters(node: Node) -> set[str]:
    return {part.name for part in walk(node) if isinstance(part, Name)}


def _equal_if_renamed(a: Node, b: Node, names: dict[str, Node]) -> bool:
    if not (_letters(a) | _letters(b)) & names.keys():
        return False
    finding = _compared(*(renamed(side, names) for side in (a, b)))
    return finding is not None and finding.found == Found.EQUAL


def _compared(gold: Node, target: Node) -> Finding | None:  # noqa: PLR0911 - one case a line
    if gold == target:
        return EQUAL
    by_area = compare_areas(gold, target)
    if by_area is not None:
        return by_area
    gold_label, gold_value, gold_fault = named(gold)
    target_label, target_value, target_fault = named(target)
    if gold_fault or target_fault:
        return unsure(gold_fault or target_fault or "")
    alternatives = about(gold, target, _compared)
    if alternatives is not None:
        return alternatives
    if are_equations(gold, target):
        return same_equations(gold, target)
    gold_value, target_value = same_names(gold_label, gold_value, target_label, target_value)
    finding = _values(gold_value, target_value)
    if gold_label is not None and target_label is not None and not same_label(gold_label, target_label):
        return (
            unsure("values of different unknowns") if finding is None or finding.found != Found.DIFFERENT else finding
        )
    if finding == EQUAL and (gold_label is None) != (target_label is None) and is_turned(gold_label or target_label):
        return unsure("names in another order than the alphabet's")
    return finding


def _values(gold: Node, target: Node) -> Finding | None:  # noqa: C901, PLR0911, PLR0912 - one case a line
    """Compare what stands behind the names."""
    gold, target = _as_tuple(gold, target), _as_tuple(target, gold)
    match gold, target:
        case Relation(ops, _), Relation(others, _) if ops == others == ("=",):
            return same_equations(gold, target)
        case Seq(), Seq():
            return _LISTS.sequences(gold, target)
        case (Seq(_, items), other) | (other, Seq(_, items)) if is_scalar(other) and _are_measures(items):
            return unsure("one measure and several, which may be one")
        case Seq(), _ if is_scalar(target):
            return _LISTS.one_and_several(target, gold)
        case _, Seq() if is_scalar(gold):
            return _LISTS.one_and_several(gold, target)
        case Ratio(), Ratio():
            return _ratios(gold, target)
        case Grid(rows), Grid(others):
            if [len(row) for row in rows] == [len(row) for row in others]:
                return _LISTS.in_order(children(gold), children(target))
            is_transposed = {len(rows), len(rows[0])} == {len(others), len(others[0])} != {len(rows)}
            return unsure("a row and a column") if is_transposed else DIFFERENT
        case (Grid(), other) | (other, Grid()):
            return (
                DIFFERENT
                if is_scalar(other) and not isinstance(other, (Name, Indexed))
                else unsure("a matrix and a name")
            )
        case (Indexed(_, Num()), _) | (_, Indexed(_, Num())) if is_scalar(gold) and is_scalar(target):
            finding = same_measure(gold, target)
            is_number = not letters_of(gold) or not letters_of(target)
            return unsure("a name and a number") if finding == DIFFERENT and is_number else finding
        case Ratio((_, _)), _ if is_scalar(target):
            return ratio_and_number(gold, target)
        case _, Ratio((_, _)) if is_scalar(gold):
            return ratio_and_number(target, gold)
        case Relation(), _ if is_scalar(target):
            return DIFFERENT
        case _, Relation(_, parts) if is_scalar(gold):
            is_side = is_scalar(parts[-1]) and same_measure(gold, parts[-1]) == EQUAL
            return unsure("the answer is an equation, not a value") if is_side else DIFFERENT
        case _ if is_scalar(gold) and is_scalar(target):
            return same_measure(gold, target)
        case _:
            return None


def _as_tuple(node: Node, other: Node) -> Node:
    """Return a column or row as a tuple, beside a tuple."""
    if isinstance(node, Grid) and isinstance(other, Seq) and (len(node.rows) == 1 or len(node.rows[0]) == 1):
        return Seq("()", children(node))
    return node


def _ratios(gold: Ratio, target: Ratio) -> Finding | None:
    if len(gold.parts) != len(target.parts):
        return unsure("times or ratios in different terms")
    finding = _LISTS.in_order(gold.parts, target.parts)
    if finding is None or finding.found != Found.DIFFERENT:
        return finding
    scaled = [
        same_value(Call("mul", (a, target.parts[0])), Call("mul", (b, gold.parts[0])))
        for a, b in zip(gold.parts[1:], target.parts[1:], strict=True)
    ]
    if all(each is not None and each.found == Found.EQUAL for each in scaled):
        return (
            EQUAL if not (_may_be_time(gold) or _may_be_time(target)) else unsure("times or ratios in different terms")
        )
    hours = [side.parts[0].value if isinstance(side.parts[0], Num) else None for side in (gold, target)]
    if None not in hours and abs((hours[0] or 0) - (hours[1] or 0)) == _HALF_DAY:
        return unsure("times or ratios in different terms")
    return DIFFERENT


def _are_measures(items: tuple[Node, ...]) -> bool:
    """Tell whether they may be one measure in several units: 1 hour, 30 minutes."""
    units = [item.unit for item in items if isinstance(item, Quantity)]
    return len(units) == len(items) and len(set(units)) == len(units) > 1


def _may_be_time(ratio: Ratio) -> bool:
    """Tell whether 2:30 may be a time of day: hours to 24, and minutes of two digits."""
    first, *others = (part.value if isinstance(part, Num) else None for part in ratio.parts)
    return first is not None and first <= 2 * _HALF_DAY and all(o is not None and 10 <= o < 60 for o in others)


_LISTS: Final = Lists(_compared)

"""Whether two answers that were read say the same: numbers, lists, tuples, named values, intervals, relations.

Lenient: a unit or a name that one side lacks, 50% for 50 or 0.5, (1, 2) for 1, 2 in this order, a column for a tuple.
Neither equal nor different is what may be told in two ways: another unit, the same values in another order or under
other names, a set beside a tuple, decimals that differ behind the sixth place.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from verifiers.maths.measures import ratio_and_number, same_measure
from verifiers.maths.reading.reader import Reading, read
from verifiers.maths.reading.tokens import DECIMAL_COMMA, EUROPEAN, GROUPED, INDIAN, LISTED, NotUnderstood
from verifiers.maths.reading.tree import (
    CONSTANTS,
    Call,
    Grid,
    Indexed,
    Logic,
    Name,
    Node,
    Num,
    Quantity,
    Ratio,
    Relation,
    Seq,
    Sets,
    children,
    walk,
    with_children,
)
from verifiers.maths.sameness import DIFFERENT, EQUAL, Finding, Found, renamed, same_value, unsure
from verifiers.maths.sets import area_of, area_told, letters_told, same_area, same_links
from verifiers.maths.values import letters_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNORDERED: Final = frozenset(["", "{}"])
_MODES: Final = (LISTED, DECIMAL_COMMA, EUROPEAN, INDIAN)
_DOUBTFUL_DIGITS: Final = re.compile(r"\d[.,]\d{2,3}|\d,\d")
_MAX_ITEMS: Final = 60
_MIXED: Final = 12  # hours between 3:30 and 15:30
_EXPRESSIONS = (Num, Name, Indexed, Call)
_INEQUALITIES: Final = frozenset(["<", ">", "<=", ">=", "!="])


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
    finding = compare(reading, other)
    if finding is not None and finding.found == Found.EQUAL:
        return finding
    return _read_otherwise(gold, target, told, reading) or finding


def _read_otherwise(gold: str, target: str, told: frozenset[str], first: Reading) -> Finding | None:
    """Return what other readings of digits with commas and points between them say: 2,75 may be 2.75."""
    for text, mode in [(target, mode) for mode in _MODES] + [(gold, mode) for mode in _MODES]:
        if not _DOUBTFUL_DIGITS.search(text):
            continue
        try:
            one = read(gold, mode, told) if text is gold else first
            other = read(target, mode if text is target else GROUPED, told)
        except NotUnderstood:
            continue
        finding = compare(one, other)
        if finding is not None and finding.found == Found.EQUAL:
            if mode == LISTED and text is target and isinstance(first.node, Seq):
                return finding  # of "7, 120" and "7,120" the first is a list
            return unsure("digits with commas or points that may be read otherwise")
    return None


def compare(gold: Reading, target: Reading) -> Finding | None:
    """Compare two readings; None where there is no telling."""
    a, b = _expanded(gold.node), _expanded(target.node)
    finding = _compared(a, b)
    if finding is None or finding.found != Found.DIFFERENT:
        return finding
    if gold.is_ambiguous or target.is_ambiguous:
        return unsure("a notation that may be read otherwise")
    if _equal_by_j(a, b):
        return unsure("j, which may be the imaginary unit")
    return finding


def _equal_by_j(a: Node, b: Node) -> bool:
    names = [{part.name for part in walk(side) if isinstance(part, Name)} for side in (a, b)]
    if not any("j" in found for found in names):
        return False
    finding = _compared(*(renamed(side, {"j": Name("i")}) for side in (a, b)))
    return finding is not None and finding.found == Found.EQUAL


# Plus or minus


def _expanded(node: Node) -> Node:
    """Return the two values of what bears plus-minus signs, in lists beside the others."""
    match node:
        case Seq(brackets, items) if brackets in _UNORDERED:
            found: list[Node] = []
            for item in items:
                wide = _expanded(item)
                found += wide.items if isinstance(wide, Seq) and not wide.brackets else [wide]
            return Seq(brackets, tuple(found))
        case Relation(("=",), (label, value)) if _has_sign(value):
            wide = _expanded(value)
            items = wide.items if isinstance(wide, Seq) else (wide,)
            return Seq("", tuple(Relation(("=",), (label, item)) for item in items))
        case Seq() | Sets() | Logic():
            return node
        case _ if _has_sign(node):
            return Seq("", (_with_sign(node, upper=True), _with_sign(node, upper=False)))
        case _:
            return node


def _has_sign(node: Node) -> bool:
    return any(isinstance(part, Call) and part.name in {"pm", "mp"} for part in walk(node))


def _with_sign(node: Node, *, upper: bool) -> Node:
    below = tuple(_with_sign(child, upper=upper) for child in children(node))
    if isinstance(node, Call) and node.name in {"pm", "mp"}:
        is_plus = (node.name == "pm") == upper
        right = below[1] if is_plus else Call("neg", (below[1],))
        if below[0] == Num(Fraction(0)):
            return _plain_negative(right)
        return Call("add", (below[0], right))
    return with_children(node, below) if below else node


def _plain_negative(node: Node) -> Node:
    match node:
        case Call("neg", (Num(value, places),)):
            return Num(-value, places)
        case Call("neg", (Quantity(value, unit),)):
            return Quantity(_plain_negative(Call("neg", (value,))), unit)
        case _:
            return node


# Names before values


def _named(node: Node) -> tuple[Node | None, Node, str | None]:  # noqa: PLR0911 - one case a line
    """The name, the value, and what speaks against the value: of x = 5, (x, y) = (1, 2), x in {1, 2}, 3 + 4 = 7."""
    match node:
        case Relation(("in",), (label, value)) if isinstance(value, (Seq, Sets)):
            return label, value, None
        case Relation(ops, parts) if set(ops) <= {"=", "~"}:
            first, *rest = parts
            if not _is_label(first) and _is_label(rest[-1]) and len(rest) == 1 and _is_constant(first):
                return rest[0], first, None
            if _is_label(first):
                return first, rest[-1], None  # of x = 3 + 4 = 7 the last one counts
            if len(rest) > 1 and _is_scalar(first) and not _is_label(rest[0]) and not letters_of(rest[-1]):
                return None, rest[-1], _chain_fault(rest, ops[1:])  # of p + q = 3 + 4 = 7 too
            if _is_constant(first):
                return None, rest[-1], _chain_fault(list(parts), ops)
            return None, node, None
        case _:
            return None, node, None


def _is_constant(node: Node) -> bool:
    return isinstance(node, (*_EXPRESSIONS, Quantity)) and not letters_of(node)


def _is_label(node: Node) -> bool:
    """Tell whether it names a value: x, f(2), AB, (x, y), S_1 : S_2."""
    match node:
        case Name() | Indexed():
            return node not in CONSTANTS or node in (Name("e"), Name("i"))
        case Call(name, args) if name.startswith("function "):
            return bool(args)
        case Call(("mul" | "div"), args):
            return all(map(_is_label, args))
        case Call("abs" | "deg", (inner,)):
            return _is_label(inner)
        case Ratio(parts) | Seq("()", parts) | Seq("{}", parts) | Seq("<>", parts):
            return all(map(_is_label, parts))
        case _:
            return False


def _chain_fault(parts: Sequence[Node], ops: Sequence[str]) -> str | None:
    """Return why a chain of equal values is none."""
    for at, op in enumerate(ops):
        finding = _compared(parts[at], parts[at + 1])
        if op == "=" and finding is not None and finding.found == Found.DIFFERENT:
            return "numerically both sides of an equation differ"
    return None


# Comparison


def _compared(gold: Node, target: Node) -> Finding | None:  # noqa: PLR0911 - one case a line
    if gold == target:
        return EQUAL
    by_area = _areas(gold, target)
    if by_area is not None:
        return by_area
    gold_label, gold_value, gold_fault = _named(gold)
    target_label, target_value, target_fault = _named(target)
    if gold_fault or target_fault:
        return unsure(gold_fault or target_fault or "")
    alternatives = _about(gold, target)
    if alternatives is not None:
        return alternatives
    if _are_equations(gold, target):
        return _equations(gold, target)
    gold_value, target_value = _same_names(gold_label, gold_value, target_label, target_value)
    finding = _values(gold_value, target_value)
    if gold_label is not None and target_label is not None and not _same_label(gold_label, target_label):
        return (
            unsure("values of different unknowns") if finding is None or finding.found != Found.DIFFERENT else finding
        )
    return finding


def _are_equations(gold: Node, target: Node) -> bool:
    """Tell whether both are equations that name no value, or name another one each: y = 2x + 1 and 2x - y + 1 = 0."""
    if not all(isinstance(side, Relation) and side.ops == ("=",) for side in (gold, target)):
        return False
    labels = [_named(side)[0] for side in (gold, target)]
    if any(
        isinstance(label, (Seq, Ratio, Indexed)) or (isinstance(label, Call) and label.name.startswith("function"))
        for label in labels
    ):
        return False
    values = [_named(side)[1] for side in (gold, target)]
    if None in labels or any(
        letters_of(label) & letters_of(value) for label, value in zip(labels, values, strict=True) if label
    ):
        return True
    return labels[0] != labels[1] and len(letters_of(gold)) > 1


def _about(gold: Node, target: Node) -> Finding | None:
    """Of an exact value and about what it is (4 pi, about 12.57): either may be meant."""
    for side, other, is_gold in ((target, gold, False), (gold, target, True)):
        if isinstance(side, Relation) and side.ops and set(side.ops) <= {"=", "~"} and side.ops[-1] == "~":
            values = [part for part in side.parts if not _is_label(part) or part in CONSTANTS]
            findings = [_compared(value, other) if is_gold else _compared(other, value) for value in values]
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


def _same_label(one: Node, other: Node) -> bool:
    if one == other:
        return True
    if isinstance(one, Indexed) and isinstance(other, Indexed):  # a_n = 2n and a_k = 2k
        return one.name == other.name and isinstance(one.index, Name) and isinstance(other.index, Name)
    if isinstance(one, Seq) and isinstance(other, Seq):
        return sorted(map(str, one.items)) == sorted(map(str, other.items))
    if isinstance(one, Call) and isinstance(other, Call) and one.name.startswith("function"):
        are_letters = all(isinstance(arg, Name) for arg in (*one.args, *other.args))
        return one.name == other.name and len(one.args) == len(other.args) and are_letters
    if isinstance(one, Call) and isinstance(other, Call):
        return sorted(map(str, one.args)) == sorted(map(str, other.args)) and one.name == other.name
    return False


def _same_names(gold_label: Node | None, gold: Node, target_label: Node | None, target: Node) -> tuple[Node, Node]:
    """Both values in the same letters: f(t) = t + 1 is f(x) = x + 1; (y, x) = (2, 1) is (x, y) = (1, 2)."""
    match gold_label, target_label:
        case Call(name, args), Call(other, others) if name == other and name.startswith("function"):
            if len(args) == len(others) and all(isinstance(arg, Name) for arg in (*args, *others)):
                names = {
                    arg.name: gold_arg for arg, gold_arg in zip(others, args, strict=True) if isinstance(arg, Name)
                }
                return gold, renamed(target, names)
        case Indexed(name, Name() as index), Indexed(other, Name(letter)) if name == other:
            return gold, renamed(target, {letter: index})
        case Seq(_, names_), Seq(_, others) if set(map(str, names_)) == set(map(str, others)) and isinstance(
            target, Seq
        ):
            if len(target.items) == len(others):
                order = [others.index(name) for name in names_]
                return gold, Seq(target.brackets, tuple(target.items[at] for at in order))
    return gold, target


def _areas(gold: Node, target: Node) -> Finding | None:  # noqa: PLR0911 - one case a line
    """Of inequalities beside inequalities or intervals: whether they tell the same real numbers."""
    gold_told, target_told = _is_told(gold), _is_told(target)
    if not gold_told and not target_told:
        return _unions(gold, target)
    letters = [letters_told(side) for side in (gold, target)]
    if len(letters[0] | letters[1]) > 1 and isinstance(gold, Relation) and isinstance(target, Relation):
        return same_links(gold, target)
    if max(map(len, letters)) > 1:
        return unsure("inequalities in several unknowns")
    one, other = area_of(gold), area_of(target)
    if one is None or other is None:
        return None
    if not same_area(one, other):
        is_listed = any(isinstance(side, Logic) and side.word == "," for side in (gold, target))
        return unsure("inequalities between commas") if is_listed else DIFFERENT
    if letters[0] and letters[1] and letters[0] != letters[1]:
        return unsure("the same of different unknowns")
    return EQUAL


def _unions(gold: Node, target: Node) -> Finding | None:
    """Of intervals, of which one at least is no mere pair."""
    gold, target = _named(gold)[1], _named(target)[1]
    if not (isinstance(gold, Sets) or isinstance(target, Sets)):
        return None
    one, other = area_of(gold), area_of(target)
    if one is None or other is None:
        return None
    return EQUAL if same_area(one, other) else DIFFERENT


def _is_told(node: Node) -> bool:
    match node:
        case Relation(ops, _):
            return bool(set(ops) & _INEQUALITIES)
        case Logic(_, items):
            return any(map(_is_told, items))
        case Seq("{|}", _):
            return True
        case _:
            return False


def _values(gold: Node, target: Node) -> Finding | None:  # noqa: C901, PLR0911, PLR0912 - one case a line
    """Compare what stands behind the names."""
    gold, target = _as_tuple(gold, target), _as_tuple(target, gold)
    match gold, target:
        case Relation(ops, _), Relation(others, _) if ops == others == ("=",):
            return _equations(gold, target)
        case Seq(), Seq():
            return _sequences(gold, target)
        case Seq(), _ if _is_scalar(target):
            return _one_and_several(target, gold)
        case _, Seq() if _is_scalar(gold):
            return _one_and_several(gold, target)
        case Ratio(), Ratio():
            return _ratios(gold, target)
        case Grid(rows), Grid(others):
            if [len(row) for row in rows] == [len(row) for row in others]:
                return _in_order(children(gold), children(target))
            is_turned = {len(rows), len(rows[0])} == {len(others), len(others[0])} != {len(rows)}
            return unsure("a row and a column") if is_turned else DIFFERENT
        case (Grid(), other) | (other, Grid()):
            return (
                DIFFERENT
                if _is_scalar(other) and not isinstance(other, (Name, Indexed))
                else unsure("a matrix and a name")
            )
        case (Indexed(_, Num()), _) | (_, Indexed(_, Num())) if _is_scalar(gold) and _is_scalar(target):
            finding = same_measure(gold, target)
            is_number = not letters_of(gold) or not letters_of(target)
            return unsure("a name and a number") if finding == DIFFERENT and is_number else finding
        case Ratio((_, _)), _ if _is_scalar(target):
            return ratio_and_number(gold, target)
        case _, Ratio((_, _)) if _is_scalar(gold):
            return ratio_and_number(target, gold)
        case Relation(), _ if _is_scalar(target):
            return DIFFERENT
        case _, Relation(_, parts) if _is_scalar(gold):
            is_side = _is_scalar(parts[-1]) and same_measure(gold, parts[-1]) == EQUAL
            return unsure("the answer is an equation, not a value") if is_side else DIFFERENT
        case _ if _is_scalar(gold) and _is_scalar(target):
            return same_measure(gold, target)
        case _:
            return None


def _is_scalar(node: Node) -> bool:
    return isinstance(node, (*_EXPRESSIONS, Quantity))


def _as_tuple(node: Node, other: Node) -> Node:
    """Return a column or row as a tuple, beside a tuple."""
    if isinstance(node, Grid) and isinstance(other, Seq) and (len(node.rows) == 1 or len(node.rows[0]) == 1):
        return Seq("()", children(node))
    return node


def _one_and_several(one: Node, several: Seq) -> Finding | None:
    if any(name.startswith("bold ") for name in letters_of(one)):
        return unsure("a vector told by other vectors, and its components")
    findings = [_compared(one, item) for item in several.items]
    if len(several.items) == 1 and several.brackets in _UNORDERED:
        return findings[0]
    if all(finding is not None and finding.found == Found.EQUAL for finding in findings):
        return unsure("one value and several")
    if any(finding is None or finding.found == Found.UNSURE for finding in findings):
        return unsure("one value and several")
    return DIFFERENT


def _ratios(gold: Ratio, target: Ratio) -> Finding | None:
    if len(gold.parts) != len(target.parts):
        return unsure("times or ratios in different terms")
    finding = _in_order(gold.parts, target.parts)
    if finding is None or finding.found != Found.DIFFERENT:
        return finding
    scaled = [
        same_value(Call("mul", (a, target.parts[0])), Call("mul", (b, gold.parts[0])))
        for a, b in zip(gold.parts[1:], target.parts[1:], strict=True)
    ]
    if all(each is not None and each.found == Found.EQUAL for each in scaled):
        return unsure("times or ratios in different terms")
    hours = [side.parts[0].value if isinstance(side.parts[0], Num) else None for side in (gold, target)]
    if None not in hours and abs((hours[0] or 0) - (hours[1] or 0)) == _MIXED:
        return unsure("times or ratios in different terms")
    return DIFFERENT


# Lists


def _sequences(gold: Seq, target: Seq) -> Finding | None:  # noqa: PLR0911 - one case a line
    if max(len(gold.items), len(target.items)) > _MAX_ITEMS:
        return None
    if gold.brackets == target.brackets == "{|}":
        return None
    assigned = _assignments(gold, target)
    if assigned is not None:
        return assigned
    gold, target = _without_names(gold), _without_names(target)
    kinds = gold.brackets, target.brackets
    if kinds[0] in _UNORDERED and kinds[1] in _UNORDERED:
        return _unordered(gold.items, target.items)
    if {kinds[0], kinds[1]} & _UNORDERED:
        return _list_and_tuple(gold, target)
    finding = _in_order(gold.items, target.items)
    if finding != EQUAL or kinds[0] == kinds[1]:
        return finding
    if "<>" in kinds or len(gold.items) != 2:
        return EQUAL if set(kinds) <= {"<>", "()", "[]"} else unsure("other brackets")
    return DIFFERENT  # [1, 2) and [1, 2]


def _list_and_tuple(gold: Seq, target: Seq) -> Finding | None:
    in_order = _in_order(gold.items, target.items)
    if "{}" in (gold.brackets, target.brackets):
        return unsure("a set and a tuple or interval")
    if in_order is None or in_order.found != Found.DIFFERENT:
        return in_order
    if {gold.brackets, target.brackets} & {"(]", "[)"}:
        return DIFFERENT
    if gold.brackets == "" and _unordered(gold.items, target.items) == EQUAL:
        return unsure("the same values in another order")
    return DIFFERENT


def _in_order(gold: Sequence[Node], target: Sequence[Node]) -> Finding | None:
    if len(gold) != len(target):
        return DIFFERENT if not _equal_as_sets(gold, target) else unsure("the numbers of elements differ")
    findings = [_compared(a, b) for a, b in zip(gold, target, strict=True)]
    return _all_of(findings)


def _all_of(findings: Sequence[Finding | None]) -> Finding | None:
    if any(finding is not None and finding.found == Found.DIFFERENT for finding in findings):
        return DIFFERENT
    if None in findings:
        return None
    return next((finding for finding in findings if finding is not None and finding.found == Found.UNSURE), EQUAL)


def _equal_as_sets(gold: Sequence[Node], target: Sequence[Node]) -> bool:
    def holds(one: Node, others: Sequence[Node]) -> bool:
        return any(_compared(one, other) == EQUAL for other in others)

    return all(holds(one, target) for one in gold) and all(holds(one, gold) for one in target)


def _unordered(gold: Sequence[Node], target: Sequence[Node]) -> Finding | None:
    if len(gold) != len(target):
        return unsure("the numbers of elements differ") if _equal_as_sets(gold, target) else DIFFERENT
    left, doubt = list(target), None
    for one in gold:
        findings = [(other, _compared(one, other)) for other in left]
        match = next((other for other, finding in findings if finding == EQUAL), None)
        if match is not None:
            left.remove(match)
            continue
        doubts = [finding for _, finding in findings if finding is None or finding.found == Found.UNSURE]
        if not doubts:
            return DIFFERENT
        doubt = doubts[0] or unsure("elements that cannot be compared")
    return doubt or EQUAL


def _without_names(seq: Seq) -> Seq:
    """Return the values without "x =" where the names say no more: all the same, or one tuple of names."""
    named = [_named(item) for item in seq.items]
    labels = [label for label, _, fault in named if label is not None and not fault]
    if not labels or any(fault for _, _, fault in named):
        return seq
    return Seq(seq.brackets, tuple(value for _, value, _ in named))


def _assignments(gold: Seq, target: Seq) -> Finding | None:
    """Of x = 1, y = 2 on one side at least; None where names decide nothing."""
    golds, targets = _by_label(gold), _by_label(target)
    if golds is not None and targets is not None:
        if golds.keys() == targets.keys():
            return _named_alike(golds, targets)
        finding = _in_order(list(golds.values()), list(targets.values()))
        return (
            DIFFERENT
            if finding is not None and finding.found == Found.DIFFERENT
            else unsure("values of other unknowns")
        )
    if golds is None and targets is None:
        return None
    named, other = (golds, target) if golds is not None else (targets, gold)
    return _names_and_values(named or {}, other, are_golds=golds is not None)


def _named_alike(golds: dict[str, Node], targets: dict[str, Node]) -> Finding | None:
    finding = _all_of([_compared(golds[label], targets[label]) for label in golds])
    if finding is None or finding.found != Found.DIFFERENT or not _are_of_one_letter(golds):
        return finding
    is_reordered = _unordered(list(golds.values()), list(targets.values())) == EQUAL
    return unsure("the same values under other names") if is_reordered else DIFFERENT


def _names_and_values(named: dict[str, Node], other: Seq, *, are_golds: bool) -> Finding | None:
    """X = 1, y = 2 beside (1, 2): in the order in which they are written, or in that of the alphabet."""
    values = list(named.values())
    by_name = [named[label] for label in sorted(named)]
    findings = [
        _in_order(order, other.items) if are_golds else _in_order(other.items, order) for order in (values, by_name)
    ]
    if EQUAL in findings:
        return EQUAL
    if findings[0] is None or findings[0].found != Found.DIFFERENT:
        return findings[0]
    if _are_of_one_letter(named) and _unordered(values, other.items) == EQUAL:
        return EQUAL if other.brackets in _UNORDERED else unsure("the same values in another order")
    return DIFFERENT


def _are_of_one_letter(named: dict[str, Node]) -> bool:
    return len({label.partition("_")[0] for label in named}) == 1 and all("_" in label for label in named)


def _by_label(seq: Seq) -> dict[str, Node] | None:
    """Return the values by their names, of a list of nothing but values under different names."""
    found: dict[str, Node] = {}
    for item in seq.items:
        if not (isinstance(item, Relation) and set(item.ops) <= {"=", "~"}):
            return None
        label, value, fault = _named(item)
        if label is None or fault or isinstance(label, Seq):
            return None
        found[_label_text(label)] = value
    return found if len(found) == len(seq.items) > 1 else None


def _label_text(label: Node) -> str:
    match label:
        case Name(name):
            return name
        case Indexed(name, Num(value, _)):
            return f"{name}_{value}"
        case _:
            return str(label)


def _equations(gold: Node, target: Node) -> Finding | None:
    """Return two equations are one where their differences are proportional; else sympy may know."""
    sides = []
    for relation in (gold, target):
        if not isinstance(relation, Relation) or len(relation.parts) != 2:
            return None
        left, right = relation.parts
        if not (_is_scalar(left) and _is_scalar(right)) or any(isinstance(part, Quantity) for part in (left, right)):
            return None
        sides.append(Call("add", (left, Call("neg", (right,)))))
    if letters_of(sides[0]) != letters_of(sides[1]):
        return None
    ratio = Call("div", (sides[0], sides[1]))
    fixed = {name: Num(Fraction(3 + 5 * at, 7 + at)) for at, name in enumerate(sorted(letters_of(ratio)))}
    finding = same_value(ratio, renamed(ratio, dict(fixed)))
    return EQUAL if finding == EQUAL else None

"""Sets of real numbers that are told by intervals or by inequalities in one letter, and chains of inequalities."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, NamedTuple

from mpmath import mp

from verifiers.maths.comparing.names import named
from verifiers.maths.comparing.sameness import DIFFERENT, EQUAL, Finding, Found, close, same_value, unsure
from verifiers.maths.comparing.values import Evaluation, NoValueError, letters_of
from verifiers.maths.reading.tree import Call, Indexed, Logic, Name, Node, Num, Quantity, Relation, Seq, Sets

_DIGITS: Final = 40
_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
_INEQUALITIES: Final = frozenset(["<", ">", "<=", ">=", "!="])
_REALS: Final = Name("blackboard R")
_PAIRS: Final = frozenset(["()", "[]", "(]", "[)"])


class Piece(NamedTuple):
    """An interval; one point where both ends are the same."""

    low: Any
    has_low: bool
    high: Any
    has_high: bool


Area = tuple[Piece, ...]
_ALL: Final = (Piece(-mp.inf, False, mp.inf, False),)


def area_of(node: Node) -> Area | None:  # noqa: PLR0911 - one case a line
    """The real numbers that an interval, a union of some, or inequalities in one letter tell; None for all else."""
    match node:
        case Sets("cup", items):
            areas = [area_of(item) for item in items]
            return None if None in areas else _union([piece for area in areas for piece in area or ()])
        case Sets("cap", items):
            return _common([area_of(item) for item in items])
        case Sets("minus", (whole, gone)):
            return _common([area_of(whole), _complement(area_of(gone))])
        case Seq(brackets, (low, high)) if brackets in _PAIRS:
            return _interval(brackets, low, high)
        case Seq("{}", items):
            values = [_constant(item) for item in items]
            return None if None in values else _union([Piece(value, True, value, True) for value in values])
        case Name() if node == _REALS:
            return _ALL
        case _:
            return area_told(node)


def area_told(node: Node) -> Area | None:  # noqa: PLR0911 - one case a line
    """Return the real numbers of which inequalities in one letter hold."""
    match node:
        case Relation(("in",), (_, area)):
            return area_of(area)
        case Seq("{|}", (_, condition)):
            return area_told(condition)
        case Relation(ops, parts):
            links = [_ray(parts[at], op, parts[at + 1]) for at, op in enumerate(ops)]
            return _common(links)
        case Logic("or", items):
            areas = [area_told(item) for item in items]
            return None if None in areas else _union([piece for area in areas for piece in area or ()])
        case Logic(word, items):
            found = _common([area_told(item) for item in items])
            if found == () and word == ",":  # x < -1, x > 4 are two cases
                return area_told(Logic("or", items))
            return found
        case _:
            return None


def letters_told(node: Node) -> set[str]:
    """Return the letters that inequalities are about."""
    match node:
        case Relation(("in",), (letter, _)) | Seq("{|}", (letter, _)):
            return letters_of(letter)
        case Relation(_, parts) | Logic(_, parts):
            return set().union(*map(letters_told, parts))
        case Seq() | Sets():
            return set()
        case _:
            return letters_of(node)


def same_area(one: Area, other: Area) -> bool:
    """Tell whether two sets of real numbers are one."""
    return len(one) == len(other) and all(
        a.has_low == b.has_low and a.has_high == b.has_high and _same(a.low, b.low) and _same(a.high, b.high)
        for a, b in zip(one, other, strict=True)
    )


def _same(a: Any, b: Any) -> bool:
    return close(a, b, _DIGITS)


def _constant(node: Node) -> Any | None:
    if isinstance(node, Quantity):
        node = node.value
    if isinstance(node, (Seq, Relation, Logic, Sets)) or letters_of(node):
        return None
    evaluation = Evaluation({}, _DIGITS)
    try:
        value = evaluation.value(node)
    except NoValueError:
        return None
    if evaluation.left_reals or isinstance(value, mp.mpc):
        return None
    with mp.workdps(_DIGITS + 10):
        return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _interval(brackets: str, low: Node, high: Node) -> Area | None:
    start, end = _constant(low), _constant(high)
    if start is None or end is None or start >= end:
        return None
    return (Piece(start, brackets[0] == "[", end, brackets[1] == "]"),)


def _ray(left: Node, op: str, right: Node) -> Area | None:
    """Return the real numbers of one link: x < 2, 1 <= x, |x| > 3."""
    if op not in _MIRRORED:
        return None
    if _constant(left) is not None:
        left, op, right = right, _MIRRORED[op], left
    value = _constant(right)
    if value is None:
        return None
    match left:
        case Call("abs", (Name() | Indexed(),)):
            return _around_zero(op, value)
        case Name() | Indexed():
            return _beyond(op, value)
        case _:
            return None


def _beyond(op: str, value: Any) -> Area:
    below, above = Piece(-mp.inf, False, value, op == "<="), Piece(value, op == ">=", mp.inf, False)
    if op == "!=":
        return below, above
    if op == "=":
        return (Piece(value, True, value, True),)
    return (below,) if op in {"<", "<="} else (above,)


def _around_zero(op: str, value: Any) -> Area | None:
    if value <= 0:
        return None
    if op in {"<", "<="}:
        return (Piece(-value, op == "<=", value, op == "<="),)
    if op in {">", ">="}:
        return Piece(-mp.inf, False, -value, op == ">="), Piece(value, op == ">=", mp.inf, False)
    return None


def _union(pieces: list[Piece]) -> Area:
    found: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.low, not piece.has_low)):
        last = found[-1] if found else None
        touches = last is not None and (
            piece.low < last.high or (piece.low == last.high and (piece.has_low or last.has_high))
        )
        if last is None or not touches:
            found.append(piece)
        elif (piece.high, piece.has_high) > (last.high, last.has_high):
            found[-1] = Piece(last.low, last.has_low, piece.high, piece.has_high)
    return tuple(found)


def _common(areas: list[Area | None]) -> Area | None:
    found: Area = _ALL
    for area in areas:
        if area is None:
            return None
        found = tuple(both for a in found for b in area if (both := _overlap(a, b)) is not None)
    return found


def _overlap(a: Piece, b: Piece) -> Piece | None:
    low, has_low = max((a.low, not a.has_low), (b.low, not b.has_low))
    high, has_high = min((a.high, a.has_high), (b.high, b.has_high))
    piece = Piece(low, not has_low, high, has_high)
    if low < high or (low == high and piece.has_low and piece.has_high):
        return piece
    return None


def _complement(area: Area | None) -> Area | None:
    if area is None:
        return None
    found, low, has_low = [], -mp.inf, False
    for piece in area:
        if low < piece.low or (low == piece.low and has_low and not piece.has_low):
            found.append(Piece(low, has_low, piece.low, not piece.has_low))
        low, has_low = piece.high, not piece.has_high
    if low < mp.inf:
        found.append(Piece(low, has_low, mp.inf, False))
    return tuple(found)


# Chains in several letters


def same_links(gold: Relation, target: Relation) -> Finding | None:
    """Tell whether two chains of inequalities say the same link by link, in whatever direction they are written."""
    golds, targets = _links(gold), _links(target)
    if golds is None or targets is None or len(golds) != len(targets):
        return None
    left = list(targets)
    for link in golds:
        match = next((other for other in left if _same_link(link, other)), None)
        if match is None:
            return None
        left.remove(match)
    return EQUAL


def _links(relation: Relation) -> list[tuple[Node, bool]] | None:
    """Of each link what is above zero, and whether it may be zero."""
    found: list[tuple[Node, bool]] = []
    for at, op in enumerate(relation.ops):
        left, right = relation.parts[at], relation.parts[at + 1]
        if op not in {"<", ">", "<=", ">="} or isinstance(left, (Seq, Sets)) or isinstance(right, (Seq, Sets)):
            return None
        if op in {">", ">="}:
            left, right = right, left
        found.append((Call("add", (right, Call("neg", (left,)))), "=" in op))
    return found


def _same_link(one: tuple[Node, bool], other: tuple[Node, bool]) -> bool:
    """Tell whether both are above zero together: their ratio is one positive number."""
    if one[1] != other[1] or letters_of(one[0]) != letters_of(other[0]):
        return False
    ratio = Call("div", (one[0], other[0]))
    point = {name: Fraction(3 + 2 * at, 7 + at) for at, name in enumerate(sorted(letters_of(one[0])))}
    try:
        value = Evaluation(point, _DIGITS).value(ratio)
    except NoValueError:
        return False
    if isinstance(value, mp.mpc) or not value > 0 or not isinstance(value, Fraction):
        return False
    finding = same_value(ratio, Num(value))
    return finding is not None and finding.found == Found.EQUAL


# Answers that tell areas


def compare_areas(gold: Node, target: Node) -> Finding | None:  # noqa: PLR0911 - one case a line
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
    gold, target = named(gold)[1], named(target)[1]
    if not any(isinstance(side, Sets) or side == _REALS for side in (gold, target)):
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

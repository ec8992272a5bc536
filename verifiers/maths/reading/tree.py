"""What an answer of mathematics is read as: a tree of few kinds of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Num:
    """A number in digits, exact.

    Attributes:
        places: how many digits stand behind its point, where it may be rounded; None where it is exact.
    """

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A letter, or what is one thing by its name: x, v with an arrow, dy/dx."""

    name: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """A letter with an index: a_n."""

    name: str
    index: Node


@dataclass(frozen=True, slots=True)
class Call:
    """An operation or function by its name: add, mul, div, pow, neg, pm, mp, deg, percent, sin, binom, sum, mod."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit, by the unit's one name."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Seq:
    r"""Several between brackets: a tuple, an interval, a set.

    Attributes:
        brackets: as written, ``()``, ``[)``, ``{}``, ``<>``; empty for a list without any.
    """

    brackets: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain of relations: ``parts[0] ops[0] parts[1] ops[1] …``; ops are = < > <= >= != ~ (about) in eqv."""

    ops: tuple[str, ...]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """Relations that hold together (``and``), or of which one does (``or``)."""

    word: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets joined by cup, cap or minus."""

    op: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix, by rows."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Numbers between colons: 7:32, and times of day."""

    parts: tuple[Node, ...]


Node = Num | Name | Indexed | Call | Quantity | Seq | Relation | Logic | Sets | Grid | Ratio
PI, E, IMAGINARY, INFINITY = Name("π"), Name("e"), Name("i"), Name("∞")
CONSTANTS = frozenset([PI, E, IMAGINARY, INFINITY])


def walk(node: Node) -> list[Node]:
    """Return the node and all below it."""
    found: list[Node] = [node]
    for child in children(node):
        found += walk(child)
    return found


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 - one case a line
    """Return the nodes directly below one."""
    match node:
        case Indexed(_, index):
            return (index,)
        case Call(_, args):
            return args
        case Quantity(value, _):
            return (value,)
        case Seq(_, items) | Logic(_, items) | Sets(_, items):
            return items
        case Relation(_, parts) | Ratio(parts):
            return parts
        case Grid(rows):
            return tuple(cell for row in rows for cell in row)
        case _:
            return ()


def with_children(node: Node, changed: tuple[Node, ...]) -> Node:  # noqa: PLR0911 - one case a line
    """Return a node of the same kind over other children, as many as :func:`children` gives."""
    match node:
        case Indexed(name, _):
            return Indexed(name, changed[0])
        case Call(name, _):
            return Call(name, changed)
        case Quantity(_, unit):
            return Quantity(changed[0], unit)
        case Seq(brackets, _):
            return Seq(brackets, changed)
        case Logic(word, _):
            return Logic(word, changed)
        case Sets(op, _):
            return Sets(op, changed)
        case Relation(ops, _):
            return Relation(ops, changed)
        case Ratio(_):
            return Ratio(changed)
        case Grid(rows):
            cells = iter(changed)
            return Grid(tuple(tuple(next(cells) for _ in row) for row in rows))
        case _:
            return node

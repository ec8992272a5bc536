"""Plus-minus signs: what bears them is the list of both values."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from verifiers.maths.reading.tree import (
    Call,
    Logic,
    Node,
    Num,
    Quantity,
    Relation,
    Seq,
    Sets,
    children,
    walk,
    with_children,
)

_UNORDERED: Final = frozenset(["", "{}"])


def expanded(node: Node) -> Node:
    """Return the two values of what bears plus-minus signs, in lists beside the others."""
    match node:
        case Seq(brackets, items) if brackets in _UNORDERED:
            found: list[Node] = []
            for item in items:
                wide = expanded(item)
                found += wide.items if isinstance(wide, Seq) and not wide.brackets else [wide]
            return Seq(brackets, tuple(found))
        case Relation(("=",), (label, value)) if _has_sign(value):
            wide = expanded(value)
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

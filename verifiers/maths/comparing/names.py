"""Names before values: x = 5, (x, y) = (1, 2), f(t) = t + 1; a chain 3 + 4 = 7 is its last value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from verifiers.maths.comparing.measures import same_measure
from verifiers.maths.comparing.sameness import Found, renamed
from verifiers.maths.comparing.values import letters_of
from verifiers.maths.reading.tree import CONSTANTS, Call, Indexed, Name, Node, Num, Quantity, Ratio, Relation, Seq, Sets

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXPRESSIONS: Final = (Num, Name, Indexed, Call)


def named(node: Node) -> tuple[Node | None, Node, str | None]:  # noqa: PLR0911 - one case a line
    """The name, the value, and what speaks against the value: of x = 5, (x, y) = (1, 2), x in {1, 2}, 3 + 4 = 7."""
    match node:
        case Relation(("in",), (label, value)) if isinstance(value, (Seq, Sets)):
            return label, value, None
        case Relation(ops, parts) if set(ops) <= {"=", "~"}:
            first, *rest = parts
            if not is_label(first) and is_label(rest[-1]) and len(rest) == 1 and _is_constant(first):
                return rest[0], first, None
            if is_label(first):
                return first, rest[-1], None  # of x = 3 + 4 = 7 the last one counts
            if len(rest) > 1 and is_scalar(first) and not is_label(rest[0]) and not letters_of(rest[-1]):
                return None, rest[-1], _chain_fault(rest, ops[1:])  # of p + q = 3 + 4 = 7 too
            if _is_constant(first):
                return None, rest[-1], _chain_fault(list(parts), ops)
            return None, node, None
        case _:
            return None, node, None


def _is_constant(node: Node) -> bool:
    return isinstance(node, (*_EXPRESSIONS, Quantity)) and not letters_of(node)


def is_label(node: Node) -> bool:
    """Tell whether it names a value: x, f(2), AB, (x, y), S_1 : S_2."""
    match node:
        case Name() | Indexed():
            return node not in CONSTANTS or node in (Name("e"), Name("i"))
        case Call(name, args) if name.startswith("function "):
            return bool(args)
        case Call(("mul" | "div"), args):
            return all(map(is_label, args))
        case Call("abs" | "deg", (inner,)):
            return is_label(inner)
        case Ratio(parts) | Seq("()", parts) | Seq("{}", parts) | Seq("<>", parts):
            return all(map(is_label, parts))
        case _:
            return False


def _chain_fault(parts: Sequence[Node], ops: Sequence[str]) -> str | None:
    """Return why a chain of equal values is none."""
    for at, op in enumerate(ops):
        one, other = parts[at], parts[at + 1]
        if (
            op != "="
            or not (is_scalar(one) and is_scalar(other))
            or isinstance(one, Indexed)
            or isinstance(other, Indexed)
        ):
            continue
        finding = same_measure(one, other)
        if finding is not None and finding.found == Found.DIFFERENT:
            return "numerically both sides of an equation differ"
    return None


def same_label(one: Node, other: Node) -> bool:
    """Tell whether two names are one, whatever letters their arguments have."""
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


def same_names(gold_label: Node | None, gold: Node, target_label: Node | None, target: Node) -> tuple[Node, Node]:
    """Both values in the same letters: f(t) = t + 1 is f(x) = x + 1; (y, x) = (2, 1) is (x, y) = (1, 2)."""
    match gold_label, target_label:
        case Call(name, args), Call(other, others) if name == other and name.startswith("function"):
            if len(args) == len(others) and all(isinstance(arg, Name) for arg in (*args, *others)):
                names = {
                    arg.name: gold_arg for arg, gold_arg in zip(others, args, strict=True) if isinstance(arg, Name)
                }
                taken = {arg.name for arg in args if isinstance(arg, Name)} - names.keys()
                # An x beside f(t) is another letter than that of f(x).
                return gold, renamed(target, {**names, **{name: Name(f"other {name}") for name in taken}})
        case Indexed(name, Name() as index), Indexed(other, Name(letter)) if name == other:
            return gold, renamed(target, {letter: index})
        case Seq(_, names_), Seq(_, others) if set(map(str, names_)) == set(map(str, others)) and isinstance(
            target, Seq
        ):
            if len(target.items) == len(others):
                order = [others.index(name) for name in names_]
                return gold, Seq(target.brackets, tuple(target.items[at] for at in order))
    return gold, target


def is_scalar(node: Node) -> bool:
    """Tell whether it is one value, with or without a unit."""
    return isinstance(node, (*_EXPRESSIONS, Quantity))


def label_text(label: Node) -> str:
    """Return a name as text."""
    match label:
        case Name(name):
            return name
        case Indexed(name, Num(value, _)):
            return f"{name}_{value}"
        case _:
            return str(label)


def are_of_one_letter(named: dict[str, Node]) -> bool:
    """Tell whether values are named x_1, x_2, of which the order is nobody's."""
    return len({label.partition("_")[0] for label in named}) == 1 and all("_" in label for label in named)


def is_turned(label: Node | None) -> bool:
    """Tell whether it names neighbours of the alphabet in another order than theirs: (y, x)."""
    if not isinstance(label, Seq) or not all(isinstance(item, Name) and len(item.name) == 1 for item in label.items):
        return False
    letters = [item.name for item in label.items if isinstance(item, Name)]
    are_neighbours = ord(max(letters)) - ord(min(letters)) == len(letters) - 1
    return are_neighbours and letters != sorted(letters)

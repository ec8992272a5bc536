r"""A numeric second opinion on what math-verify calls equal.

math-verify 0.9.0 takes two expressions for equal when their difference vanishes at 15 digits *absolute*, which holds
for 1/2^99 and 1/2^98; it rounds decimals at six places, so 0.0000001 is 0.0000002; equations are equal to it when
both have no solution it can find; a list is a set, and a*b*c is also the word CBA. Here both sides are evaluated to
30 significant digits and compared relatively, symbols at fixed rational points. No opinion (None) where a side has no
numeric value: then math-verify's word stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sympy import (
    Eq,
    Expr,
    FiniteSet,
    Float,
    Interval,
    MatrixBase,
    Mul,
    Rational,
    Symbol,
    Tuple,
    UnevaluatedExpr,
    solve,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import And

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = 30
_EXACT = 1e-20  # far above the error of 30 digits, far below any difference between two answers
_FAR = 1e-3  # a thousand times what math-verify forgives, absolute or relative
_ROUNDED = 2e-3  # 0.000333 for 1/3000 is three digits, and off by one in a thousand
# Distinct, positive and negative, of no special form: two expressions that agree at all three are the same.
_POINTS = ((Rational(1733, 1009), 311), (Rational(887, 1201), 173), (Rational(-1451, 1303), 229))
_NOISE = 1e-20  # what 30 digits of cancellation leave of a zero, at most
_SHOWN_CHARS = 80
_PERCENT = UnevaluatedExpr(Rational(1, 100))


def doubt(gold: Any, target: Any) -> str | None:
    """Why two expressions that math-verify calls equal may not be, naming both sides; None when nothing speaks for it.

    May take long or any amount of memory, as sympy may: for worker processes.
    """
    gold, target, reason = _unwrapped(gold, target)
    reason = reason or _difference(gold, target)
    return f"{reason}: {_shown(gold)} and {_shown(target)}" if reason else None


def far_apart(gold: Any, target: Any) -> bool:
    """Tell whether two expressions differ so much at one point that no rule of math-verify's can call them equal.

    Saves its ``simplify``, which is most of the time spent on wrong answers. Not asked where a rule of its own may
    hold: percent signs, bare symbols, and i, which is a letter to it at first.
    """
    if not (isinstance(gold, Expr) and isinstance(target, Expr)) or Symbol in {type(gold), type(target)}:
        return False
    names = _names(gold) | _names(target)
    if "i" in names or gold.has(UnevaluatedExpr) or target.has(UnevaluatedExpr):
        return False
    a, b = _at(gold, names, _POINTS[0]), _at(target, names, _POINTS[0])
    return a is not None and b is not None and bool(abs(a - b) > _FAR * max(1, abs(a), abs(b)))


def _unwrapped(gold: Any, target: Any) -> tuple[Any, Any, str | None]:
    """Both sides without "x =", where only one has it or both have the same; as math-verify unwraps them."""
    gold_eq, target_eq = _is_equation(gold), _is_equation(target)
    if target_eq and not gold_eq and not isinstance(gold, (Relational, And)):
        first, last = _ends(target)
        return gold, last, _not_a_value(first, last)
    if gold_eq and not target_eq:
        return _ends(gold)[1], target, None
    if gold_eq and target_eq:
        (gold_left, gold_right), (target_left, target_right) = _ends(gold), _ends(target)
        if gold_left == target_left:
            return gold_right, target_right, None
        return Eq(gold_left, gold_right, evaluate=False), Eq(target_left, target_right, evaluate=False), None
    return gold, target, None


def _is_equation(expression: Any) -> bool:
    if isinstance(expression, And):
        return all(isinstance(part, Eq) for part in expression.args)
    return isinstance(expression, Eq)


def _ends(equation: Any) -> tuple[Any, Any]:
    """Return the first left and the last right side of an equation or a chain of them."""
    parts = getattr(equation, "_unsorted_args", None) or [equation]
    return parts[0].lhs, parts[-1].rhs


def _not_a_value(left: Any, right: Any) -> str | None:
    """Tell whether it names a value: x = 7, f(2) = 7 and AB = 7 say 7, 2x + 3 = 7 does not; 3 + 4 = 7 must hold."""
    if isinstance(left, (Symbol, AppliedUndef)) or (
        isinstance(left, Mul) and all(isinstance(factor, Symbol) for factor in left.args)
    ):
        return None
    if getattr(left, "free_symbols", None):
        return "the answer is an equation, not a value"
    return _difference(left, right)


def _difference(gold: Any, target: Any) -> str | None:
    if isinstance(gold, Eq) and isinstance(target, Eq):
        return _equations(gold, target)
    if isinstance(gold, MatrixBase) and isinstance(target, MatrixBase):
        return _all_of(zip(gold.flat(), target.flat(), strict=False))
    gold_parts, target_parts = _parts(gold), _parts(target)
    if gold_parts is not None and target_parts is not None:
        return _collections(gold, gold_parts, target, target_parts)
    if any(
        parts is not None and len(parts) > 1 and isinstance(other, Expr)
        for parts, other in ((gold_parts, target), (target_parts, gold))
    ):  # as a set, 5, 5 is no more than 5
        return "one value and several"
    if isinstance(gold, Expr) and isinstance(target, Expr) and not {Symbol} & {type(gold), type(target)}:
        return _expressions(gold, target)
    return None


def _parts(expression: Any) -> list[Any] | None:
    if isinstance(expression, Interval):
        return [expression.start, expression.end]
    if isinstance(expression, (FiniteSet, Tuple)):
        return list(getattr(expression, "_unsorted_args", expression.args))
    return None


def _collections(gold: Any, gold_parts: list[Any], target: Any, target_parts: list[Any]) -> str | None:
    if len(gold_parts) != len(target_parts):
        return "the numbers of elements differ"
    if isinstance(gold, FiniteSet) and isinstance(target, FiniteSet):
        left = list(target_parts)
        for part in gold_parts:
            match = next((other for other in left if _unwrapped_difference(part, other) is None), None)
            if match is None:
                return "an element has no partner"
            left.remove(match)
        return None
    return _all_of(zip(gold_parts, target_parts, strict=True))


def _all_of(pairs: Iterable[tuple[Any, Any]]) -> str | None:
    return next((found for gold, target in pairs if (found := _unwrapped_difference(gold, target))), None)


def _unwrapped_difference(gold: Any, target: Any) -> str | None:
    gold, target, reason = _unwrapped(gold, target)
    return reason or _difference(gold, target)


def _expressions(gold: Expr, target: Expr) -> str | None:
    tolerance = _ROUNDED if gold.has(Float) or target.has(Float) else _EXACT
    names = _names(gold) | _names(target)
    for point in _POINTS if names else _POINTS[:1]:
        a, b = _at(gold, names, point), _at(target, names, point)
        if a is None or b is None or not _significant(a, b):
            continue
        if _close(a, b, tolerance):
            continue
        if _PERCENT in gold.args + target.args and (_close(a * 100, b, tolerance) or _close(a, b * 100, tolerance)):
            continue
        return "numerically they differ"
    return None


def _equations(gold: Eq, target: Eq) -> str | None:
    """Return two equations are one when their differences are proportional, or each holds where the other is solved."""
    names = _names(gold)
    if names != _names(target):
        return "the equations are about different unknowns"
    f, g = gold.lhs - gold.rhs, target.lhs - target.rhs
    ratios = []
    for point in _POINTS:
        a, b = _at(f, names, point), _at(g, names, point)
        if a is None or b is None or b == 0:
            break
        ratios.append(a / b)
    if len(ratios) == len(_POINTS) and all(_close(ratio, ratios[0], _EXACT) for ratio in ratios):
        return None
    return None if names and _same_roots(f, g, sorted(names)) else "the equations are not proportional"


def _same_roots(f: Expr, g: Expr, names: list[str]) -> bool:
    """In the last unknown, with the others fixed."""
    unknown = Symbol("unknown")
    fixed = [side.xreplace(_values_at(side, names[:-1], _POINTS[0])) for side in (f, g)]
    fixed = [side.xreplace(dict.fromkeys(side.free_symbols, unknown)) for side in fixed]
    try:
        roots = [solve(side, unknown) for side in fixed]
    except NotImplementedError:
        return False
    values = [[root.evalf(_DIGITS) for root in found] for found in roots]
    return bool(values[0]) and all(any(_close(a, b, _EXACT) for b in values[1 - i]) for i in (0, 1) for a in values[i])


def _names(expression: Any) -> set[str]:
    return {symbol.name for symbol in expression.free_symbols}


def _values_at(expression: Any, names: Iterable[str], point: tuple[Any, int]) -> dict[Any, Any]:
    """Value of each symbol, chosen by name: the two sides may make different assumptions about the same letter."""
    start, step = point
    value = {name: start + Rational(i, step) for i, name in enumerate(sorted(names))}
    return {symbol: value[symbol.name] for symbol in expression.free_symbols if symbol.name in value}


def _at(expression: Any, names: Iterable[str], point: tuple[Any, int]) -> Any | None:
    """Finite value to 30 digits at the point, or None.

    Values go in through evalf, not by replacement, which would work out (1733/1009)^(10^9) as an exact fraction.
    """
    try:
        value = expression.evalf(_DIGITS, subs=_values_at(expression, names, point))
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None
    return value if value.is_number and value.is_finite and not value.atoms(Symbol) else None


def _significant(a: Any, b: Any) -> bool:
    """False when a value is only known as "about zero" (precision 1) and the other is near zero too."""
    vague = any(part._prec == 1 for value in (a, b) for part in value.atoms(Float))  # noqa: SLF001 - sympy's own mark
    return not vague or max(abs(a), abs(b)) > _NOISE


def _close(a: Any, b: Any, tolerance: float) -> bool:
    return bool(abs(a - b) <= tolerance * max(abs(a), abs(b)))


def _shown(expression: Any) -> str:
    """Return the text of one side; a number of a million digits is not written out."""
    try:
        text = str(expression)
    except ValueError:
        return "a number too long to show"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."

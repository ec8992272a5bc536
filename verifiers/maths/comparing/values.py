"""The value of an expression at a point, to as many digits as are asked for.

Exact as long as only whole numbers and fractions are met, floating at a given precision after that. Roots of odd order
of negative numbers are real where everything else is, as they are in answers: the cube root of -8 is -2. A value that
leaves the real numbers (the square root or the logarithm of a negative one) says so: two expressions may differ there
and still be what an exercise calls equal.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import comb, factorial, gcd, lcm, log2
from typing import TYPE_CHECKING, Any, Final

import mpmath
from mpmath import mp

from verifiers.maths.reading.tree import (
    CONSTANTS,
    IMAGINARY,
    INFINITY,
    PI,
    Call,
    E,
    Indexed,
    Name,
    Node,
    Num,
    Quantity,
    Ratio,
    children,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = Any  # a Fraction, an mpf or an mpc
_MAX_BITS: Final = 60_000  # of an exact number; 2004! has 19,200
_MAX_LOG: Final = 1e7  # of a power that is computed at all
_MAX_TERMS: Final = 400  # of a sum or product
_MAX_FACTORIAL: Final = 5_000
_PRIMES: Final = 9_973


class NoValueError(Exception):
    """There is no finite value here: a pole, a number too large, an operation that is unknown."""


class Evaluation:
    """Values of expressions at one point.

    Args:
        point: the value of each letter.
        digits: of floating numbers.
        is_real: whether odd roots of negative numbers are the real ones.
        log_base: of a logarithm without one; None for the natural one.

    Attributes:
        left_reals: whether a value on the way was not real, though no i stands in the expression.
    """

    def __init__(
        self, point: Mapping[str, Fraction], digits: int, *, is_real: bool = True, log_base: int | None = None
    ) -> None:
        self.point, self.digits, self.is_real, self.log_base = point, digits, is_real, log_base
        self.left_reals = False

    def value(self, node: Node) -> Value:
        """Return the value of an expression.

        Raises:
            NoValueError: it has none here.
        """
        with mp.workdps(self.digits + 10):
            try:
                return self._value(node, in_angle=False)
            except NoValueError:
                raise
            except (
                ArithmeticError,
                ValueError,
                TypeError,
                OverflowError,
                mpmath.libmp.libhyper.NoConvergence,
            ) as error:
                raise NoValueError(str(error)) from None

    def _value(self, node: Node, *, in_angle: bool) -> Value:
        match node:
            case Num(value, _):
                return value
            case Name(name):
                return self._named(node, name)
            case Indexed(name, index):
                return self._letter(f"{name}_{self._index(index)}")
            case Quantity(value, _):
                return self._value(value, in_angle=in_angle)
            case Ratio((one, other)):
                return self.divided(self._value(one, in_angle=False), self._value(other, in_angle=False))
            case Call(name, args):
                return self._call(name, args, in_angle=in_angle)
            case _:
                raise NoValueError("no expression")

    def _named(self, node: Name, name: str) -> Value:
        if name in self.point:  # also an i that a sum runs over
            return self.point[name]
        if node == PI:
            return +mp.pi
        if node == E:
            return +mp.e
        if node == IMAGINARY:
            return mp.mpc(0, 1)
        if node == INFINITY:
            return mp.inf
        return self._letter(name)

    def _letter(self, name: str) -> Value:
        if name in self.point:
            return self.point[name]
        if "_" in name:  # a member of a sequence that is summed
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
            return Fraction(1 + seed % _PRIMES, _PRIMES + 4)
        raise NoValueError(f"no value for {name}")

    def _index(self, index: Node) -> str:
        try:
            value = self._value(index, in_angle=False)
        except NoValueError:
            return str(index)
        return str(value)

    def _call(self, name: str, args: tuple[Node, ...], *, in_angle: bool) -> Value:
        if name in {"sum", "prod"}:
            return self._repeated(name, args)
        if name == "deg":
            degrees = self._value(args[0], in_angle=in_angle)
            return self.multiplied(degrees, mp.pi / 180) if in_angle else degrees
        if name == "percent":
            return self.divided(self._value(args[0], in_angle=False), Fraction(100))
        is_angle = name in _OF_ANGLES or (in_angle and name in _LINEAR)
        values = [self._value(arg, in_angle=is_angle) for arg in args]
        operation = _OPERATIONS.get(name)
        if operation is None:
            raise NoValueError(f"the operation {name}")
        return self._checked(operation(self, *values))

    def _checked(self, value: Value) -> Value:
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
                return _float(value)
            return value
        if isinstance(value, mpmath.mpc) and value.imag == 0:
            return value.real
        return value

    # Operations

    def added(self, a: Value, b: Value) -> Value:
        """Return the sum."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a + b
        return _float(a) + _float(b)

    def multiplied(self, a: Value, b: Value) -> Value:
        """Return the product."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a * b
        return _float(a) * _float(b)

    def divided(self, a: Value, b: Value) -> Value:
        """Return the quotient."""
        if isinstance(b, Fraction) and b == 0:
            raise NoValueError("a division by zero")
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a / b
        divisor = _float(b)
        if not divisor or abs(divisor) < mp.mpf(10) ** -(self.digits - 5):
            raise NoValueError("a division by zero")
        return _float(a) / divisor

    def power(self, base: Value, exponent: Value) -> Value:
        """Return the power, real where it can be."""
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            return self._whole_power(base, exponent.numerator)
        if _is_zero(base):
            if _is_real(exponent) and exponent > 0:
                return Fraction(0)
            raise NoValueError("a power of zero")
        if _is_real(exponent) and _is_real(base):
            if abs(_float(exponent) * mp.log(abs(_float(base)))) > _MAX_LOG:
                raise NoValueError("a power so large")
            if base < 0:
                return self._power_of_negative(base, exponent)
        return mp.power(_float(base), _float(exponent))

    def _whole_power(self, base: Value, exponent: int) -> Value:
        if isinstance(base, Fraction):
            if base == 0 and exponent < 0:
                raise NoValueError("a division by zero")
            bits = log2(max(abs(base.numerator), base.denominator, 1)) * abs(exponent)
            if bits <= _MAX_BITS:
                return base**exponent
            if bits > _MAX_LOG:
                raise NoValueError("a power so large")
        if abs(exponent) > _MAX_LOG:
            raise NoValueError("a power so large")
        if _is_zero(base) and exponent < 0:
            raise NoValueError("a division by zero")
        return _float(base) ** exponent

    def _power_of_negative(self, base: Value, exponent: Value) -> Value:
        """With the real odd root where roots are real."""
        odd = isinstance(exponent, Fraction) and exponent.denominator % 2 == 1
        if self.is_real and odd:
            size = mp.power(-_float(base), _float(exponent))
            return -size if exponent.numerator % 2 else size
        self.left_reals = True
        return mp.power(mp.mpc(_float(base)), _float(exponent))

    def root(self, base: Value, degree: Value) -> Value:
        """Return the root, real where it can be."""
        exact = _exact_root(base, degree)
        return exact if exact is not None else self.power(base, self.divided(Fraction(1), degree))

    def logarithm(self, value: Value, base: Value = None) -> Value:
        """Return the logarithm to a base, or the natural one."""
        if _is_zero(value):
            raise NoValueError("a logarithm of zero")
        if base is None and self.log_base is not None:
            base = Fraction(self.log_base)
        if _is_real(value) and value < 0:
            self.left_reals = True
        found = mp.log(_float(value))
        if base is None:
            return found
        if _is_real(base) and base < 0:
            self.left_reals = True
        return self.divided(found, mp.log(_float(base)))

    def inverse(self, function: Callable[[Value], Value]) -> Callable[[Value], Value]:
        """Return a function that may leave the real numbers, and notes it."""

        def applied(value: Value) -> Value:
            found = function(_float(value))
            if isinstance(found, mpmath.mpc) and found.imag != 0 and _is_real(value):
                self.left_reals = True
            return found

        return applied

    def factorial(self, value: Value) -> Value:
        """Return the factorial, or the gamma function."""
        if isinstance(value, Fraction) and value.denominator == 1:
            if value < 0:
                raise NoValueError("a factorial of a negative number")
            if value <= _MAX_FACTORIAL:
                return Fraction(factorial(value.numerator))
        if abs(value) > 10**6:
            raise NoValueError("a factorial so large")
        return mp.gamma(_float(value) + 1)

    def double_factorial(self, value: Value) -> Value:
        """Return the product of every other number."""
        if isinstance(value, Fraction) and value.denominator == 1 and 0 <= value <= _MAX_FACTORIAL:
            found = 1
            for factor in range(value.numerator, 0, -2):
                found *= factor
            return Fraction(found)
        raise NoValueError("a double factorial of no whole number")

    def binomial(self, n: Value, k: Value) -> Value:
        """Return the binomial coefficient."""
        if all(
            isinstance(value, Fraction) and value.denominator == 1 and 0 <= value <= _MAX_FACTORIAL for value in (n, k)
        ):
            return Fraction(comb(n.numerator, k.numerator))
        return mp.binomial(_float(n), _float(k))

    def whole(self, value: Value, rounded: Callable[[Value], Value]) -> Value:
        """Return the whole number that a value is rounded to."""
        if isinstance(value, Fraction):
            return Fraction(int(rounded(value)))
        if not _is_real(value) or not mp.isfinite(value):
            raise NoValueError("no real number to round")
        nearest = mp.nint(value)
        if abs(value - nearest) < mp.mpf(10) ** -(self.digits - 10):
            return Fraction(int(nearest))
        return Fraction(int(rounded(value)))

    def _repeated(self, name: str, args: tuple[Node, ...]) -> Value:
        variable, low, high, body = args
        if not isinstance(variable, Name):
            raise NoValueError("a sum over what is no letter")
        start, end = (self._value(bound, in_angle=False) for bound in (low, high))
        if not all(isinstance(bound, Fraction) and bound.denominator == 1 for bound in (start, end)):
            raise NoValueError("a sum between bounds that are not whole")
        if not -1 <= end - start <= _MAX_TERMS:
            raise NoValueError("a sum so long, or of fewer than no terms")
        inner = Evaluation(dict(self.point), self.digits, is_real=self.is_real, log_base=self.log_base)
        total: Value = Fraction(0 if name == "sum" else 1)
        for at in range(start.numerator, end.numerator + 1):
            inner.point = {**self.point, variable.name: Fraction(at)}
            value = inner._value(body, in_angle=False)
            total = self.added(total, value) if name == "sum" else self.multiplied(total, value)
        self.left_reals |= inner.left_reals
        return total


def _whole_numbers(function: Callable[..., int]) -> Callable[..., Value]:
    def applied(_: Evaluation, *values: Value) -> Value:
        if not all(isinstance(value, Fraction) and value.denominator == 1 for value in values):
            raise NoValueError("no whole numbers")
        return Fraction(function(*(value.numerator for value in values)))

    return applied


def _extreme(function: Callable[..., Value]) -> Callable[..., Value]:
    def applied(_: Evaluation, *values: Value) -> Value:
        if not all(map(_is_real, values)):
            raise NoValueError("no real numbers")
        return function(*map(_float, values))

    return applied


def _float_of(function: Callable[[Value], Value]) -> Callable[[Evaluation, Value], Value]:
    return lambda _, value: function(_float(value))


def _inverse_of(function: Callable[[Value], Value]) -> Callable[[Evaluation, Value], Value]:
    return lambda at, value: at.inverse(function)(value)


def _modulo(_: Evaluation, value: Value, modulus: Value) -> Value:
    if isinstance(value, Fraction) and isinstance(modulus, Fraction) and modulus != 0:
        return value % modulus
    raise NoValueError("a remainder of no fraction")


_OF_ANGLES: Final = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])
_LINEAR: Final = frozenset(["add", "neg", "mul", "div", "pm", "mp"])
_OPERATIONS: Final[dict[str, Callable[..., Value]]] = {
    "add": Evaluation.added,
    "neg": lambda at, value: at.multiplied(Fraction(-1), value),
    "mul": Evaluation.multiplied,
    "div": Evaluation.divided,
    "pow": Evaluation.power,
    "root": Evaluation.root,
    "ln": lambda at, value: at.logarithm(value, mp.e),
    "log": Evaluation.logarithm,
    "abs": lambda _, value: abs(value),
    "fac": Evaluation.factorial,
    "fac2": Evaluation.double_factorial,
    "binom": Evaluation.binomial,
    "floor": lambda at, value: at.whole(
        value, lambda part: part // 1 if isinstance(part, Fraction) else mp.floor(part)
    ),
    "ceil": lambda at, value: at.whole(
        value, lambda part: -(-part // 1) if isinstance(part, Fraction) else mp.ceil(part)
    ),
    "gcd": _whole_numbers(gcd),
    "lcm": _whole_numbers(lcm),
    "max": _extreme(max),
    "min": _extreme(min),
    "mod": _modulo,
    "sign": lambda _, value: Fraction((value > 0) - (value < 0)),
    "conj": lambda _, value: mp.conj(_float(value)),
    "re": lambda _, value: mp.re(_float(value)),
    "im": lambda _, value: mp.im(_float(value)),
    "arg": lambda _, value: mp.arg(_float(value)),
    **{name: _float_of(getattr(mp, name)) for name in ("sin", "cos", "sinh", "cosh", "tanh")},
    "tan": lambda at, value: at.divided(mp.sin(_float(value)), mp.cos(_float(value))),
    "cot": lambda at, value: at.divided(mp.cos(_float(value)), mp.sin(_float(value))),
    "sec": lambda at, value: at.divided(Fraction(1), mp.cos(_float(value))),
    "csc": lambda at, value: at.divided(Fraction(1), mp.sin(_float(value))),
    "arcsin": _inverse_of(mp.asin),
    "arccos": _inverse_of(mp.acos),
    "arctan": _inverse_of(mp.atan),
    "arccot": _inverse_of(lambda value: mp.pi / 2 - mp.atan(value)),
    "arcsec": _inverse_of(lambda value: mp.acos(1 / value)),
    "arccsc": _inverse_of(lambda value: mp.asin(1 / value)),
}


def _exact_root(base: Value, degree: Value) -> Fraction | None:
    """Return a root that is a fraction, of what is none too large."""
    if not (isinstance(base, Fraction) and isinstance(degree, Fraction)) or degree.denominator != 1 or base < 0:
        return None
    n = degree.numerator
    if not 2 <= n <= 12 or max(base.numerator.bit_length(), base.denominator.bit_length()) > 2_000:
        return None
    top, bottom = _whole_root(base.numerator, n), _whole_root(base.denominator, n)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _whole_root(value: int, degree: int) -> int | None:
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**degree < value:
            low = middle + 1
        else:
            high = middle
    return low if low**degree == value else None


def _float(value: Value) -> Value:
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mp.mpmathify(value)


def _is_real(value: Value) -> bool:
    return isinstance(value, (Fraction, mpmath.mpf))


def _is_zero(value: Value) -> bool:
    return bool(value == 0)


def letters_of(node: Node) -> set[str]:
    """Return the letters that a value needs, without the constants and what sums run over."""
    match node:
        case Name(name):
            return set() if node in CONSTANTS else {name}
        case Indexed(name, Num(value, _)):
            return {f"{name}_{value}"}
        case Call("sum" | "prod", (Name(variable), *others)):
            return set().union(*map(letters_of, others)) - {variable}
        case _:
            return set().union(*map(letters_of, children(node)))

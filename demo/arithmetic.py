"""Arithmetic written out the way the demo teacher thinks: one column a line, ones first."""

from __future__ import annotations

from itertools import zip_longest

PLACES = ("ones", "tens", "hundreds", "thousands", "ten-thousands", "hundred-thousands")


def _digits(number: int) -> list[int]:
    """Return the decimal digits of a natural number, ones first."""
    return [int(digit) for digit in reversed(str(number))]


def _column(place: int, work: str, value: int) -> str:
    """Return one line of column work; a value over nine announces what it carries."""
    carried = f", carry {value // 10}" if value > 9 else ""
    return f"{PLACES[place]}: {work}{carried}"


def addition_lines(a: int, b: int) -> list[str]:
    """Add two natural numbers column by column.

    Columns that only one number has are written with that number's digit alone, and a carry out of the last column
    gets a line of its own, so that the digits of the result can be read off the lines, bottom to top.
    """
    lines = [f"Add {a}+{b}"]
    carry = 0
    columns = list(zip_longest(_digits(a), _digits(b)))
    for place, pair in enumerate(columns):
        terms = [digit for digit in pair if digit is not None]
        if carry:
            terms.append(carry)
        total = sum(terms)
        work = "+".join(map(str, terms))
        lines.append(_column(place, f"{work}={total}" if len(terms) > 1 else work, total))
        carry = total // 10
    if carry:
        lines.append(_column(len(columns), str(carry), carry))
    return [*lines, f"so {a + b}"]


def subtraction_lines(a: int, b: int) -> list[str]:
    """Subtract a natural number `b` from `a >= b` column by column, borrowing ten from the next column when short."""
    lines = [f"Subtract {a}-{b}"]
    borrowed = 0
    for place, (upper, lower) in enumerate(zip_longest(_digits(a), _digits(b))):
        short = upper - borrowed < (lower or 0)
        terms = [upper + 10 if short else upper]
        if borrowed:
            terms.append(1)
        if lower is not None:
            terms.append(lower)
        value = terms[0] - sum(terms[1:])
        work = "-".join(map(str, terms))
        work = f"{work}={value}" if len(terms) > 1 else work
        lines.append(f"{PLACES[place]}: {work}{', borrow 1' if short else ''}")
        borrowed = int(short)
    return [*lines, f"so {a - b}"]


def short_multiplication_lines(a: int, digit: int) -> list[str]:
    """Multiplies a natural number by one digit, column by column."""
    lines = [f"Multiply {a}*{digit}"]
    carry = 0
    for place, upper in enumerate(_digits(a)):
        product = upper * digit
        total = product + carry
        work = f"{upper}*{digit}" + (f"+{carry}={product}+{carry}" if carry else "") + f"={total}"
        lines.append(_column(place, work, total))
        carry = total // 10
    if carry:
        lines.append(_column(len(_digits(a)), str(carry), carry))
    return [*lines, f"so {a * digit}"]


def multiplication_lines(a: int, b: int) -> list[str]:
    """Multiplies `a` by a number `b` below 100: by its ones, by its tens, then the sum of the two."""
    if b < 10:
        return short_multiplication_lines(a, b)
    tens, ones = divmod(b, 10)
    low, high = a * ones, a * tens * 10
    lines = [f"Split {b} into {tens}0 and {ones}"]
    lines += short_multiplication_lines(a, ones)
    lines += short_multiplication_lines(a, tens)
    return [*lines, f"with a zero {high}", *addition_lines(high, low)]

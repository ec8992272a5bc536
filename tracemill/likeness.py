"""How alike two questions are: the cosine of their vectors, corrected by the numbers that they tell.

A model sees what a question is about and hardly its numbers: problems that differ in nothing else have cosines from 0.8
to 0.97, and those told in other words too. Numbers alone say little either, since 2, 3 and 10 are in every other problem.
Together they tell the two apart: the rarer the numbers that both have, the more; and each number that only one has
speaks against it (docs/decontamination.md has the measurements).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracemill.told_numbers import Form, Told

# What numbers are worth, in cosines. The odds by logistic regression on 160 rephrased items of GSM8K test (the half to
# develop on of benchmarks/rephrasings.jsonl) against the 23,700 likest pairs of GSM8K train and test, divided by that of
# the cosine, and rounded. With all-MiniLM-L6-v2; the slope of another model's cosine may be another.
_FIRST_BITS: Final = 4  # without any number in common the cosine stands for itself
_MOST_BITS: Final = 20
_BY_FIRST_BIT: Final = 0.025
_BY_BIT: Final = 0.0065
_BY_MISSING: Final = 0.04
_BY_ADDED: Final = 0.05
MOST_GAINED: Final = _FIRST_BITS * _BY_FIRST_BIT + _MOST_BITS * _BY_BIT
# Bits that a number tells: -log2 of the share of questions that have it, in GSM8K train or MATH, whichever has it more
# often, to half a bit. Others are in fewer than one in 130.
_BITS: Final = {
    Fraction(value): bits
    for bits, values in {
        1.0: "2",
        1.5: "1 3",
        2.0: "0 4 5",
        2.5: "6 10 20",
        3.0: "7 8 1/2",
        3.5: "12 15 30 50",
        4.0: "9 40",
        4.5: "25 60 80 100",
        5.0: "11 13 16 24 200 1/3 1/4",
        5.5: "14 18 150 300 400 500 3/2",
        6.0: "17 35 45 70 75 90 120 1000 2/3 3/4 4/5 7/10",
        6.5: "19 21 27 28 32 36 250 600 1/5 2/5 3/5 5/2",
        7.0: "22 48 180 2000 1/10 7/2",
    }.items()
    for value in values.split()
}
_BITS_OF_OTHERS: Final = 7.5


def likeness(cosine: float, item: Sequence[Told], prompt: Sequence[Told]) -> float:
    """The cosine of a prompt's vector with an item's, higher by the numbers that both tell and lower by all others.

    Returns:
        likeness: at most 1.
    """
    shared, missing = _found(item, prompt)
    _, added = _found(prompt, item)
    bits = sum(_BITS.get(value, _BITS_OF_OTHERS) for value in shared)
    gained = _BY_FIRST_BIT * min(bits, _FIRST_BITS) + _BY_BIT * min(bits, _MOST_BITS)
    return min(1.0, cosine + gained - _BY_MISSING * len(missing) - _BY_ADDED * len(added))


def _found(wanted: Iterable[Told], there: Iterable[Told]) -> tuple[set[Fraction], set[Fraction]]:
    """The distinct values of a text that the other one tells, and those that it neither tells nor explains.

    What is told twice counts once: "3 shirts and 3 hats" are "3 of each".
    """
    strong: set[Form] = set()
    weak: set[Form] = set()
    for told in there:
        (weak if told.is_weak else strong).update(told.forms)
    telling = [told for told in wanted if not told.is_weak]
    shared = {told.value for told in telling if not strong.isdisjoint(told.forms)}
    explained = {told.value for told in telling if not weak.isdisjoint(told.forms)}
    return shared, {told.value for told in telling} - shared - explained

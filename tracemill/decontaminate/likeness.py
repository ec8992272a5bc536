"""How alike two questions are: the cosine of their vectors, corrected by the numbers and formulas that they have.

A model sees what a question is about and hardly its numbers: problems that differ in nothing else have cosines from 0.8
to 0.97, and so have the same problems in other words. Numbers alone say little either, since 2, 3 and 10 are in every
other problem. Together they tell the two apart (docs/decontamination.md has the measurements):

- A story: the rarer the numbers that both tell, the more alike; each that only one tells speaks against it, and that
  nothing makes up for: one number of seven in place of another is another problem.
- An item with formulas: nobody says ``x^2 + 3x`` in other words, so all that sets problems apart in
  ``tracemill/text/number_guard.py`` counts, as often as it stands there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tracemill.decontaminate.told_numbers import told_numbers
from tracemill.text.number_guard import quantities

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.decontaminate.told_numbers import Form, Told

# What numbers are worth, in cosines. The odds by logistic regression on 160 rephrased items of GSM8K test (the half to
# develop on of benchmarks/curation/rephrasings.jsonl) against the 23,700 likest pairs of GSM8K train and test, divided
# by the cosine's, rounded, and the constant given to the first bits. The weight of a missing number was then doubled,
# and nothing makes up for what is lost, so that one number in place of another is too much at 0.9: it costs 2 of the
# 320, and 95 of 1,269 items with one number exchanged still go, 9 in 10 without it. The cosines are all-MiniLM-L6-v2's.
_BY_FIRST_BIT: Final = 0.025  # of the first _FIRST_BITS: without a number in common the cosine stands for itself
_FIRST_BITS: Final = 4
_BY_BIT: Final = 0.0065  # of the first _MOST_BITS
_MOST_BITS: Final = 20
_BY_MISSING: Final = 0.08
_BY_ADDED: Final = 0.05
# Formulas, so that of MATH no more goes against MATH-500 than with the guard alone that there was before.
_BY_SAME_FORMULAS: Final = 0.05
_BY_SIGN: Final = 0.03
_BY_NUMERAL: Final = 0.06  # and by the name of a function
_FUNCTION_NAMES: Final = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp sqrt"
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
MOST_GAINED: Final = max(_FIRST_BITS * _BY_FIRST_BIT + _MOST_BITS * _BY_BIT, _BY_SAME_FORMULAS)
# A command, a power, an equation, or something between dollars that is no amount.
_FORMULA: Final = re.compile(r"\\[a-zA-Z(\[]|\^|\$(?=\S)(?!\.?\d[\d,.]*(?:[\s/)k-]|$))[^$\n]*\$|[a-z]\s*=|=\s*[a-z]")
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


@dataclass(frozen=True)
class Question:
    """A text, read as far as it is needed."""

    text: str

    @cached_property
    def told(self) -> list[Told]:
        """Its numbers."""
        return told_numbers(self.text)

    @cached_property
    def has_formulas(self) -> bool:
        """Whether it is told in signs, at least in part."""
        return _FORMULA.search(self.text) is not None

    @cached_property
    def signs(self) -> Counter[str]:
        """Numbers, operators, names and turning words."""
        return Counter(quantities(self.text))


@dataclass(frozen=True)
class Agreement:
    """What of one text's numbers the other one tells.

    Attributes:
        shared: distinct values that it tells too.
        missing: distinct values that it neither tells nor explains.
        n_unmatched: numbers, as often as they are told, that have no counterpart.
    """

    shared: frozenset[Fraction]
    missing: frozenset[Fraction]
    n_unmatched: int


def likeness(cosine: float, item: Question, prompt: Question) -> float:
    """Return the cosine of a prompt's vector with an item's, corrected by what they tell.

    Returns:
        likeness: at most 1; of a pair with nothing to correct it the cosine.
    """
    gained, lost = _by_formulas(item, prompt) if item.has_formulas else _by_numbers(item, prompt)
    return min(1.0, cosine + gained) - lost


def _by_formulas(item: Question, prompt: Question) -> tuple[float, float]:
    others = (item.signs - prompt.signs) + (prompt.signs - item.signs)
    n_plain = sum(count for sign, count in others.items() if sign[0].isdigit() or sign in _FUNCTIONS)
    return _BY_SAME_FORMULAS, _BY_NUMERAL * n_plain + _BY_SIGN * (others.total() - n_plain)


def _by_numbers(item: Question, prompt: Question) -> tuple[float, float]:
    """Gained and lost.

    What is told twice may be told once ("3 shirts and 3 hats", "3 of each"). Only where a number of the prompt has no
    counterpart either, one was exchanged for the other.
    """
    there, back = agreement(item.told, prompt.told), agreement(prompt.told, item.told)
    n_exchanged = min(there.n_unmatched, back.n_unmatched)
    n_missing, n_added = max(len(there.missing), n_exchanged), max(len(back.missing), n_exchanged)
    bits = sum(_BITS.get(value, _BITS_OF_OTHERS) for value in there.shared)
    gained = _BY_FIRST_BIT * min(bits, _FIRST_BITS) + _BY_BIT * min(bits, _MOST_BITS)
    return gained, _BY_MISSING * n_missing + _BY_ADDED * n_added


def agreement(told: Iterable[Told], by_other: Iterable[Told]) -> Agreement:
    """Return how the numbers of a text agree with those of another."""
    strong: Counter[Form] = Counter()
    weak: set[Form] = set()
    for number in by_other:
        (weak if number.is_weak else strong).update(number.forms)
    shared: set[Fraction] = set()
    missing: set[Fraction] = set()
    n_unmatched = 0
    telling = [number for number in told if not number.is_weak]
    n_told = Counter(number.value for number in telling)
    for value, forms in {number.value: number.forms for number in telling}.items():
        n_there = max(strong[form] for form in forms)
        if n_there:
            shared.add(value)
        elif weak.isdisjoint(forms):
            missing.add(value)
        if weak.isdisjoint(forms):
            n_unmatched += max(0, n_told[value] - n_there)
    return Agreement(frozenset(shared), frozenset(missing), n_unmatched)

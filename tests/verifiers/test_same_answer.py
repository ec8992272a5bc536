"""Whether two references say the same, by the verifiers."""

from __future__ import annotations

import pytest

from tasks.duplicates import agreement
from tracemill.dedup.conflicting_references import Reference

LISTED = "Capital of France?\nA. Lyon\nB. Paris\nC. Nice"
SHUFFLED = "Capital of France?\nA. Paris\nB. Nice\nC. Lyon"
NUMBERED = "Capital of France?\n1) Lyon\n2) Paris\n3) Nice"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1/2", "0.5", True),
        (r"\frac{1}{2}", ".5", True),
        ("12", "12.0", True),
        ("1,000", "1000", True),
        ("x+1", "1+x", True),
        ("x^2-1", "(x-1)(x+1)", True),
        ("x=5", "5", True),
        ("18 dollars", r"\$18", True),
        ("5", "6", False),
        ("-3", "3", False),
        ("Yes", "No", False),
        ("Paris", "Lyon", False),
        (r"\frac{1}{3}", "0.5", False),
        ("proof", "5", None),
        ("n/a", "5", None),
        (r"\frac{1}{2", "3", None),
        ("New York", "Los Angeles", None),
    ],
)
def test_maths(one: str, other: str, same: bool | None) -> None:
    """By value, not by text; what is no answer, or cannot be read, contradicts nothing."""
    pair = Reference("math", one, ""), Reference("math", other, "")
    assert agreement([pair, pair[::-1]]) == [same, same]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("B", LISTED), ("A", SHUFFLED), True),
        (("B", LISTED), ("2", NUMBERED), True),
        (("B", LISTED), ("Paris", LISTED), True),
        (("(B) Paris", LISTED), ("A", SHUFFLED), True),
        (("A, B", LISTED), ("C, A", SHUFFLED), True),
        (("B", LISTED), ("B", SHUFFLED), False),
        (("B", LISTED), ("C", LISTED), False),
        (("B", LISTED), ("Lyon", LISTED), False),
        (("B", ""), ("C", ""), False),
        (("B", ""), ("Paris", ""), None),
    ],
)
@pytest.mark.parametrize("category", ["choice", "math"])
def test_choices(category: str, one: tuple[str, str], other: tuple[str, str], same: bool | None) -> None:
    """Letters are the options they name: one letter is another answer where options stand in another order."""
    pair = Reference("choice", *one), Reference(category, *other)
    assert agreement([pair, pair[::-1]]) == [same, same]


def test_nothing_starts_no_verifiers() -> None:
    """Most batches have nothing to compare."""
    assert agreement([]) == []

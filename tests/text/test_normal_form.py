"""Normal words: the same for a question however it is set, and another's for another question."""

from __future__ import annotations

import pytest

from tracemill.text.normal_form import normal_words, numbers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"$\dfrac{1}{2}$", "1/2"),
        (r"\[\left( x^2 \right)\]", "$(x^{2})$"),
        (r"$x^2 + y_1$", "x² + y₁"),
        (r"$\sqrt{2} \le \pi$", "√2 ≤ π"),
        (r"$a \leqslant b$", "a <= b"),
        (r"$90^\circ$", "90 degrees"),
        (r"$2 \cdot 3x$", "2 * 3 x"),
        (r"\text{if } x", "if x"),
        ("**Find** the `x`!", "find the x"),
        ("1,234,567 people", "1234567 people"),
        ("twenty-five apples", "25 apples"),
        ("Two hundred and five", "205"),
        ("both one hundred and one hundred and fifty", "both 100 and 150"),
        ("3 million", "three million"),
        ("one thousand two hundred thirty-four", "1234"),
        ("the first of them", "the 1st of them"),
        ("−3", "-3"),
        ("a &lt; b", "a < b"),
        ("Compute x", "Evaluate x"),
        ("Janet’s", "Janet's"),
        ("½", "1/2"),
        (r"$x\\y$", "x y"),
    ],
)
def test_settings_of_one_question_are_equal(one: str, other: str) -> None:
    """LaTeX, Unicode, Markdown, HTML and plain text, digits and words give the same words."""
    assert normal_words(one) == normal_words(other)
    assert normal_words(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x + 1", "x - 1"),
        (r"\sin x", r"\cos x"),
        ("3 apples", "4 apples"),
        ("turn left", "turn"),
        ("two and three", "203"),
        ("12,34", "1234"),
        ("21st", "21"),
        ("a < b", "a > b"),
        ("twenty, five", "25"),
        ("Problem twenty\nFive friends", "Problem 25 friends"),
    ],
)
def test_other_questions_stay_apart(one: str, other: str) -> None:
    """Signs, functions, numbers and words that only look like commands still count."""
    assert normal_words(one) != normal_words(other)


def test_every_ideograph_is_a_word() -> None:
    """Text without spaces has words too."""
    assert normal_words("求x的值") == ["求", "x", "的", "值"]


def test_numbers_leave_out_one() -> None:
    """One is a pronoun more often than a number."""
    assert numbers(normal_words("one of 3 boys has three of 1,000 cards")) == {"3": 2, "1000": 1}

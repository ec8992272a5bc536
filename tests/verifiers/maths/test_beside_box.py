"""What stands beside a box in its sentence belongs to what is meant."""

from __future__ import annotations

import pytest

from verifiers.maths.statement import stated
from verifiers.maths.verifier import judge

BEFORE = [
    "half of", "twice", "the square root of", "the reciprocal of", "anything but", "everything except", "other than",
    "different from", "9 or", "either 9 or", "one of 7 or", "between 3 and", "at most", "at least", "up to",
    "a multiple of", "no more than", "minus", "not", "greater than", "3 -", "1/", r"$2\cdot$", "$-3$ or",
]  # fmt: skip
BEHIND = [
    " or 9", " and 9", ", 9", " or more", " or less", " and above", " at least", " or $-9$", " thousand", " dozen",
    " million", r" \times 2", r" \pm 1", " + C", " plus 3", " minus 1", " times 3", " over 3", "/3", "^2", " squared",
    " halves", " and a half", " remainder 3", " i.", " x.", r" is wrong", ". Sorry, it is 9.",
    ".\n\nWait, I made a mistake: the answer should be 9.", " unless n is even", " if $x>0$ and 9 otherwise",
]  # fmt: skip
HARMLESS = [
    "The answer is ${}$ apples.", "The answer is ${}$!", "The answer is **${}$**.",
    "Hence we need at least ${}$ draws.",
    "There are ${}$ times as many.", "So ${}$ and we are done.", "The answer is ${}$, as required.", "Answer - ${}$",
    "- ${}$", "Adding 5 and 3 gives ${}$.", "It is ${}$ (see step 2).", "That is $16/2$, or ${}$.", "${}$ more apples",
    "${}$ quarters", "It is ${}$. Actually, checking again: 5 + 3 is 8.", "We get ${}$ or, in words, eight.",
    "The ratio is $n = {}$ and $m = 3$ was given.", "${}$ modulo 9", "${} = 2^3$", "$2^3 = {}$", "${}$ and ${}$",
]  # fmt: skip


@pytest.mark.parametrize("words", BEFORE)
def test_words_before_a_box_make_another_answer_of_it(words: str) -> None:
    """Of "half of 8", "9 or 8", "at most 8" none is 8."""
    assert judge(f"The answer is {words} $\\boxed{{8}}$.", "8").outcome in {"incorrect", "unverifiable"}


@pytest.mark.parametrize(
    "words",
    [
        "a third of the", "double", "the inverse of", "the absolute value of", "twice as much as",
        "all but", "besides", "distinct from", "The answer is 5 through", "neither 3 nor", "The answer is bounded by",
        "It is close to", "The result is just under", "The value is not quite", r"$x \geqslant$", r"$x \ne$",
        r"$\log$", r"$\cdot$", "A common mistake is", "An erroneous result would be", "By confusing the two you get",
        "If we overlook this it is", "If you misread the question it is",
        "If one neglects friction it is", "If we forget the sign we get",
    ],
)  # fmt: skip
def test_whatever_ends_before_a_box_is_seen(words: str) -> None:
    """Each way of ending that makes another answer of a box is seen, whatever else is looked at first."""
    assert judge(f"Now. {words} $\\boxed{{8}}$.", "8").outcome == "unverifiable"


@pytest.mark.parametrize(
    "words",
    ["Sorry", "Wait", "Actually", "Correction", "Scratch that", "Hold on", "Oops", "On second thought", "My mistake",
     "I made an error", "WAIT", "I made a silly mistake"],
)  # fmt: skip
def test_each_way_of_taking_back_is_seen(words: str) -> None:
    """A box that is corrected behind it states nothing."""
    assert judge(f"So $\\boxed{{8}}$. {words}, it is 9.", "8").outcome == "unverifiable"


@pytest.mark.parametrize("words", BEHIND)
def test_words_behind_a_box_make_another_answer_of_it(words: str) -> None:
    """Of "8 or 9", "8 million", "8 + C" none is 8."""
    assert judge(f"The answer is $\\boxed{{8}}${words}", "8").outcome in {"incorrect", "unverifiable"}


@pytest.mark.parametrize(
    "formula",
    [r"{}\text{ or }9", r"9\text{ or }{}", r"9 \text{ and } {}", r"{}\text{ or more}", r"[{}, \infty)", r"({}, 9]"],
)
def test_words_in_its_formula_make_another_answer_of_a_box(formula: str) -> None:
    r"""Also those in ``\text``, and the other end of an interval."""
    answer = f"So ${formula.replace('{}', chr(92) + 'boxed{8}')}$."
    assert judge(answer, "8").outcome in {"incorrect", "unverifiable"}


@pytest.mark.parametrize("sentence", HARMLESS)
def test_other_words_beside_a_box_change_nothing(sentence: str) -> None:
    """A sentence goes on without touching its answer: units, remarks, how it was found."""
    answer = sentence.replace("{}", r"\boxed{8}")
    assert (judge(answer, "8").outcome, judge(answer, "7").outcome) == ("correct", "incorrect")


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (r"The answer is $\boxed{8}$ million.", "8000000"),
        (r"The answer is $\boxed{4}$ dozen.", "48"),
        (r"So $|\boxed{-8}|$ it is.", "8"),
    ],
)
def test_what_belongs_to_a_number_is_read_with_it(answer: str, reference: str) -> None:
    """A scale word outside of the formula multiplies; bars around a box are an absolute value."""
    assert judge(answer, reference).outcome == "correct"


def test_boxes_of_several_questions_are_no_single_answer() -> None:
    """Two boxes in one paragraph, of which none follows from the other, leave open which is meant."""
    answer = r"Part (a): $\boxed{7}$. Part (b): $\boxed{8}$."
    assert [judge(answer, each).outcome for each in ("7", "8")] == ["unverifiable"] * 2


@pytest.mark.parametrize("link", ["so", "and therefore", "which gives", "; the final answer is", "=", "\n\nNow"])
def test_a_box_that_follows_from_another_is_the_answer(link: str) -> None:
    """Of an intermediate result and what is derived from it the last counts."""
    assert stated(rf"We have $\boxed{{7}}$ {link} $\boxed{{8}}$.", "8").text == "8"

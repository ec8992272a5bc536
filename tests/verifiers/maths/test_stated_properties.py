"""Frames around a number: which state it, and which only speak of it, whatever the number is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.maths.verifier import judge

STATING = [
    "The answer is {}.", "The answer is ${}$.", "**Answer:** {}", "#### {}", r"\boxed{{{}}}", r"$x=\boxed{{{}}}$",
    "Therefore, the total is {} apples.", "So 3 + 5 = ... no matter: the answer is {}", "答案是{}。", "Ответ: {}",
    r"\boxed{{{}}}. As you asked for \boxed{{}} format.", r"Not 1, but \boxed{{{}}}.",
    r"so there must be at least \boxed{{{}}}.",
    r"We need $\frac{{6}}{{2}}$ or $\boxed{{{}}}$ more.",
]  # fmt: skip
SPEAKING = [
    "The answer is not {}.", "The answer is the cube of {}.", "The answer is the reciprocal of {}.", "Nobody gets {}.",
    "By Theorem {}, the claim follows.", "See equation ({}).", "The answer is base {}.", "Perhaps {}.", "{} or 1?",
    "- \\boxed{{1}}\n- \\boxed{{2}}\n- \\boxed{{{}}}", "1. \\boxed{{1}}\n2. \\boxed{{{}}}",
    r"$\boxed{{{}}}\text{{ million}}$",
    r"$\boxed{{{}}}\text{{ or more}}$", r"\boxed{{{}}} or 1", r"either \boxed{{{}}} or 1", r"\boxed{{{}}} or more",
    r"It would be wrong to say \boxed{{{}}}.", r"\boxed{{1}}. A common mistake is \boxed{{{}}}.",
    r"The values are 1 or \boxed{{{}}}.",
    r"\boxed{{1}}. Do not confuse it with \boxed{{{}}}.", r"\boxed{{1}}. If we forgot one, we would get \boxed{{{}}}.",
    r"\boxed{{1}}, whereas \boxed{{{}}} would be right for n=3.", "Unlike {}, it is 1.", "#### not {}",
]  # fmt: skip
NUMBERS = st.integers(20, 90_000)


@pytest.mark.parametrize("frame", STATING)
@given(number=NUMBERS)
def test_a_number_that_is_stated_counts(frame: str, number: int) -> None:
    """The number that a frame states is right for itself, and never for another one."""
    assert judge(frame.format(number), str(number)).outcome == "correct"
    assert judge(frame.format(number), str(number + 1)).outcome != "correct"


@pytest.mark.parametrize("frame", SPEAKING)
@given(number=NUMBERS)
def test_a_number_that_is_only_spoken_of_is_no_answer(frame: str, number: int) -> None:
    """A number that is denied, one of several, a reference or what something is taken of is never right."""
    assert judge(frame.format(number), str(number)).outcome != "correct"

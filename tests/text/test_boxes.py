"""Boxed answers in every spelling, of responses and of references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.sources.layouts.columns import is_choice, without_prefix, without_suffix
from tracemill.text.boxes import Box, last_box, last_boxed, unboxed
from verifiers.maths.verifier import judge
from verifiers.reference_reader import VerifiersReader

SPELLINGS = [
    (r"\boxed{5}", "5"),
    (r"\box{5}", "5"),
    (r"\fbox{5}", "5"),
    ("\\boxed {5}", "5"),
    ("\\boxed\n{5}", "5"),
    ("\\boxed  \n  {5}", "5"),
    (r"\boxed 5", "5"),
    (r"\boxed5", "5"),
    ("\\boxed\n5", "5"),
    (r"$\boxed 5$.", "5"),
    (r"\(\boxed 5\)", "5"),
    (r"\[ \boxed 5 \]", "5"),
    (r"**\boxed 5**", "5"),
    (r"(\boxed 5)", "5"),
    (r"{\boxed 5}", "5"),
    (r"\boxed 5. That is all.", "5"),
    (r"答案是\boxed 5。", "5"),
    (r"\boxed 5</answer>", "5"),
    (r"\boxed 5 - a nice number", "5"),
    (r"\boxed\frac12", r"\frac12"),
    (r"\boxed \frac{1}{2}$", r"\frac{1}{2}"),
    (r"\boxed -\frac{1}{2}", r"-\frac{1}{2}"),
    (r"\boxed 3/4$", "3/4"),
    (r"\boxed 3 / 4$", "3 / 4"),
    (r"\boxed 2 \sqrt{2}$", r"2 \sqrt{2}"),
    (r"\boxed \sqrt 2$", r"\sqrt 2"),
    (r"\boxed 10^{-3}.", "10^{-3}"),
    (r"\boxed 3.14.", "3.14"),
    (r"\boxed 1,000.", "1,000"),
    (r"\boxed 50\%", r"50\%"),
    (r"\boxed (3, 4)$", "(3, 4)"),
    (r"\boxed [1,2)$", "[1,2)"),
    (r"\boxed \{1, 2\}$", r"\{1, 2\}"),
    (r"\boxed\left(3,4\right)", r"\left(3,4\right)"),
    (r"\boxed x=5$", "x=5"),
    (r"\boxed \text{B}", r"\text{B}"),
    (r"\boxed B.", "B"),
    (r"\boxed{\boxed{5}}", "5"),
    (r"\boxed{\box{5}}", "5"),
    (r"\boxed\boxed{5}", "5"),
    (r"\boxed{\{1\}}", r"\{1\}"),
    (r"\boxed{a \} b}", r"a \} b"),
    (r"\boxed{5}}", "5"),
    (r"first \boxed{1}, then \box{2}", "2"),
    (r"\boxed{5}. I put it in \boxed{}.", "5"),
    (r"\boxed{5}. I put it in \boxed form.", "5"),
    (r"\boxed{5}, as asked in \boxed (see above).", "5"),
    # mentions, other commands, and what is never closed
    (r"\boxed{}", None),
    (r"\boxed{ }", None),
    (r"\boxed{\boxed{}}", None),
    (r"\boxed", None),
    (r"Put it in \boxed and be done.", None),
    (r"\boxplus 5", None),
    (r"\boxed_5", None),
    (r"\fboxsep 3", None),
]


@pytest.mark.parametrize(("text", "content"), SPELLINGS)
def test_what_is_in_the_last_box(text: str, content: str | None) -> None:
    """The last box that holds anything, however it is written; mentions are none."""
    assert last_box(text) == (None if content is None else Box(content))
    assert last_boxed(text) == content


@pytest.mark.parametrize("text", [r"\boxed{5", r"\boxed{{5}", r"\boxed{1} or \box{2", "\\boxed {5\n\nand so on"])
def test_a_box_that_is_never_closed_is_no_answer(text: str) -> None:
    """An answer that was cut off is none; of a solution an earlier box counts."""
    assert last_box(text) == Box(None)
    assert last_boxed(text) == ("1" if "1" in text else None)
    assert judge(text, "5").outcome == "incorrect"
    assert judge(r"\boxed{5}", text).cause == "reference"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("5", "5"),
        (r"\boxed 5", "5"),
        (r"$\box{5}$", "5"),
        (r"The answer is \boxed{5}.", "5"),
        ("We add. Then we add again. So it is \\boxed{5}.", "5"),
        (r"\boxed{1}, \boxed{2}", "1, 2"),
        (r"$\boxed{1}$ and $\boxed{2}$", "1, 2"),
        (r"we get \boxed{1} and so \boxed{2}", "2"),
        (r"\boxed{}", ""),
    ],
)
def test_the_answer_in_a_reference(reference: str, answer: str) -> None:
    """A reference that holds a box is what is in it; nothing but boxes is a list."""
    assert unboxed(reference) == answer


@pytest.mark.parametrize("reference", [r"\boxed 5", r"\boxed5", r"\box{5}", r"$\fbox{5}$", r"\boxed{\boxed{5}}"])
@pytest.mark.parametrize("answer", [r"\boxed{5}", r"\box{5}", r"\boxed 5", "The answer is 5."])
def test_spellings_on_both_sides(reference: str, answer: str) -> None:
    """However reference and answer box the same number, it is right; and the reference can be used."""
    assert judge(answer, reference).outcome == "correct"
    assert judge(r"\boxed{6}", reference).outcome == "incorrect"
    assert VerifiersReader().why_unusable("math", "?", reference) is None


def test_a_boxed_letter_is_a_choice() -> None:
    """A reference that boxes a letter names an option of the prompt."""
    prompt = "Which?\nA. one\nB. two\nC. three"
    assert is_choice(prompt, r"\boxed{B}")
    assert VerifiersReader().letter(r"\boxed{\text{B}}", {"A": "one", "B": "two"}) == "B"
    assert VerifiersReader().why_unusable("choice", prompt, r"\box B") is None


@pytest.mark.parametrize("name", ["boxed", "box", "fbox"])
def test_glued_on_instructions(name: str) -> None:
    """Instructions on boxes are taken off, whatever they call the box."""
    assert without_prefix(rf"Return your final response within \{name}{{}}. Find x.").prompt == "Find x."
    assert without_suffix(rf"Find x. Present the answer in LaTex format: \{name}{{Your answer}}") == "Find x."


@given(st.lists(st.sampled_from([r"\boxed", r"\box", "{", "}", "(", ")", " ", "\n", "$", "5", r"\frac", "or", "."])))
def test_any_text_is_read(pieces: list[str]) -> None:
    """Whatever stands where, what is read is a piece of the text."""
    text = "".join(pieces)
    box = last_box(text)
    assert box is None or box.content is None or box.content.split(r"\box")[0].strip() in text
    assert isinstance(unboxed(text), str)


def test_a_hostile_text_takes_no_time() -> None:
    """A hundred thousand boxes that are never closed are not each read to the end."""
    assert last_boxed(r"\boxed{" * 100_000) is None
    assert last_box(r"\boxed " * 100_000) is None

"""Choice and short answers: letters, option texts, numbers, with and without boxes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Verdict
from tracemill.recipe.sections.verify import Verify
from tracemill.text.think import UNCLOSED_THINK
from verifiers import Attempt, VerifierSet, verify
from verifiers.choice_options import options_of
from verifiers.sandbox.protocol import NoSandbox

LINES = "Which is largest?\nA. a mouse\nB. a whale\nC. a cat\nD. 12 cm"
INLINE = "Which is largest? (A) a mouse (B) a whale (C) a cat (D) 12 cm"
NUMBERED = "Which swims? 1) cat 2) eel 3) dog"
TWINS = "Which?\nA) red\nB) blue\nC) blue"


def judged(prompt: str, reference: str | None, answer: str, fault: str | None = None) -> Verdict:
    with VerifierSet(Verify(workers=1), sandbox=NoSandbox("none")) as verifier_set:
        [verdict] = verify(
            [Attempt("r", "choice", prompt, answer, reference_answer=reference, fault=fault)], verifier_set
        )
    return verdict


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        (LINES, {"A": "a mouse", "B": "a whale", "C": "a cat", "D": "12 cm"}),
        (INLINE, {"A": "a mouse", "B": "a whale", "C": "a cat", "D": "12 cm"}),
        ("Q\nA) one\nB) two", {"A": "one", "B": "two"}),
        ("Q\nA: one\nB: two\n\nThink well.", {"A": "one", "B": "two"}),
        ("Q\n**A.** one\n**B.** two", {"A": "one", "B": "two"}),
        ("Q\n- A. one\n- B. two", {"A": "one", "B": "two"}),
        ("Q\na) one\nb) two", {"A": "one", "B": "two"}),
        ("Q\n1. one\n2. two\n3. three", {"A": "one", "B": "two", "C": "three"}),
        ("Q\n[A] one\n[B] two", {"A": "one", "B": "two"}),
        ("选择：\nA．一\nB．二", {"A": "一", "B": "二"}),
        ("Example: A. x B. y\nNow:\nA. one\nB. two", {"A": "one", "B": "two"}),
        ("What is 3. something", {}),
        ("Only A. one", {}),
        ("Plan B) is better than plan C).", {}),
    ],
)
def test_options(prompt: str, options: dict[str, str]) -> None:
    """Options are read in the shapes that data sets write them; a lone label lists none."""
    assert options_of(prompt) == options


@pytest.mark.parametrize(
    ("prompt", "reference", "answer", "outcome"),
    [
        # boxed letters
        (LINES, "B", r"\boxed{B}", "correct"),
        (LINES, "B", r"\boxed{C}", "incorrect"),
        (LINES, "B", r"\boxed{\text{B}}", "correct"),
        (LINES, "B", r"\boxed{\textbf{(B)}}", "correct"),
        (LINES, "B", r"\boxed{(B)\ a whale}", "correct"),
        (LINES, "B", r"\boxed{B. a whale}", "correct"),
        (LINES, "B", r"\boxed{b}", "correct"),
        (LINES, "(B)", r"\boxed{B}", "correct"),
        (LINES, "B.", r"\boxed{B}", "correct"),
        (LINES, "B", r"first \boxed{A}, then \boxed{B}", "correct"),
        (LINES, "B", r"\boxed{A or B}", "unverifiable"),
        (LINES, "B", r"\boxed{A and B}", "incorrect"),
        (LINES, "B", r"\boxed{}", "incorrect"),
        # option texts
        (LINES, "B", r"\boxed{a whale}", "correct"),
        (LINES, "B", r"\boxed{A whale.}", "correct"),
        (LINES, "B", r"\boxed{a cat}", "incorrect"),
        (LINES, "a whale", r"\boxed{B}", "correct"),
        (LINES, "a whale", r"\boxed{C}", "incorrect"),
        (LINES, "a whale", r"\boxed{a whale}", "correct"),
        (LINES, "D", r"\boxed{12 cm}", "correct"),
        (LINES, "B", r"\boxed{an elephant}", "unverifiable"),
        (TWINS, "B", r"\boxed{blue}", "unverifiable"),
        (TWINS, "blue", r"\boxed{B}", "unverifiable"),
        (TWINS, "A", r"\boxed{red}", "correct"),
        (LINES, "H", r"\boxed{H}", "unverifiable"),
        (LINES, "B", r"\boxed{B. a cat}", "unverifiable"),
        (NUMBERED, "2", r"\boxed{2}", "correct"),
        (NUMBERED, "2", r"\boxed{eel}", "correct"),
        (NUMBERED, "2", r"\boxed{2) eel}", "correct"),
        (NUMBERED, "eel", r"\boxed{3}", "incorrect"),
        (NUMBERED, "2", r"\boxed{2) cat}", "unverifiable"),
        ("How many? 1) 3 2) 1 3) 2", "3", r"\boxed{3}", "unverifiable"),  # the third, or the first
        # statements without a box
        (LINES, "B", "The answer is B.", "correct"),
        (LINES, "B", "The answer is (B).", "correct"),
        (LINES, "B", "Answer: B", "correct"),
        (LINES, "B", "**Answer: B**", "correct"),
        (LINES, "B", "The correct answer is **B**.", "correct"),
        (LINES, "B", "The correct option is B, because whales are huge.", "correct"),
        (LINES, "B", "So the final answer is option B", "correct"),
        (LINES, "B", "The best choice is: C", "incorrect"),
        (LINES, "B", "The wrong answer is B, an incorrect answer is B.\nC", "incorrect"),
        (LINES, "B", "The answer is a whale.", "correct"),
        (LINES, "B", "Whales are huge.\n\nB", "correct"),
        (LINES, "B", "Whales are huge.\n**B**", "correct"),
        (LINES, "B", "Whales are huge.\n(B) a whale", "correct"),
        (LINES, "B", "Cats are huge.\n\nC", "incorrect"),
        (LINES, "B", "The answer is A. No: the answer is B.", "unverifiable"),
        (LINES, "B", "The answer is B. Again, the answer is (B).", "correct"),
        (LINES, "B", "The answer is A or B.", "unverifiable"),
        (
            LINES,
            "B",
            "I cannot tell which of all these animals it is that you have in mind, dear friend",
            "unverifiable",
        ),
        (LINES, "B", "答案是B。", "correct"),
        (LINES, "B", "故选：C", "incorrect"),
        (LINES, "B", "", "incorrect"),
        (INLINE, "C", "The answer is (C)", "correct"),
        # several letters
        (LINES, "A, C", r"\boxed{A, C}", "correct"),
        (LINES, "AC", r"\boxed{C, A}", "correct"),
        (LINES, "A and C", r"\boxed{AC}", "correct"),
        (LINES, "A, C", r"\boxed{A}", "incorrect"),
        (LINES, "ACD", r"\boxed{A, B, D}", "incorrect"),
        # short answers, no options
        ("Capital of France?", "Paris", r"\boxed{Paris}", "correct"),
        ("Capital of France?", "Paris", "The answer is paris.", "correct"),
        ("Capital of France?", "Paris", r"\boxed{\text{London}}", "incorrect"),
        ("How many?", "12", r"\boxed{12.0}", "correct"),
        ("How many?", "12", "The answer is 1,200.", "incorrect"),
        ("How many?", "1,200", "Answer: 1200", "correct"),
        ("How many?", "1/2", r"\boxed{\frac{1}{2}}", "correct"),
        ("True or false?", "True", "The answer is true.", "correct"),
        ("True or false?", "True", "The answer is false.", "incorrect"),
        ("Which one?", "B", r"\boxed{B}", "correct"),
        ("Which one?", "B", r"\boxed{the second}", "unverifiable"),
        # unusable references
        (LINES, None, r"\boxed{B}", "unverifiable"),
        (LINES, "", r"\boxed{B}", "unverifiable"),
        (LINES, "notfound", r"\boxed{B}", "unverifiable"),
        (
            LINES,
            "It depends on what one takes for large, and on how that is measured here",
            "B",
            "unverifiable",
        ),
    ],
)
def test_verdicts(prompt: str, reference: str | None, answer: str, outcome: str) -> None:
    """What names the reference's option is correct, another is incorrect, and what reads in two ways is neither."""
    found = judged(prompt, reference, answer)
    assert (found.outcome, found.verifier) == (outcome, "choice@5"), found.detail


STATED = [
    "The answer is {}.", "Answer {}", "Answer: **{}**", "<answer>{}</answer>", "I choose {}.", "Choose {}.",
    "It is {}.",
    "Hence, option ({}).", "The letter is {}.", "Thus {} is the only correct option.", "The answers are {}.",
    "The correct answer is {}, and not any other.", "答えは{}です。", "정답: {}", "因此，正确的选项是 {}。", "“{}”",
    "{}\n\nExplanation: so it must be.", "I would go with {}.", "If it swims, then the answer is {}.",
]  # fmt: skip
WEIGHED = [
    "The answer is not {}.", "Do not choose {}.", "Nobody would choose {}.", "I doubt that {} is correct.", "故不选{}",
    "It is false that {} is correct.", "If {} is correct, then cats swim.", "which option is {}", "Not {}",
    "{} is wrong.",
    "It is unlikely that the answer is {}.", "I wonder whether the answer is {}.", "{}错误", "Everything except {}",
]  # fmt: skip


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"), st.sampled_from(STATED))
def test_a_choice_may_be_stated_in_many_words(gold: str, letter: str, words: str) -> None:
    """Whatever the words in which a letter is chosen, the verdict is that on the letter."""
    assert judged(LINES, gold, words.format(letter)).outcome == ("correct" if gold == letter else "incorrect")


@given(st.sampled_from("ABCD"), st.sampled_from(WEIGHED))
def test_a_choice_that_is_only_weighed_is_not_made(gold: str, words: str) -> None:
    """A letter that is denied, doubted, asked or supposed is never taken for the answer."""
    assert judged(LINES, gold, words.format(gold)).outcome != "correct"


@pytest.mark.parametrize("shape", ["{0}. {1}", "{0}) {1}.", "{0} - {1}", "{0} ({1})", "{1} ({0})", "**{0}: {1}**"])
@pytest.mark.parametrize("frame", ["{}", "The answer is {}", "Answer: {}", r"\boxed{{{}}}"])
def test_a_label_beside_a_text(shape: str, frame: str) -> None:
    """A letter with its own option's text is that option; with another option's text it is none."""
    assert judged(LINES, "B", frame.format(shape.format("B", "a whale"))).outcome == "correct"
    assert judged(LINES, "B", frame.format(shape.format("C", "a cat"))).outcome == "incorrect"
    assert judged(LINES, "B", frame.format(shape.format("B", "a cat"))).outcome == "unverifiable"


PLANETS = "Which planet is largest?\n\nA. Mars\nB. Jupiter\nC. Venus\nD. Earth"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("A is wrong, so B.", "correct"),
        ("A is too small. So it's B.", "correct"),
        ("C is right, hence C.", "incorrect"),
        ("Therefore, option (b) is correct.", "correct"),
        ("Option (c) is right.", "incorrect"),
        ("The largest planet is Jupiter.", "correct"),
        ("The largest planet is Mars.", "incorrect"),
        ("The largest planet is not Jupiter.", "unverifiable"),
        ("Hence B. Wait, actually C.", "incorrect"),
        ("Hence A. Hold on, B.", "correct"),
        ("The answer is B. Wait, actually it's C.", "unverifiable"),
        ("Every option except B is right.", "unverifiable"),
        (r"\boxed{B} or D", "unverifiable"),
        (r"D or $\boxed{B}$", "unverifiable"),
        (r"\boxed{B}/D", "unverifiable"),
        (r"The answer is $\boxed{B}$, or Jupiter.", "correct"),
    ],
)
def test_what_is_concluded_or_taken_back(answer: str, outcome: str) -> None:
    """What is concluded last counts; another letter beside it, or a denial, leaves it open."""
    assert judged(PLANETS, "B", answer).outcome == outcome


def test_a_response_that_never_ends_its_thinking_is_wrong() -> None:
    """An answer that stands inside an unclosed think part is none."""
    assert judged(LINES, "B", "", UNCLOSED_THINK).outcome == "incorrect"


@given(
    st.sampled_from("ABCD"),
    st.sampled_from("ABCD"),
    st.sampled_from(["{}", "({})", "[{}]", "**{}**", "{}.", r"\text{{{}}}"]),
)
def test_brackets_and_case_change_nothing(gold: str, letter: str, shape: str) -> None:
    """However a letter is dressed, the verdict is that on the letter."""
    expected = "correct" if gold == letter else "incorrect"
    for text in (shape.format(letter), shape.format(letter.lower())):
        assert judged(LINES, gold, f"\\boxed{{{text}}}").outcome == expected
        assert judged(LINES, gold, f"The answer is {text}").outcome == expected


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_it(prompt: str, reference: str, answer: str) -> None:
    """Any prompt, reference and answer get a verdict."""
    assert judged(prompt, reference, answer).outcome in ("correct", "incorrect", "unverifiable")

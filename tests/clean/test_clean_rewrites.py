"""Labels are cut off questions, and multiple choice becomes an open question where it can."""

from __future__ import annotations

import pytest

from tracemill.clean.rewrites import Rewriting, filled_in, without_labels
from tracemill.text.options import is_multiple_choice, lettered_options
from verifiers.reference_reader import VerifiersReader

LETTER = VerifiersReader().letter


@pytest.mark.parametrize(
    ("prompt", "question", "labels"),
    [
        ("Question: How many?", "How many?", ["Question:"]),
        ("Problem 12. Find x.", "Find x.", ["Problem 12."]),
        ("**Example 3** Find x.", "Find x.", ["**Example 3**"]),
        ("Q7: What is 3 + 4?\nAnswer:", "What is 3 + 4?", ["Q7:", "Answer:"]),
        ("What is 3 + 4? Answer:", "What is 3 + 4?", ["Answer:"]),
        ("12. Find x.", "Find x.", ["12."]),
        ("3. (15 points) Given x, find y.", "Given x, find y.", ["3.", "(15 points)"]),
        ("(2014 AMC 10A) Find x.", "Find x.", ["(2014 AMC 10A)"]),
        ("（2009•福州）已知x=1，求2x。", "已知x=1，求2x。", ["（2009•福州）"]),
        ("例1：已知x=1，求2x。", "已知x=1，求2x。", ["例1："]),
        ("【题目】小明有3个苹果，吃了1个，还剩几个？", "小明有3个苹果，吃了1个，还剩几个？", ["【题目】"]),
        ("3. （5 分) 已知x=1，求2x。", "已知x=1，求2x。", ["3.", "（5 分)"]),
        ("7、已知x=2，求x+1。答案：", "已知x=2，求x+1。", ["7、", "答案："]),
    ],
)
def test_labels_are_cut_off(prompt: str, question: str, labels: list[str]) -> None:
    """What is around the question goes, and is told."""
    assert without_labels(prompt) == (question, labels)


@pytest.mark.parametrize(
    "prompt",
    [
        "Question your beliefs. Why?",
        "Question 4 on the test has 3 parts. How many points is each?",
        "Problem 12 is harder than problem 13. By how much?",
        "1.5 litres of water cost 3 dollars. How much is one litre?",
        "1. Find x. 2. Find y.",
        "(2000 - 3) + 5 = ?",
        "(a) Find x. (b) Find y.",
        "Q: 1 + 1? A: 2\nQ: 2 + 2?",
        "Answer:",
        "Problem 12.",
        "The answer: what is it?",
        "2009年小明10岁，2019年他几岁？",
    ],
)
def test_what_belongs_to_the_question_stays(prompt: str) -> None:
    """Numbers and words of the question itself, lists and several questions are left alone."""
    assert without_labels(prompt) == (prompt, [])


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("What?\nA. one\nB. two\nC. three", ["one", "two", "three"]),
        ("What? (A) $1$ (B) $2$ (C) $3$", ["$1$", "$2$", "$3$"]),
        ("What? $\\textbf{(A)}\\ 12\\qquad\\textbf{(B)}\\ 15\\qquad\\textbf{(C)}\\ 18$", ["12", "15", "18"]),
        ("What? $\\mathrm{(A) \\ } 1 \\qquad \\mathrm{(B) \\ } 2 \\qquad \\mathrm{(C) \\ } 3$", ["1", "2", "3"]),
        ("等于（  ）A．1  B．2 C．$\\frac{1}{2}$ D．4", ["1", "2", "$\\frac{1}{2}$", "4"]),
        ("What? $ \\textbf{(A)}\\: -1\\qquad\\textbf{(B)} \\: 2\\qquad\\textbf{(C)} ~3^{4} $", ["-1", "2", "3^{4}"]),
        ("What?\nA) 1\nB) 2\nC) 3\n\nEnter the letter.", ["1", "2", "3"]),
        ("What?\n**A.** 1\n**B.** 2\n**C.** 3", ["1", "2", "3"]),
        ("E.g. A. x B. y C. z. Now:\nA. 1\nB. 2\nC. 3", ["1", "2", "3"]),
        ("Points A, B, C and D lie on a line. How long is AD?", []),
        ("Ann (A), Bob (B) run.", []),
        ("The ratio A: B: C is 1:2:3. What is A?", []),
        ("What? A. one B. two", []),
        ("[asy] D = (A + reflect(B,C) * (A))/2; E = (B + (B))/2; F = (C)/2; [/asy] What is x?", []),
    ],
)
def test_options_and_their_texts(prompt: str, texts: list[str]) -> None:
    """Three or more lettered options in a row are read from plain text and LaTeX; other capital letters are none."""
    assert [option.text for option in lettered_options(prompt)] == texts


def test_a_letter_is_asked_for_without_a_list() -> None:
    """Options may stand in a drawing: who asks for a letter asks a multiple-choice question."""
    assert is_multiple_choice("Which is it? [asy] label('A'); [/asy]\nEnter the letter of the graph.")
    assert not is_multiple_choice("Tom writes 3 letters a day and reads each letter twice. How many is that in a week?")


@pytest.mark.parametrize(
    ("prompt", "reference", "question", "answer"),
    [
        ("What is 7 + 8?\nA. 12\nB. 15\nC. 18", "B", "What is 7 + 8?", "15"),
        (
            "What is 7 + 8?\n(A) $12$\n(B) $15$.\n(C) $18$\nEnter the letter of the option.",
            "(B)",
            "What is 7 + 8?",
            "15",
        ),
        (
            "What is 7 + 8? $\\textbf{(A)}\\ 12\\qquad\\textbf{(B)}\\ 15\\qquad\\textbf{(C)}\\ 18$",
            "15",
            "What is 7 + 8?",
            "15",
        ),
        (
            "How many ways are there to arrange the letters of CAT?\nA. 3\nB. 6\nC. 9",
            "B",
            "How many ways are there to arrange the letters of CAT?",
            "6",
        ),
        ("Evaluate $7+8$\n(A) $12$ (B) $15$ (C) $18$", "B", "Evaluate $7+8$", "15"),
        ("The value of $7+8$ is:\nA) 12\nB) 15\nC) 18", "B", "The value of $7+8$ is ____.", "15"),
        ("若 $x=2$，则 $2 x=(\\quad)$\nA. 3\nB. 4\nC. $5$\n", "B", "若 $x=2$，则 $2 x=(\\quad)$", "4"),
        ("若 $x=2$，则 $x$ 的平方为（ $)$ \nA. 3\nB. 4\nC. 5", "B", "若 $x=2$，则 $x$ 的平方为（ $)$", "4"),
        ("则$x$的值为（  ）A．1  B．2 C．$\\frac{1}{2}$", "C", "则$x$的值为（  ）", "\\frac{1}{2}"),
    ],
)
def test_choices_become_open_questions(prompt: str, reference: str, question: str, answer: str) -> None:
    """Options are cut off, and the right one's text is what an answer is judged by."""
    opened = filled_in(prompt, reference, LETTER)
    assert isinstance(opened, Rewriting)
    assert (opened.prompt, opened.reference) == (question, answer)
    assert opened.told["former_reference"] == reference
    assert opened.told["options"][opened.told["letter"]].strip("$. ") == answer


@pytest.mark.parametrize(
    ("prompt", "reference", "why"),
    [
        ("Which of the following is prime?\nA. 4\nB. 5\nC. 6", "B", "speaks of its options"),
        ("下列哪个数是质数？\nA. 4\nB. 5\nC. 6", "B", "speaks of its options"),
        ("设 $f(x)=x^2$，则（ $)$\nA. 是奇函数\nB. 是偶函数\nC. 是减函数", "B", "speaks of its options"),
        ("What is closest to 3.9?\nA. 4\nB. 5\nC. 6", "A", "speaks of its options"),
        ("What is x?\nA. 4\nB. 5\nC. none of the above", "B", "speak of each other"),
        ("What is x?\nA. 4\nB. 5\nC. 6", "7", "names no option"),
        ("What is x?\nA. 4\nB. 5\nC. 6", "A, B", "names no option"),
        ("What is x?\nA. 4\nB. 5\nC. 6", None, "names no option"),
        ("What is x?\nA. 4\nB. 5\nC. 6\nHere x is the number of sides of a pentagon.", "B", "text follows"),
    ],
)
def test_choices_that_need_their_options(prompt: str, reference: str | None, why: str) -> None:
    """A question that is none without its options is not rewritten, and says why."""
    found = filled_in(prompt, reference, LETTER)
    assert isinstance(found, str)
    assert why in found

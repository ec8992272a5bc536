"""Verdicts on mathematics, as tables; the known false Trues of math-verify; hangs and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracemill.recipe.sections.verify import Verify
from verifiers import Attempt, VerifierSet, WorkerPool, verify
from verifiers.maths.verifier import decide, judge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, wall_s=10, memory_mb=1024) as pool:
        yield pool


def attempt(reference: str | None, answer: str, **more: Any) -> Attempt:
    return Attempt(id="r", category="math", prompt="?", answer=answer, reference_answer=reference, **more)


def outcomes(pairs: list[tuple[str, str]], pool: WorkerPool) -> list[str]:
    attempts = [attempt(reference, rf"Hence $\boxed{{{box}}}$.") for reference, box in pairs]
    return [str(verdict.outcome) for verdict in verify(attempts, VerifierSet(Verify(), pool=pool))]


RIGHT = [
    ("5", "5"),
    ("5", "5."),
    ("5", "5.0"),
    ("-5", "−5"),
    ("1,000", "1000"),
    ("1000", r"1{,}000"),
    ("1000", r"1,\!000"),
    ("1000000", "1 000 000"),
    ("1 000.5", "1000.5"),
    ("$5", "5"),
    (r"\$5", "5"),
    ("18", "18 dollars"),
    ("18", r"\$18.00"),
    ("72", r"72\text{ miles per hour}"),
    (r"5\text{ cm}", "5"),
    (r"5\text{ cm}", r"5\ \mathrm{cm}"),
    (r"5\text{ m}", "5 m"),
    (r"12\text{ cm}^2", r"12 \text{ square cm}"),
    (r"50\%", "50"),
    (r"50\%", "0.5"),
    (r"30^\circ", "30"),
    (r"30^\circ", r"30\text{ degrees}"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac12", "1/2"),
    (r"\dfrac{1}{2}", r"\tfrac{1}{2}"),
    (r"2\frac{1}{2}", "2.5"),
    ("5/2", "2 1/2"),
    (r"\frac{1}{3}", "0.333333"),
    (r"\frac{1}{3}", r"0.\overline{3}"),
    (r"\frac{1}{3}", "0.333..."),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"4\sqrt{2}", "4√2"),
    (r"\frac{\pi}{4}", r"\pi/4"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)"),
    ("x^2+2x+1", "(x+1)^2"),
    ("x=7", "7"),
    ("7", "x = 7"),
    ("x+1", "f(x) = x+1"),
    ("2x+3y=6", "4x+6y=12"),
    ("y=2x+1", "2x-y+1=0"),
    ("xy=1", r"y=\frac{1}{x}"),
    ("3,5", "5,3"),
    ("3,5", r"3 \text{ and } 5"),
    (r"1\pm\sqrt2", r"1+\sqrt2, 1-\sqrt2"),
    (r"x=3 \text{ or } x=5", "3, 5"),
    (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty)\cup(-\infty,2)"),
    ("x<3", r"(-\infty,3)"),
    ("x>1", "1<x"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"),
    (r"\log_2 8", "3"),
    ("10", r"\frac{10!}{9!}"),
    (r"1.5\times10^3", "1500"),
    ("2+3i", "3i+2"),
    ("2i", "(1+i)^2"),
    ("-1", r"e^{i\pi}"),
    (r"\text{Monday}", "monday"),
    ("Yes", r"\text{Yes}."),
    (r"\text{(A)}", "A"),
    (r"\textbf{(B)}\ 5", "B"),
    (r"\textbf{(B)}\ 5", "5"),
    (r"\text{A, B}", "A, B"),
    ("#### 18", "18"),
    ("The answer is $5$.", "5"),
    (r"\emptyset", r"\varnothing"),
    (r"\{\}", r"\emptyset"),
    (r"\text{July 4}", "July 4"),
    (r"6:30\text{ p.m.}", "6:30 pm"),
    ("[-2,7]", r"-2\le x\le 7"),
    ("x<3", r"(-\infty,3)"),
    (r"\$18", "18 dollars"),
    ("6'", "6"),
    (r"(-\infty,0]\cup[1,2)", r"x\le 0\text{ or }1\le x<2"),
]

WRONG = [
    ("5", "6"),
    ("5", "-5"),
    ("1,000", "1,001"),
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    (r"\frac{1}{3}", "0.33"),
    (r"50\%", r"49\%"),
    (r"1-\frac{1}{e}", r"1+\frac{1}{e}"),
    ("4", r"4\sqrt2"),
    ("4", "4√2"),
    ("1", "1-1/e"),
    ("10^{100}", "10^{100}+1"),
    (r"\frac{x}{2^{99}}", r"\frac{x}{2^{98}}"),
    ("2t", "2h"),
    ("2t", "2"),
    ("x^2+2x+1", "(x+1)^3"),
    ("x+y=1", "x+y=2"),
    ("2x+3y=6", "4x+6y=13"),
    ("y=2x+1", "y=3x+1"),
    ("3,5", "3"),
    ("12", "1 2"),
    ("5", "6 m"),
    ("[1,2)", "[1,2]"),
    ("(1,2,3)", "(1,3,2)"),
    (r"(3,\frac{\pi}{2})", r"(\frac{\pi}{2},3)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    ("2+3i", "2-3i"),
    ("2i", "(1-i)^2"),
    (r"\infty", r"-\infty"),
    (r"|x|", "x"),
    (r"5\text{ m}", "6 m"),
    (r"\text{even}", r"\text{odd}"),
    (r"\text{(A)}", "(B)"),
    (r"\textbf{(B)}\ 5", r"(C)\ 6"),
    ("[-2,7]", r"-2<x\le 7"),
    (r"\text{July 4}", "July 5"),
]

# math-verify says True of most of these, and none of them may be called correct; nor are they plainly wrong.
UNVERIFIABLE = [
    (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}", "numerically"),
    (r"2^{-99}", r"2^{-98}", "numerically"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}", "numerically"),
    ("5", "5 m", "may be a unit or a factor"),
    ("1000.99", "1,000.99m²", "may be a unit or a factor"),
    (r"(\frac{1}{2^{99}}, 1)", r"(\frac{1}{2^{98}}, 1)", "numerically"),
    ("0.0000001", "0.0000002", "numerically"),
    ("x=x+1", "y=y+2", "unknowns"),
    (r"1,2,\ldots,n", r"1,3,\ldots,2n-1", "ellipsis"),
    ("1,2,...,n", "1,3,...,2n-1", "ellipsis"),
    ("1.2", "1,2,...,n", "ellipsis"),
    ("1,1,2", "1,2", "elements"),
    ("ABC", "CBA", "another order"),
    (r"\text{ABC}", "CBA", "another order"),
    (r"5\text{ cm}", r"5\text{ kg}", "units"),
    (r"500\text{ dollars}", r"5\text{ m}", "units"),
    ("3:30", "1:10", "times"),
    ("12_3", "11_4", "bases"),
    (r"\{1,2\}", "(1,2)", "a set and"),
    ("7", "2x+3=7", "equation"),
    ("7", "3+5=7", "numerically"),
    (r"\text{no solution}", r"\emptyset", "words"),
    ("???", "5", "reference cannot be read"),
    ("5", "???", "answer cannot be read"),
    ("1/0", "5", "failed"),
    (r"\textbf{(B)}\ 5", r"(C)\ 5", "another letter"),
    ("5", "5,5", "one value and several"),
    (r"(\frac{27}{8},\frac{15}{8})", r"-(\frac{27}{8},\frac{15}{8})", "around a list"),
    (r"(\frac{1}{2},3)", r"\sqrt{(\frac{1}{2},3)}", "around a list"),
    (r"(\frac{1}{2},3)", r"(\frac{1}{2},3)^2", "around a list"),
    (r"\frac{1}{2},3", r"\frac{1}{\frac{1}{2},3}", "around a list"),
    (r"x=\frac{3}{2}", r"\sqrt{x=\frac{3}{2}}", "around a list"),
    (r"\sqrt{2}", r"\sqrt{2}+10^{-18}", "numerically"),
    ("3,3", "3", "one value and several"),
    (r"f'(x)", "f(x)", "marks"),
    (r"x^{\prime}", "x", "marks"),
    ("A^T", "A", "marks"),
    (r"\angle ABC", r"\angle ACB", "another order"),
    ("€18", r"\$18", "currencies"),
    (r"\$18", "18 euros", "units"),
    (r"90^\circ", r"90\text{ rad}", "units"),
    ("5", r"5\text{ is wrong}", "say more"),
]


@pytest.mark.parametrize(("table", "outcome"), [(RIGHT, "correct"), (WRONG, "incorrect")])
def test_table_of_verdicts(table: list[tuple[str, str]], outcome: str, pool: WorkerPool) -> None:
    """Each boxed answer is right or wrong against its reference."""
    found = outcomes(table, pool)
    assert [(*pair, got) for pair, got in zip(table, found, strict=True) if got != outcome] == []


def test_what_cannot_be_told_is_unverifiable_with_its_reason(pool: WorkerPool) -> None:
    """Where equality is claimed wrongly or cannot be told, the verdict is unverifiable, unscored, and says why."""
    attempts = [attempt(reference, rf"\boxed{{{box}}}") for reference, box, _ in UNVERIFIABLE]
    verdicts = list(verify(attempts, VerifierSet(Verify(), pool=pool)))
    expected = [(reference, box, "unverifiable", None, True) for reference, box, _ in UNVERIFIABLE]
    got = [
        (reference, box, verdict.outcome, verdict.score, why in verdict.detail)
        for (reference, box, why), verdict in zip(UNVERIFIABLE, verdicts, strict=True)
    ]
    assert got == expected


@pytest.mark.parametrize(
    "reference",
    [None, "", "  ", "proof", "Proof.", "notfound", "N/A", "nan", "None", "It is prime. So there is none.",
     "All integers that are not divisible by any smaller prime", "1" * 3000],
)  # fmt: skip
def test_a_reference_that_is_no_answer_is_unverifiable(reference: str | None) -> None:
    """Without a checkable reference no answer is right or wrong, not even one of the same text."""
    for answer in (r"\boxed{5}", rf"\boxed{{{reference}}}", "", "no box"):
        judged = decide(answer, reference)
        assert judged is not None
        assert judged.outcome == "unverifiable"
        assert "reference" in judged.detail


@pytest.mark.parametrize(
    ("reference", "answer", "outcome", "extracted"),
    [
        ("5", r"\boxed{4}, no: \boxed{5}", "correct", "5"),
        ("4", r"\boxed{4}, no: \boxed{5}", "incorrect", "5"),
        ("5", r"\boxed{5}. I put it in \boxed{}.", "correct", "5"),
        (r"\frac{1}{2}", r"\boxed{\frac{1}{2}}", "correct", r"\frac{1}{2}"),
        (r"\{1,2\}", r"\boxed{\left\{1,2\right\}} and }", "correct", r"\left\{1,2\right\}"),
        ("5", r"\boxed 5", "correct", "5"),
        ("5", r"\fbox{5}", "correct", "5"),
        ("5", r"hence \boxed{5", "incorrect", None),
        ("12", r"\boxed{5} or \boxed{12", "incorrect", None),
        ("5", "", "incorrect", None),
        ("5", "I do not know.", "incorrect", None),
        ("5", "The answer is 5.", "correct", "5"),
        ("5", "**5**", "correct", "5"),
        ("18", "3 + 4 and so on\n#### 18", "correct", "18"),
        (r"\frac{1}{2}", r"The final answer is $\frac{1}{2}$. I hope it is correct.", "correct", r"\frac{1}{2}"),
        ("4", "The answer is 4√2", "incorrect", "4√2"),
        ("1", "The answer is 1 - 1/e", "incorrect", "1 - 1/e"),
        ("3", "The answer is 3.5", "incorrect", "3.5"),
    ],
)
def test_which_part_of_a_response_is_its_answer(reference: str, answer: str, outcome: str, extracted: str) -> None:
    """The last non-empty box is the answer, else what the response claims."""
    judged = judge(answer, reference)
    assert (judged.outcome, judged.extracted) == (outcome, extracted)


def test_the_think_part_is_not_read(pool: WorkerPool) -> None:
    """A right answer that stands only in the think part does not count; a response that ends there is incorrect."""
    attempts = [
        attempt("5", "I am not sure.", think=r"\boxed{5}"),
        attempt("5", "", fault="unclosed_think"),
    ]
    verdicts = list(verify(attempts, VerifierSet(Verify(), pool=pool)))
    assert [(v.outcome, v.score, v.detail) for v in verdicts] == [
        ("incorrect", 0.0, "no answer found in the response"),
        ("incorrect", 0.0, "the response ends inside its think part"),
    ]


def test_a_power_tower_is_a_timeout_and_the_pool_still_works() -> None:
    """Two answers whose comparison never ends are timeouts, and the rest is judged by the same pool."""
    tower = attempt("9^{9^{9^{9}}}", r"\boxed{9^{9^{9^{8}}}}")
    fine = attempt(r"\sqrt8", r"\boxed{2\sqrt2}")
    with WorkerPool(2, wall_s=3, memory_mb=1024) as pool:
        verdicts = list(verify([fine, tower, fine, tower, fine], VerifierSet(Verify(), pool=pool)))
    assert [v.outcome for v in verdicts] == ["correct", "timeout", "correct", "timeout", "correct"]
    assert [v.score for v in verdicts if v.outcome == "timeout"] == [None, None]
    assert "9^{9^{9^{8}}}" in str(verdicts[1].extracted)


def test_running_out_of_memory_is_not_a_wrong_answer() -> None:
    """A comparison that hits the memory limit is unverifiable and names it, although math-verify swallows the error."""
    hog = attempt("y=x^{1000000000}+x+1", r"\boxed{y=(x+1)^{1000000000}}")
    with WorkerPool(1, wall_s=60, memory_mb=160) as pool:
        [verdict] = verify([hog], VerifierSet(Verify(), pool=pool))
    assert (verdict.outcome, verdict.score) == ("unverifiable", None)
    assert "memory limit of 160 MB" in verdict.detail

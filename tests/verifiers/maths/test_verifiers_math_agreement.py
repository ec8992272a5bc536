"""The cheap path agrees with math-verify, never breaks, and real references pass their own verifier."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracemill.recipe.sections.verify import Verify
from verifiers import Attempt, VerifierSet, WorkerPool, verify
from verifiers.maths.text import last_box
from verifiers.maths.verifier import decide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, wall_s=10, memory_mb=1024) as pool:
        yield pool


def attempt(reference: str, answer: str) -> Attempt:
    return Attempt(id="r", category="math", prompt="?", answer=answer, reference_answer=reference)


INTEGERS = st.integers(-3000, 3000)
DECIMALS = st.decimals(-50, 50, allow_nan=False, allow_infinity=False, places=3)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number as models and data sets write it."""
    a, b = draw(INTEGERS), draw(st.integers(1, 12))
    forms = [
        f"{a}", f"{a:,}", f"{a}.0", f"{draw(DECIMALS):f}", rf"\frac{{{a}}}{{{b}}}", f"{a}/{b}",
        rf"-\dfrac{{{abs(a)}}}{{{b}}}",
        rf"{abs(a) + 1}\frac{{1}}{{{b + 1}}}", rf"{a}\%", rf"\${abs(a)}", rf"{a}^\circ",
    ]  # fmt: skip
    return draw(st.sampled_from(forms))


@settings(max_examples=150, deadline=None)
@given(numbers(), numbers(), st.booleans())
@example(r"\$0", r"0^\circ", False)
@example(r"0\%", r"\$0", False)
def test_the_cheap_path_agrees_with_math_verify(gold: str, box: str, same: bool) -> None:
    """Where the exact path decides on two numbers, math-verify decides in the same way; other units leave it open."""
    from verifiers.maths.symbolic import compare

    box = gold if same else box
    decided = decide(rf"\boxed{{{box}}}", gold)
    if decided is not None and decided.outcome != "unverifiable":
        finding = compare(gold, box, "")["finding"]
        assert (decided.outcome, finding) in {("correct", "equal"), ("incorrect", "different")}


@settings(max_examples=60, deadline=None)
@given(st.integers(-40, 40), st.integers(1, 9), st.integers(1, 5))
def test_a_number_in_two_forms_is_right(top: int, bottom: int, factor: int) -> None:
    """A fraction is right in every form it can be written in, and its neighbour in none."""
    gold = rf"\frac{{{top}}}{{{bottom}}}"
    for form in (f"{top * factor}/{bottom * factor}", rf"\dfrac{{{top * factor}}}{{{bottom * factor}}}"):
        judged = decide(rf"\boxed{{{form}}}", gold)
        assert judged is not None
        assert judged.outcome == "correct"
    wrong = decide(rf"\boxed{{{top * factor + 1}/{bottom * factor}}}", gold)
    assert wrong is not None
    assert wrong.outcome == "incorrect"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"\{}boxed()$^_,.:;%|&0123456789 xyE√∞\n", max_size=60), st.text(max_size=40))
def test_no_text_breaks_the_cheap_path(answer: str, reference: str) -> None:
    """Any answer against any reference is judged or passed on, without an error."""
    judged = decide(answer + rf"\boxed{{{reference}}}", reference or None)
    assert judged is None or judged.outcome in {"correct", "incorrect", "unverifiable"}
    decide(answer, reference)


@pytest.mark.needs_real_data
def test_references_pass_their_own_verifier(real_data: Path, pool: WorkerPool) -> None:
    """Of 300 seeded MATH references at least 99 % are correct against their solutions, respelt so that text differs."""
    rows = rows_of(real_data / "sources" / "math_competition.jsonl", 300)
    references = [box.content or "" for row in rows if (box := last_box(row["solution"]))]
    plain = [attempt(reference, row["solution"]) for reference, row in zip(references, rows, strict=True)]
    respelt = [attempt(reference, rf"\boxed{{{respell(reference)}}}") for reference in references]
    for attempts in (plain, respelt):
        verdicts = list(verify(attempts, VerifierSet(Verify(), pool=pool)))
        assert sum(verdict.outcome == "correct" for verdict in verdicts) >= 0.99 * len(rows)


@pytest.mark.needs_real_data
def test_shifted_references_are_all_wrong(real_data: Path, pool: WorkerPool) -> None:
    """Of 1,000 GSM8K solutions each is correct, and none against its reference plus one."""
    rows = rows_of(real_data / "sources" / "gsm8k_train.jsonl", 1000)
    finals = [row["answer"].rpartition("####")[2].strip() for row in rows]
    answers = [rf"It is $\boxed{{{final}}}$." for final in finals]
    shifted = [str(int(final.replace(",", "")) + 1) for final in finals]
    for references, outcome in ((finals, "correct"), (shifted, "incorrect")):
        attempts = [attempt(reference, answer) for reference, answer in zip(references, answers, strict=True)]
        assert {str(v.outcome) for v in verify(attempts, VerifierSet(Verify(), pool=pool))} == {outcome}


def rows_of(path: Path, count: int) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in random.Random(0).sample(lines, count)]  # noqa: S311 - a seeded sample


def respell(latex: str) -> str:
    """The same answer, spelt so that only its mathematics is the same."""
    return latex.replace(r"\frac", r"\dfrac").replace("(", r"\left(").replace(")", r"\right)") + r"\,"

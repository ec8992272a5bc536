"""The demo's procedural problems: right answers, sound traces, the reply format."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator
from random import Random

import pytest

from demo.arithmetic import addition_lines, multiplication_lines, subtraction_lines
from demo.problems import FAMILIES, Problem, draw
from demo.similarity import jaccard

FORMAT = re.compile(r"<think>\n(?P<think>[^<>]+)\n</think>\n\n(?P<solution>[^<>\n]+ \\boxed\{(?P<boxed>\d+)\}\.)")
EQUATION = re.compile(r"^[a-z-]+: ([\d*+-]+(?:=[\d*+-]+)+)(?:,|$)")


def seeded(seed: int) -> Random:
    """A generator that always draws the same."""
    return Random(seed)  # noqa: S311 - problems, not secrets


def many(family: str, count: int = 300) -> Iterator[Problem]:
    """Easy and hard problems of one family."""
    rng = seeded(7)
    for index in range(count):
        yield FAMILIES[family](rng, index % 2 == 0)


def left_to_right(problem: Problem) -> int:
    """The answer, worked out by Python alone."""
    value, *rest = problem.operands
    for symbol, operand in zip(problem.operators, rest, strict=True):
        value = {"+": operator.add, "-": operator.sub, "*": operator.mul}[symbol](value, operand)
    return value


def value_of(side: str) -> int:
    """The value of one side of an equation: products, added and subtracted."""
    terms = re.findall(r"([+-]?)([\d*]+)", side)
    return sum((-1 if sign == "-" else 1) * math.prod(map(int, term.split("*"))) for sign, term in terms)


@pytest.mark.parametrize("family", FAMILIES)
def test_answer_is_what_python_computes(family: str) -> None:
    """Every problem's answer is what its operators make of its operands."""
    for problem in many(family):
        assert problem.answer == left_to_right(problem), problem


@pytest.mark.parametrize("family", FAMILIES)
def test_prompt_names_exactly_the_operands(family: str) -> None:
    """The numbers in a prompt are the operands and no others, so the text can be solved and has one answer."""
    for problem in many(family):
        assert sorted(map(int, re.findall(r"\d+", problem.prompt))) == sorted(problem.operands), problem.prompt
        assert "{" not in problem.prompt.replace("\\boxed{", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_reply_has_the_format_the_teacher_learns(family: str) -> None:
    """A reply is <think>, the thoughts, </think>, a blank line and a solution that ends with the boxed answer."""
    for problem in many(family):
        match = FORMAT.fullmatch(problem.response)
        assert match, problem.response
        assert int(match["boxed"]) == problem.answer


@pytest.mark.parametrize("family", FAMILIES)
def test_every_equation_in_a_trace_holds(family: str) -> None:
    """Both sides of every equation in a trace are equal."""
    for problem in many(family):
        for line in problem.think.splitlines():
            match = EQUATION.match(line)
            sides = match[1].split("=") if match else []
            assert len({value_of(side) for side in sides}) <= 1, line


@pytest.mark.parametrize("family", FAMILIES)
def test_last_step_of_a_trace_is_the_answer(family: str) -> None:
    """A trace ends with the answer, and its words are few enough for a small model."""
    for problem in many(family):
        assert problem.think.splitlines()[-1] == f"so {problem.answer}"
        assert len(problem.think) < 450


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (addition_lines(95, 7), ["Add 95+7", "ones: 5+7=12, carry 1", "tens: 9+1=10, carry 1",
                                 "hundreds: 1", "so 102"]),
        (addition_lines(3, 204), ["Add 3+204", "ones: 3+4=7", "tens: 0", "hundreds: 2", "so 207"]),
        (subtraction_lines(102, 95), ["Subtract 102-95", "ones: 12-5=7, borrow 1", "tens: 10-1-9=0, borrow 1",
                                      "hundreds: 1-1=0", "so 7"]),
        (multiplication_lines(47, 6), ["Multiply 47*6", "ones: 7*6=42, carry 4", "tens: 4*6+4=24+4=28, carry 2",
                                       "hundreds: 2", "so 282"]),
    ],
)  # fmt: skip
def test_column_work(lines: list[str], expected: list[str]) -> None:
    """Carries, borrows and columns of one number are written out, ones first."""
    assert lines == expected


def test_same_seed_same_problems() -> None:
    """Two generators of the same seed make the same problems."""
    one, other = seeded(3), seeded(3)
    assert [draw(one) for _ in range(50)] == [draw(other) for _ in range(50)]


def test_stories_are_seldom_near_duplicates() -> None:
    """Of all pairs among 200 drawn problems, none reaches the usual near-duplicate threshold of 0.7."""
    rng = seeded(11)
    prompts = [draw(rng).prompt for _ in range(200)]
    pairs = ((a, b) for i, a in enumerate(prompts) for b in prompts[:i])
    assert sum(jaccard(a, b) >= 0.7 for a, b in pairs) == 0

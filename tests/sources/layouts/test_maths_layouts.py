"""Layouts of mathematics sets: rows shaped like theirs, with their traps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason
from tracemill.sources.layouts.traces import R1

NUMINA = {
    "problem": "How many squares are there below 10, if 0 is one?",
    "solution": "They are 0, 1, 4 and 9.",
    "answer": "4",
    "problem_type": "Number Theory",
    "question_type": "math-word-problem",
    "problem_is_valid": "Yes",
    "solution_is_valid": "Yes",
    "source": "olympiads",
    "synthetic": False,
}
OPTIONS = "Which is a square? $\\textbf{(A)}\\ 3 \\qquad \\textbf{(B)}\\ 4 \\qquad \\textbf{(C)}\\ 5$"


def test_numina() -> None:
    """The answer column is the reference; what else the row says is kept."""
    found = one(NUMINA, "numina")
    assert (found.prompt, found.reference_answer, found.category) == (NUMINA["problem"], "4", "math")
    about = {"problem_type": "Number Theory", "question_type": "math-word-problem", "upstream_source": "olympiads"}
    assert found.info == about | {"file": "f", "synthetic": False}
    assert found.traces == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"problem_is_valid": "No"}, "invalid_problem"),
        ({"problem_is_valid": "Incomplete"}, "invalid_problem"),
        ({"problem_is_valid": None}, "invalid_problem"),
        ({"problem_is_valid": False}, "invalid_problem"),
        ({"solution_is_valid": "Problem not solved"}, "invalid_solution"),
    ],
)
def test_numina_flags_are_text(columns: dict[str, Any], expected: str) -> None:
    """A flag is "Yes" or the row is left out: "No" must not count as true."""
    assert reason(NUMINA | columns, "numina") == expected
    assert one(NUMINA | {"problem_is_valid": True}, "numina").reference_answer == "4"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"question_type": "proof"}, "proof"),
        ({"answer": "proof"}, "proof"),
        ({"answer": " Proof "}, "proof"),
        ({"question_type": "MCQ", "answer": "B"}, "options_missing"),
    ],
)
@pytest.mark.parametrize("layout", ["numina", "openr1_math"])
def test_rows_that_nothing_can_judge(columns: dict[str, Any], expected: str, layout: str) -> None:
    """A proof shows in the type or in the answer, and a letter says nothing without options: both are left out."""
    assert reason(NUMINA | {"generations": []} | columns, layout) == expected


@pytest.mark.parametrize("answer", ["notfound", "", None])
def test_numina_without_an_answer(answer: object) -> None:
    """A sentinel is no reference."""
    assert one(NUMINA | {"answer": answer}, "numina").reference_answer is None


@pytest.mark.parametrize(
    ("prompt", "answer", "kind", "category"),
    [
        (OPTIONS, "B", "MCQ", "choice"),
        (OPTIONS, "(B)", "MCQ", "choice"),
        (OPTIONS, "4", "MCQ", "math"),
        (OPTIONS, "B", "math-word-problem", "choice"),
        ("Which vertex of triangle ABC is right-angled?", "B", "math-word-problem", "math"),
    ],
)
def test_numina_letters(prompt: str, answer: str, kind: str, category: str) -> None:
    """A letter is a choice where the problem lists options, whatever the type says."""
    assert one(NUMINA | {"problem": prompt, "answer": answer, "question_type": kind}, "numina").category == category


def openr1(**columns: Any) -> dict[str, Any]:
    kept = {name: NUMINA[name] for name in ("problem", "solution", "answer", "problem_type", "question_type", "source")}
    return (
        kept | {"uuid": "u-1", "generations": ["<think>\nno\n</think>\n\n5", "<think>\nyes\n</think>\n\n4"]} | columns
    )


@pytest.mark.parametrize(
    ("flags", "order"),
    [
        ({"correctness_math_verify": [False, True]}, [1, 0]),
        ({"correctness_math_verify": [False, False], "correctness_llama": [False, True]}, [1, 0]),
        ({"correctness_math_verify": None, "correctness_llama": [None, True]}, [1, 0]),
        ({"correctness_math_verify": [True, True], "correctness_llama": None}, [0, 1]),
        ({"correctness_math_verify": [False]}, [0, 1]),
        ({}, [0, 1]),
    ],
)
def test_openr1_generations(flags: dict[str, Any], order: list[int]) -> None:
    """Every generation is a trace of R1's; those that either judge calls right come first; flags may be missing."""
    traces = one(openr1(**flags), "openr1_math").traces
    assert [trace["generation"] for trace in traces] == order
    assert {trace["model"] for trace in traces} == {R1}
    assert traces[order.index(1)]["answer"] == "4"


def test_openr1_flags_stay_with_their_generation() -> None:
    """What was said of a generation is said of its trace; a null flag is not said."""
    flags = {"correctness_math_verify": [False, True], "correctness_llama": None, "is_reasoning_complete": [True, None]}
    found = one(openr1(**flags), "openr1_math")
    assert found.info["upstream_id"] == "u-1"
    assert found.traces == [
        {"model": R1, "think": "\nyes\n", "answer": "4", "fault": None, "generation": 1, "math_verify": True},
        {"model": R1, "think": "\nno\n", "answer": "5", "fault": None}
        | {"generation": 0, "math_verify": False, "complete": True},
    ]


def test_openr1_with_messages_alone() -> None:
    """A copy without generations keeps the chosen one as a reply; one without either has no trace."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "<think>hm</think>4"}]
    row = openr1(generations=None, messages=messages)
    assert [trace["answer"] for trace in one(row, "openr1_math").traces] == ["4"]
    assert one(openr1(generations=None), "openr1_math").traces == []


def test_openr1_generations_that_are_none() -> None:
    """Generations that are no list drop the row."""
    assert reason(openr1(generations="x"), "openr1_math") == "malformed_generations"


METAMATH = {
    "type": "GSM_AnsAug",
    "query": "Ann buys three lamps at $400 each. What does she pay?",
    "original_question": "Ann buys three lamps at $400 each. What does she pay?",
    "response": "Three times 400 is 1200.\n#### 1200\nThe answer is: 1200",
}


@pytest.mark.parametrize(
    ("response", "reference"),
    [
        (METAMATH["response"], "1200"),
        ("The answer is: 3? No.\nThe answer is: $\\frac{1}{2}$", "$\\frac{1}{2}$"),
        ("Done.\nThe answer is: ", None),
    ],
)
def test_metamath(response: str, reference: str | None) -> None:
    """The reference follows the last "The answer is:"; the response is GPT-3.5's, and no trace."""
    found = one(METAMATH | {"response": response}, "metamath")
    assert (found.prompt, found.reference_answer, found.info["type"]) == (METAMATH["query"], reference, "GSM_AnsAug")
    assert found.traces == []


@pytest.mark.parametrize("response", ["#### 1200", None])
def test_metamath_without_an_answer(response: object) -> None:
    """A response without the mark has no reference to read."""
    assert reason(METAMATH | {"response": response}, "metamath") == "no_reference_marker"


def test_metamath_types_are_for_the_recipe() -> None:
    """Questions that are turned round (FOBAR, SV) are left out where the recipe asks for the others."""
    only = {"type": ["GSM_AnsAug", "GSM_Rephrased"]}
    assert one(METAMATH, "metamath", only=only).info["type"] == "GSM_AnsAug"
    assert reason(METAMATH | {"type": "GSM_FOBAR"}, "metamath", only=only) == "not_selected"


OMNI = {
    "domain": ["Mathematics -> Number Theory"],
    "difficulty": 7.5,
    "problem": "Find all even primes.",
    "solution": "It is $\\boxed{2}$.",
    "answer": "2",
    "source": "a_contest",
}


@pytest.mark.parametrize("answer", ["2", "", None])
def test_omni_math(answer: object) -> None:
    """The answer, or the box of the solution where there is none; domain and difficulty are kept."""
    found = one(OMNI | {"answer": answer}, "omni_math")
    assert found.reference_answer == "2"
    about = {"domain": OMNI["domain"], "difficulty": 7.5, "upstream_source": "a_contest"}
    assert found.info == about | {"file": "f"}


@pytest.mark.parametrize(("answer", "reference"), [(204, "204"), ("204", "204"), (25.0, "25"), ("", None)])
def test_limo(answer: object, reference: str | None) -> None:
    """Answers are numbers where JSON says so; the solution has several authors and is no trace."""
    found = one({"question": "How long is it?", "solution": "Okay, let me see. \\boxed{204}", "answer": answer}, "limo")
    assert (found.reference_answer, found.traces) == (reference, [])


def test_deepmath() -> None:
    """Each of R1's solutions is a trace; they begin inside the reasoning, and one may be missing."""
    row = {"question": "How many?", "final_answer": "4", "difficulty": 5.5, "topic": "Counting"}
    found = one(
        row | {"r1_solution_1": "hm</think>\n\n4", "r1_solution_2": None, "r1_solution_3": "no tags"}, "deepmath"
    )
    assert (found.reference_answer, found.info) == ("4", {"file": "f", "difficulty": 5.5, "topic": "Counting"})
    assert found.traces == [
        {"model": R1, "think": "hm", "answer": "4", "fault": None, "generation": 1},
        {"model": R1, "think": None, "answer": "no tags", "fault": "no_think", "generation": 3},
    ]


def test_big_math() -> None:
    """The answer is the reference; the share that a small model solved is kept, also where it is none."""
    row = {
        "problem": "How many?",
        "answer": "4",
        "source": "orca_math",
        "domain": ["Algebra"],
        "llama8b_solve_rate": 0.0,
    }
    found = one(row, "big_math")
    about = {"domain": ["Algebra"], "llama8b_solve_rate": 0.0, "upstream_source": "orca_math"}
    assert (found.reference_answer, found.info) == ("4", about | {"file": "f"})

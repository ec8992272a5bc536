"""The reference dataset's layout: what a row without a category is taken for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason

OPTIONS = "Which is prime?\nA. 4\nB. 7\nC. 9\nD. 12"
NUMINA = r"What is $1+1$? $\textbf{(A)}\ 1 \qquad \textbf{(B)}\ 2 \qquad \textbf{(C)}\ 3$"


def am_row(prompt: str, reference: object = None, case: object = None) -> dict[str, Any]:
    """A row with one exchange."""
    info = {"source": "x", "reference_answer": reference, "test_case": case}
    reply = {"role": "assistant", "content": "<think>a</think>b", "info": {}}
    return {"messages": [{"role": "user", "content": prompt, "info": info}, reply]}


@pytest.mark.parametrize(
    ("prompt", "reference", "category"),
    [
        (OPTIONS, "B", "choice"),
        (OPTIONS, "(B)", "choice"),
        (OPTIONS, r"\text{B}", "choice"),
        (NUMINA, "B", "choice"),
        ("Choose (A) one or (B) two.", "A", "choice"),
        (OPTIONS, "7", "math"),
        (OPTIONS, "E", "math"),  # no such option
        ("Which vertex of triangle ABC is right-angled?", "B", "math"),
        ("Points A, B and C lie on a line. Which is between the others?", "B", "math"),
        ("Let A. Then what?", "A", "math"),
        (OPTIONS, "BC", "math"),
        ("Say hello.", None, "other"),
        ("Say hello.", "", "other"),
        ("Say hello.", "  ", "other"),
    ],
)
def test_categories_are_guessed_with_care(prompt: str, reference: str | None, category: str) -> None:
    """A letter is a choice only where the prompt has options of such letters; a blank reference is none."""
    assert one(am_row(prompt, reference), "am").category == category


def test_the_recipe_outweighs_the_guess() -> None:
    """A source that the recipe calls something else than maths is not taken for a choice."""
    assert one(am_row(OPTIONS, "B"), "am", category="other").category == "other"


@pytest.mark.parametrize(
    ("source", "model"),
    [
        ("am-0309", "deepseek-r1"),
        ("openR1Math_default", "deepseek-r1"),
        (None, "deepseek-r1"),
        ("data_ablation_full59K", "gemini-2.0-flash-thinking"),
        ("limo", "unknown"),
    ],
)
def test_whose_traces_they_are(source: str | None, model: str) -> None:
    """The reference dataset reused what came along: some of its response sources were not written by R1."""
    row = am_row("What is 1 + 1?", "2")
    row["messages"][1]["info"] = {"source": source}
    assert [trace["model"] for trace in one(row, "am").traces] == [model]


PRIME = {"inputs": ["1\n"], "outputs": ["2\n"]}
STDIO = {"kind": "stdio", "language": "python", "cases": [{"stdin": "1\n", "stdout": "2\n"}]}


@pytest.mark.parametrize(
    ("case", "tests"),
    [
        (["assert f(1) == 2"], {"kind": "assert", "setup": "", "asserts": ["assert f(1) == 2"]}),
        ({"ground_truth": json.dumps(PRIME)}, STDIO),
        (STDIO, STDIO),
        ({"ground_truth": json.dumps(PRIME | {"fn_name": "f"})}, None),
        ({"ground_truth": json.dumps({"inputs": ["1"], "outputs": []})}, None),
        ({"inputs": [{"n": 5}], "outputs": [{"output": 7}]}, None),  # CodeIO: a prediction is asked for
        ({"test_code": None, "test_entry_point": None}, None),  # as Parquet pads it
        ("see the statement", None),
    ],
)
def test_shapes_of_test_case(case: object, tests: dict[str, Any] | None) -> None:
    """Each source's shape is read, as an object or as JSON text; a shape that is no test is none."""
    assert one(am_row("Do it.", None, case), "am").tests == tests
    assert one(am_row("Do it.", None, json.dumps(case)), "am").tests == tests


@pytest.mark.parametrize("info", ["x", 7, None, []])
def test_turns_with_a_strange_info(info: object) -> None:
    """An info that is no object says nothing, and the row is read."""
    row = am_row("What is 1 + 1?")
    row["messages"][0]["info"] = row["messages"][1]["info"] = info
    assert one(row, "am").reference_answer is None


@pytest.mark.parametrize("place", [("messages", 1, "content"), ("messages", 0, "info", "source")])
def test_half_characters_drop_the_row(place: tuple[Any, ...]) -> None:
    """A lone surrogate in a trace or a label makes a malformed row, not a failed shard."""
    row: Any = am_row("What is 1 + 1?", "2")
    *path, last = place
    node = row
    for key in path:
        node = node[key]
    node[last] = "half \ud800"
    assert reason(row, "am") == "invalid_unicode"

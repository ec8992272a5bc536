"""Layouts beyond the first ones: rows shaped like the real ones, with their traps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.runs.adapted_rows import adapted, one, reason
from tracemill.core import RecipeError, UnknownLayoutError
from tracemill.recipe import parse_recipe
from tracemill.sources import Source, raw_tables
from tracemill.sources.collect import collect
from tracemill.sources.layouts.registry import LAYOUTS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_of_another_layout_are_refused(layout: str) -> None:
    """A source none of whose rows has a layout's columns stops the run, with the columns found and those expected."""
    with pytest.raises(UnknownLayoutError) as refused:
        adapted([{"colour": "red", "weight": 3}] * 2, layout)
    assert refused.value.got == "columns colour, weight"
    for alternatives in LAYOUTS[layout].required:
        assert " or ".join(alternatives) in refused.value.expected
    assert layout in refused.value.what


TESTS = {"kind": "assert", "setup": "", "asserts": ["assert f(1) == 2"]}


PLAIN = {"prompt": "Write a function f that doubles.", "answer": "x"}


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_plain_brings_what_it_is_judged_by(encode: Any) -> None:
    """Tests, constraints and history are read from objects and from JSON text alike."""
    constraints = [{"id": "punctuation:no_comma", "kwargs": {"n": None, "m": 2}}, {"id": "x", "kwargs": None}]
    history = [{"role": "user", "content": "Hi"}]
    columns = {"tests": encode(TESTS), "constraints": encode(constraints), "history": encode(history)}
    found = one(PLAIN | columns | {"id": "a7", "reference_solution": "def f(x): ..."}, "plain")
    assert found.tests == TESTS
    assert found.constraints == [{"id": "punctuation:no_comma", "kwargs": {"m": 2}}, {"id": "x", "kwargs": {}}]
    assert found.history == history
    assert (found.info["upstream_id"], found.info["reference_solution"]) == ("a7", "def f(x): ...")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"tests": "{broken"}, "malformed_tests"),
        ({"tests": {"kind": "quantum"}}, "malformed_tests"),
        ({"tests": [1]}, "malformed_tests"),
        ({"constraints": "no_comma"}, "malformed_constraints"),
        ({"constraints": [{"kwargs": {}}]}, "malformed_constraints"),
        ({"constraints": [{"id": "x", "kwargs": [1]}]}, "malformed_constraints"),
        ({"history": ["Hi"]}, "malformed_history"),
        ({"history": [{"role": "user"}]}, "malformed_history"),
    ],
)
def test_plain_columns_that_cannot_be_read(columns: dict[str, Any], expected: str) -> None:
    """A row whose tests, constraints or history are not what they should be is dropped with its reason."""
    assert reason(PLAIN | columns, "plain") == expected


@pytest.mark.parametrize(
    ("columns", "settings", "category"),
    [
        ({}, {}, "math"),
        ({}, {"category": "other"}, "other"),
        ({"category": "choice"}, {}, "choice"),
        ({"category": "Algebra"}, {}, "math"),
        ({"category": ["math"]}, {}, "math"),
        ({"tests": TESTS}, {}, "code"),
        ({"tests": ""}, {}, "math"),
        ({"constraints": [{"id": "x"}]}, {}, "instruction"),
        ({"tests": TESTS, "category": "other"}, {}, "other"),
        ({"kind": "code"}, {"columns": {"category": "kind"}}, "code"),
        ({"kind": None}, {"columns": {"category": "kind"}}, "math"),
    ],
)
def test_plain_categories(columns: dict[str, Any], settings: dict[str, Any], category: str) -> None:
    """The row's own category counts if it is one of ours, then what it is judged by, then the source's."""
    assert one(PLAIN | columns, "plain", **settings).category == category


def test_a_named_category_column_must_hold_categories() -> None:
    """Where the recipe says that a column is the category, another word in it is a malformed row."""
    settings = {"columns": {"category": "kind"}}
    assert reason(PLAIN | {"kind": "Algebra"}, "plain", **settings) == "malformed_category"


def test_columns_name_fields_that_exist() -> None:
    """A misspelt field in columns is refused before anything runs."""
    sources = [{"name": "s", "path": "f", "columns": {"referense": "x"}}]
    with pytest.raises(RecipeError, match="referense"):
        parse_recipe({"name": "r", "sources": sources, "distill": {"teacher": {"model": "m"}}})


def test_constraints_are_part_of_the_id() -> None:
    """Two rows with one prompt and different constraints are two problems."""
    rows = [PLAIN | {"constraints": [{"id": name}]} for name in ("a:b", "a:c")]
    assert len({problem.id for problem in adapted(rows, "plain")[0]}) == 2


MBPP = {
    "text": "Write a function to double.",
    "code": "def f(x):\r\n  return 2 * x",
    "task_id": 7,
    "test_setup_code": "",
    "test_list": ["assert f(1) == 2", "assert f(2) == 4"],
    "challenge_test_list": ["assert f(-1) == -2"],
}


def test_mbpp() -> None:
    """MBPP's prompt shows the assertions, for they name the function; the challenge tests only judge."""
    found = one(MBPP, "mbpp")
    assert found.prompt == (
        "You are an expert Python programmer, and here is your task: Write a function to double. "
        "Your code should pass these tests:\n\nassert f(1) == 2\nassert f(2) == 4\n"
    )
    asserts = ["assert f(1) == 2", "assert f(2) == 4", "assert f(-1) == -2"]
    assert (found.category, found.tests) == ("code", {"kind": "assert", "setup": "", "asserts": asserts})
    assert found.info["reference_solution"] == MBPP["code"]


def test_humaneval() -> None:
    """HumanEval's solution continues its prompt; its check(candidate) is a script for the entry point."""
    row = {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return x\n",
    }
    found = one(row | {"test": "def check(candidate):\n    assert candidate(1) == 1\n"}, "humaneval")
    assert (found.prompt, found.category) == ("def f(x):\n", "code")
    assert found.tests is not None
    assert (found.tests["kind"], found.tests["entry_point"]) == ("script", "f")
    assert found.tests["code"].startswith("def check(candidate)")
    assert found.info["reference_solution"] == "def f(x):\n    return x\n"


CASES = [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "2\n", "stdout": "4\n"}]


def test_code_contests_as_published() -> None:
    """Public, private and generated tests become one list without repeats; limits and a Python 3 solution are kept."""
    row = {
        "name": "1_A. Doubling",
        "description": "Read n, print 2n.",
        "public_tests": {"input": ["1\n"], "output": ["2\n"]},
        "private_tests": {"input": ["2\n", "1\n"], "output": ["4\n", "2\n"]},
        "generated_tests": {"input": [], "output": []},
        "solutions": {"language": [2, 3], "solution": ["int main() {}", "print(2 * int(input()))"]},
        "time_limit": {"seconds": 1, "nanos": 500_000_000},
        "memory_limit_bytes": 256_000_000,
        "input_file": "",
    }
    found = one(row, "code_contests")
    limits = {"time_limit_s": 1.5, "memory_limit_mb": 244}
    assert found.tests == {"kind": "stdio", "language": "python", "cases": CASES} | limits
    assert found.info["reference_solution"] == "print(2 * int(input()))"


def test_code_contests_sample() -> None:
    """The common sample keeps the tests as JSON text, and has neither limits nor solutions."""
    tests = [{"input": {"stdin": case["stdin"]}, "output": {"stdout": case["stdout"]}} for case in CASES]
    found = one({"content": "Read n.", "id": 3, "labels": "{}", "test": json.dumps(tests)}, "code_contests")
    assert found.tests == {"kind": "stdio", "language": "python", "cases": CASES}
    assert "reference_solution" not in found.info


@pytest.mark.parametrize(
    "test",
    ["{broken", "[1]", '[{"input": {}}]', [{"input": {"stdin": 1}, "output": {"stdout": "2"}}], {"input": ["1"]}],
)
def test_code_contests_with_broken_tests(test: object) -> None:
    """Tests that cannot be read drop the row."""
    assert reason({"content": "Read n.", "test": test}, "code_contests") == "malformed_tests"


def test_programs_with_files_have_no_stdio_tests() -> None:
    """A task that reads a named file has no tests: its standard output says nothing."""
    row = {"content": "Read n.", "test": [], "input_file": "input.txt"}
    assert one(row, "code_contests").tests is None


def test_ifeval() -> None:
    """Names and arguments become constraints; the nulls that pad the Hub's copy are no arguments, zero is one."""
    arguments = [{"num_words": 0, "relation": "at least", "keyword": None}, None]
    row = {"key": 1, "prompt": "Write.", "instruction_id_list": ["length_constraints:number_words", "b:c"]}
    found = one(row | {"kwargs": arguments}, "ifeval")
    assert found.category == "instruction"
    assert found.constraints == [
        {"id": "length_constraints:number_words", "kwargs": {"num_words": 0, "relation": "at least"}},
        {"id": "b:c", "kwargs": {}},
    ]


@pytest.mark.parametrize("row", [{"kwargs": []}, {"kwargs": ["x"]}, {"instruction_id_list": "a:b", "kwargs": [{}]}])
def test_ifeval_with_broken_constraints(row: dict[str, Any]) -> None:
    """Names and arguments that do not match drop the row: no constraint goes unchecked."""
    assert reason({"prompt": "Write.", "instruction_id_list": ["a:b"]} | row, "ifeval") == "malformed_constraints"


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ("Ann has 2 figs.", "Ann has 2 figs. How many?"),
        ("If Ann has 2 figs ", "If Ann has 2 figs, How many?"),
    ],
)
def test_svamp(body: str, prompt: str) -> None:
    """Body and question are one prompt, also where the body is half a sentence; 145.0 is 145."""
    found = one({"Body": body, "Question": "How many?", "Answer": 145.0, "ID": "chal-1"}, "svamp")
    assert (found.prompt, found.reference_answer, found.info["upstream_id"]) == (prompt, "145", "chal-1")


@pytest.mark.needs_real_data
@pytest.mark.parametrize(
    ("layout", "file", "n_rows"),
    [
        ("mbpp", "sources/mbpp.jsonl", 974),
        ("humaneval", "benchmarks/humaneval.jsonl", 164),
        ("code_contests", "sources/code_contests_sample.jsonl", 20),
        ("ifeval", "sources/ifeval_prompts.jsonl", 541),
        ("svamp", "sources/svamp.jsonl", 1000),
    ],
)
def test_real_rows(layout: str, file: str, n_rows: int, real_data: Path) -> None:
    """Every row of the real sets is read, and each is a problem of its own with something to judge it by."""
    source = Source(name="s", path=file, layout=layout)
    kept, dropped = collect(pa.concat_tables(raw_tables(source, str(real_data), 10_000, {})), source)
    assert (len(kept), dropped) == (n_rows, [])
    assert len({problem.id for problem in kept}) == n_rows
    assert all(problem.reference_answer or problem.tests or problem.constraints for problem in kept)

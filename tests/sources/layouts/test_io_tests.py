"""Tests as inputs and outputs, of programs and of functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracemill.sources.adapter import MalformedRowError
from tracemill.sources.layouts.io_tests import io_tests

METHOD = "class Solution:\n    def f(self, d):\n        return {k + 1: v for k, v in d.items()}\n"


@pytest.mark.parametrize("encode", [lambda tests: tests, json.dumps])
@pytest.mark.parametrize("inputs", [["3\n1 2 3\n"], [["3", "1 2 3"]]])
def test_programs(inputs: list[Any], encode: Any) -> None:
    """Without a function's name, inputs and outputs are streams: text, or lists of lines."""
    cases = [{"stdin": "3\n1 2 3\n", "stdout": "6\n"}]
    found = io_tests(encode({"inputs": inputs, "outputs": ["6\n"]}))
    assert found == {"kind": "stdio", "language": "python", "cases": cases}


@pytest.mark.parametrize(
    ("given", "said", "args", "expected"),
    [
        ("[1, 2]\n5", "7", [[1, 2], 5], 7),
        ('"abc"', '"cba"', ["abc"], "cba"),
        ("abc", "cba", ["abc"], "cba"),  # quotes left out
        ([[1, 2], 5], [7], [[1, 2], 5], 7),
        ([[1]], [[1]], [[1]], [1]),
        (["1"], [{"a": 1}], ["1"], {"a": 1}),
    ],
)
def test_functions(given: object, said: object, args: list[Any], expected: object) -> None:
    """With a function's name, an input is its arguments, as JSON lines or as a list; APPS wraps its results."""
    found = io_tests({"fn_name": "f", "inputs": [given], "outputs": [said]})
    assert found == {
        "kind": "call",
        "entry_point": "f",
        "cases": [{"args": args, "kwargs": {}, "expected": expected}],
    }


def test_lists_of_different_lengths_are_results() -> None:
    """Results that are not all wrapped are what they are."""
    found = io_tests({"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1], [1, 2]]})
    assert found is not None
    assert [case["expected"] for case in found["cases"]] == [[1], [1, 2]]


@pytest.mark.parametrize("empty", [None, "", "  ", "null", "{}", {}, {"inputs": [], "outputs": []}])
def test_no_cases(empty: object) -> None:
    """Where there are no cases there are no tests."""
    assert io_tests(empty) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{broken", "malformed_tests"),
        ([1], "malformed_tests"),
        ({"inputs": ["1"]}, "malformed_tests"),
        ({"inputs": ["1"], "outputs": []}, "malformed_tests"),
        ({"inputs": [1], "outputs": ["1"]}, "malformed_tests"),
        ({"fn_name": "f", "inputs": [1], "outputs": ["1"]}, "malformed_tests"),
    ],
)
def test_what_cannot_be_told(value: object, reason: str) -> None:
    """Tests of another shape drop the row."""
    with pytest.raises(MalformedRowError) as caught:
        io_tests(value)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("given", "said", "statement"),
    [
        ('{"1": ["a"]}\n2', '{"-1": {"x": null}}', "assert f({1: ['a']}, 2) == {-1: {'x': None}}"),
        (
            "3",
            '[{"a": {"1": true}, "b": {"1": 0, "x": 1}}]',
            "assert f(3) == [{'a': {1: True}, 'b': {'1': 0, 'x': 1}}]",
        ),
        ([{"1": float("inf")}], 0, "assert f({1: float('inf')}) == 0"),
    ],
)
def test_numbers_for_keys(given: object, said: object, statement: str) -> None:
    """Dicts whose keys were numbers before JSON made them text get them back, in calls that are written out."""
    found = io_tests({"fn_name": "f", "inputs": [given], "outputs": [said]})
    assert found is not None
    assert (found["kind"], found["entry_point"], found["asserts"]) == ("assert", "f", [statement])


@pytest.mark.parametrize("program", ["def f(d):\n    return {k + 1: v for k, v in d.items()}\n", METHOD])
def test_calls_that_are_written_out_find_methods(program: str) -> None:
    """The setup of such calls makes a method of class Solution, as LeetCode has it, a function."""
    found = io_tests({"fn_name": "f", "inputs": ['{"1": 2}'], "outputs": ['{"2": 2}']})
    assert found is not None
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - a program of this file
    for code in (found["setup"], *found["asserts"]):
        exec(code, names)  # noqa: S102 - what is tested

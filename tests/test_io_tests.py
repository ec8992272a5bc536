"""Tests as inputs and outputs, of programs and of functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracemill.sources.draft import MalformedRowError
from tracemill.sources.io_tests import io_tests


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
        ({"fn_name": "f", "inputs": ['{"1": 2}'], "outputs": ["1"]}, "tests_with_int_keys"),
        ({"fn_name": "f", "inputs": ["1"], "outputs": ['[{"a": {"-1": 2}}]']}, "tests_with_int_keys"),
    ],
)
def test_what_cannot_be_told(value: object, reason: str) -> None:
    """Tests of another shape drop the row, as do dicts with numbers for keys, which JSON turns into text."""
    with pytest.raises(MalformedRowError) as caught:
        io_tests(value)
    assert caught.value.reason == reason

"""AceCode: assertions, and whether the question names what they call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.runs.adapted_rows import one, reason

ROW = {"id": "oss_1", "source": "oss", "question": "Double a number.", "test_cases": ["assert twice(1) == 2"]}


@pytest.mark.parametrize("encode", [lambda tests: tests, json.dumps])
@pytest.mark.parametrize(
    ("question", "shown"),
    [("Write twice(n), which doubles.", False), ("Double a number.", True)],
)
def test_acecode(question: str, shown: bool, encode: Any) -> None:
    """The first assertion is shown where the question does not name the function; answers of other models are none."""
    inferences = [{"completion": "x", "model_name": "qwen", "pass_rate": 0.5}]
    columns = {"question": question, "test_cases": encode(ROW["test_cases"]), "inferences": inferences}
    found = one(ROW | columns, "acecode")
    assert found.tests == {"kind": "assert", "setup": "", "asserts": ROW["test_cases"]}
    assert ("assert twice(1) == 2" in found.prompt) is shown
    assert (found.category, found.traces) == ("code", [])
    assert found.info == {"file": "f", "upstream_id": "oss_1", "upstream_source": "oss"}


def test_acecode_without_tests() -> None:
    """A row without tests is a program that nothing can judge."""
    assert one(ROW | {"test_cases": []}, "acecode").tests is None


@pytest.mark.parametrize("tests", ["{broken", [1], {"a": 1}])
def test_acecode_with_broken_tests(tests: object) -> None:
    """Tests that are no assertions drop the row."""
    assert reason(ROW | {"test_cases": tests}, "acecode") == "malformed_tests"

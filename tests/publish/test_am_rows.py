"""The reference dataset's layout: the bytes that the standard library's JSON gives, whatever the texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.publications import samples
from tracemill.core import table_of
from tracemill.publish.am_rows import am_line, am_lines, json_line
from tracemill.select import Sample

# Any code points, lone surrogates among them, and often those that JSON or its readers treat as special.
SPECIAL = st.text(
    st.sampled_from([*map(chr, range(0x21)), *'"\\/\x7f\x80\u2028\u2029\ufeff\uffff\ud800\udfff😀\U0010ffff'])
)
TEXTS = st.text(st.characters(codec=None, exclude_categories=())) | SPECIAL
SCALARS = TEXTS | st.none() | st.booleans() | st.integers() | st.floats()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


def by_standard_library(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", errors="backslashreplace")


@given(VALUES)
def test_a_value_has_the_bytes_of_the_standard_library(value: Any) -> None:
    """Any text in any nesting, any number: byte for byte what json.dumps gives."""
    assert json_line(value) == by_standard_library(value)


@pytest.mark.parametrize("start", range(0, 0x3000, 0x400))
def test_characters_are_escaped_as_by_the_standard_library(start: int) -> None:
    """The first 12,288 characters one by one: all controls, DEL, line separators."""
    for number in range(start, start + 0x400):
        assert json_line(chr(number)) == by_standard_library(chr(number))


TESTS = [
    (None, None),
    ({"kind": "script", "code": "def f(): '\u2028'"}, {"test_code": "def f(): '\u2028'", "test_entry_point": None}),
    ({"kind": "assert", "asserts": ["assert '\ud800'", "b"]}, {"testcase": ["assert '\ud800'", "b"]}),
    ({"kind": "stdin", "inputs": [1e22, 10**30]}, {"kind": "stdin", "inputs": [1e22, 10**30]}),
]


@pytest.mark.parametrize(("tests", "case"), TESTS)
def test_a_row_in_the_reference_layout(tests: dict[str, Any] | None, case: dict[str, Any] | None) -> None:
    """History, question with reference and tests, answer with its parts; keys in the reference dataset's order."""
    sample = {
        "source": "s",
        "model": "m",
        "think": "t\x7f",
        "answer": "a😀",
        "reference_answer": "1",
        "tests": tests and json.dumps(tests),
        "messages": [
            {"role": "system", "content": "h"},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "c"},
        ],
    }
    nothing = {"reference_answer": None, "test_case": None}
    unset = {"think_content": None, "answer_content": None}
    turns = [
        {"role": "system", "content": "h", "info": {"source": "s", **nothing, **unset}},
        {"role": "user", "content": "q", "info": {"source": "s", "reference_answer": "1", "test_case": case, **unset}},
        {
            "role": "assistant",
            "content": "c",
            "info": {"source": "m", "think_content": "t\x7f", "answer_content": "a😀", **nothing},
        },
    ]
    assert am_line(sample) == by_standard_library({"messages": turns}) + b"\n"


def test_a_table_is_a_line_a_row() -> None:
    """All rows, in order, also where there are more than are taken at once."""
    rows = samples(205)
    lines = [json.loads(line) for line in am_lines(table_of(Sample, rows))]
    assert [line["messages"][-2]["content"] for line in lines] == [row.prompt for row in rows]

"""JSON by orjson gives what the standard library gives."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Category
from tracemill.core.json_values import parsed, written

KEYS = st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4))
)


def by_the_standard_library(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@given(VALUES)
def test_writing(value: object) -> None:
    """Any value is written with the same characters."""
    assert written(value) == by_the_standard_library(value)


@given(VALUES)
def test_reading(value: object) -> None:
    """Any text is read as the same value, of the same types, also numbers beyond 64 bits."""
    text = json.dumps(value).encode()
    assert repr(parsed(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        1e-5,
        1e16,
        2**64,
        -(2**63) - 1,
        math.inf,
        {1: 2},
        Category.MATH,
        [(1, 2)],
        "\ud800",
        {"\U0001f600": 1, "\uffff": 2},
    ],
)
def test_writing_what_orjson_writes_otherwise(value: object) -> None:
    """Small floats, big integers, infinities, keys that are no text, enumerations, lone surrogates."""
    assert written(value) == by_the_standard_library(value)


@pytest.mark.parametrize(
    "text", ["NaN", "[-Infinity]", '"\\ud800"', "123456789012345678901", "1e400", "-0", '{"a":1,"a":2}']
)
def test_reading_what_orjson_reads_otherwise(text: str) -> None:
    """What the standard library accepts is accepted, with its value."""
    assert repr(parsed(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", [b"", b"{", b"{'a': 1}", b'"\xff"', b"[1,]", b"nul"])
def test_what_is_no_json_is_refused_in_the_words_of_the_standard_library(text: bytes) -> None:
    """Evidence of dropped rows does not depend on who parses."""
    with pytest.raises(ValueError) as expected:  # noqa: PT011 - whatever it says
        json.loads(text.decode("utf-8"))
    with pytest.raises(ValueError) as found:  # noqa: PT011 - the same
        parsed(text)
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))

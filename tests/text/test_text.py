"""Words, n-grams, numbers and boxes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import json_text, normalise_prompt, problem_id
from tracemill.text.boxes import last_boxed
from tracemill.text.number_guard import quantities
from tracemill.text.words import exact_key, ngrams, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How many?  He's 3.", ["how", "many", "he", "s", "3"]),
        (r"$\frac{1}{2}x^2$", ["frac", "1", "2", "x", "2"]),
        ("求和 abc", ["求", "和", "abc"]),
        ("…", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Words are case-folded runs of letters and digits; each ideograph is one."""
    assert words(text) == expected


@given(st.lists(st.text("ab", min_size=1), max_size=12), st.integers(1, 6))
def test_ngram_counts(tokens: list[str], n: int) -> None:
    """A text of m words has max(1, m - n + 1) n-grams, an empty one none."""
    expected = 0 if not tokens else max(1, len(tokens) - n + 1)
    assert len(ngrams(tokens, n)) == expected


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("What is 2+2?", "what  is\n2+2?", True),
        ("What is 2+2?", "What is 2+3?", False),
        ("x² = 4", "x2 = 4", False),
        ("e\u0301t\u00e9", "\u00e9t\u00e9", True),
    ],
)
def test_exact_key(left: str, right: str, same: bool) -> None:
    """Case, white space and Unicode composition do not count; everything else does, superscripts included."""
    assert (exact_key(left) == exact_key(right)) is same


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("3 cats, 4 dogs", "4 cats and 3 dogs", False),
        ("three cats and 4 dogs", "3 cats, four dogs", True),
        ("5 - 3 = 2", "5-3=2", True),
        ("x² ≥ 4", "x^2 >= 4", True),
        ("the largest root", "the smallest root", False),
        ("the first digit", "the last digit", False),
        ("in ascending order", "in descending order", False),
        ("１２ cats", "12 cats", True),
        ("1,000 m", "1000 m", True),
        ("3 cats", "5 cats", False),
        ("f(-1)", "f(1)", False),
        ("a+b", "a*b", False),
    ],
)
def test_numbers_key(left: str, right: str, same: bool) -> None:
    """Numbers, operators and turning words count in their order, however they are written."""
    assert (quantities(left) == quantities(right)) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        (r"\boxed{1} and \boxed{2}", "2"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\fbox{ 3 }", "3"),
        (r"\boxed{\{1\}}", r"\{1\}"),
        ("none", None),
    ],
)
def test_last_boxed(text: str, expected: str | None) -> None:
    """The last balanced box counts, braces inside it included."""
    assert last_boxed(text) == expected


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists, max_leaves=6))
def test_json_text_always_encodes(value: object) -> None:
    """Canonical JSON can be stored as UTF-8, whatever the strings hold."""
    json_text(value).encode()


def test_lone_surrogates_encode() -> None:
    """A lone surrogate is escaped instead of breaking the write."""
    assert json_text("\ud800").encode() == b'"\\ud800"'


def test_problem_id_depends_on_what_it_is_judged_by() -> None:
    """Equal prompts with different references are different problems; white space does not count."""
    base = problem_id("What is it?", [], "1", None, None)
    assert base == problem_id(" What  is it? ", [], "1", None, None)
    different = [
        problem_id("What is it?", [], "2", None, None),
        problem_id("what is it?", [], "1", None, None),
        problem_id("What is it?", [{"role": "user", "content": "hi"}], "1", None, None),
        problem_id("What is it?", [], "1", {"kind": "assert"}, None),
        problem_id("What is it?", [], "1", None, [{"id": "x"}]),
    ]
    assert len({base, *different}) == 6


@given(st.text())
def test_normalising_is_idempotent(prompt: str) -> None:
    """Normalising twice changes nothing more."""
    once = normalise_prompt(prompt)
    assert normalise_prompt(once) == once

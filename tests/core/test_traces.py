"""Texts of traces in a table of their own."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import Problem, problem_id, rows_of, table_of
from tracemill.core.traces import TraceText, n_chars, set_apart, text_id, with_texts

THINKS = st.one_of(st.none(), st.text(max_size=20))


def problem(*traces: dict[str, object], prompt: str = "1+1?") -> Problem:
    name = problem_id(prompt, [], "2", None, None)
    return Problem(name, "s", 0, "math", prompt, [], "2", None, None, list(traces), "MIT", False, {})


def trace(think: str | None, answer: str, **said: object) -> dict[str, object]:
    return {"model": "m", "think": think, "answer": answer, "fault": None, **said}


@given(st.lists(st.tuples(THINKS, st.text(max_size=20)), max_size=4))
def test_what_was_set_apart_comes_together_again(texts: list[tuple[str | None, str]]) -> None:
    """A problem through the store and with its texts is the problem that it was."""
    asked = problem(*(trace(*text, correct=True) for text in texts))
    named, apart = set_apart([asked])
    stored = [next(rows_of(Problem, table_of(Problem, named)))]
    found = {text.id: text for text in rows_of(TraceText, table_of(TraceText, apart))}
    assert with_texts(stored[0], found) == asked


def test_no_text_stays_in_a_problem_and_none_is_kept_twice() -> None:
    """Two problems with the same long trace have one row of texts between them, and only its name and length."""
    named, apart = set_apart([problem(trace("t" * 900, "a" * 100), prompt=prompt) for prompt in ("1?", "2?")])
    assert [len(text.think or "") for text in apart] == [900]
    assert all(n_chars(one.traces[0]) == 1000 for one in named)
    assert "t" * 9 not in str(named)


@pytest.mark.parametrize(
    ("one", "other"), [((None, "a"), ("", "a")), (("ab", "c"), ("a", "bc")), (("", "ab"), ("ab", ""))]
)
def test_texts_that_differ_have_other_names(one: tuple[str | None, str], other: tuple[str | None, str]) -> None:
    """A missing think part is not an empty one, and where think ends matters."""
    assert text_id(*one) != text_id(*other)


def test_traces_that_hold_their_texts_are_left_as_they_are() -> None:
    """A table from before texts were set apart reads as it did."""
    asked = problem(trace("t", "a"))
    assert with_texts(asked, {}) is asked
    assert n_chars(asked.traces[0]) == 2


def test_a_text_that_is_not_there_is_an_error() -> None:
    """Never an empty trace in its place."""
    named, _ = set_apart([dataclasses.replace(problem(trace("t", "a")))])
    with pytest.raises(KeyError):
        with_texts(named[0], {})

"""The s1 family: whose traces they are, and what their solutions hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.runs.adapted_rows import one
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1

BASE = {
    "question": "What is the area of a 3 by 4 field?",
    "solution": "12",
    "cot_type": "math",
    "source_type": "AI-MO/NuminaMath-CoT/aops_forum",
    "metadata": "{'ID': '2019-I-3', 'Year': 2019, 'text': '" + "x" * 300 + "', 'nothing': None}",
}
S1K = BASE | {"cot": None, "thinking_trajectories": ["Three by four."], "attempt": "It is 12."}
S1K_11 = BASE | {
    "gemini_thinking_trajectory": "By Gemini.",
    "gemini_attempt": "It is 13.",
    "deepseek_thinking_trajectory": "By R1.",
    "deepseek_attempt": "It is 12.",
    "gemini_grade": "No",
    "deepseek_grade": "Yes",
}


def test_s1k_is_geminis() -> None:
    """full59K and s1K hold Gemini's traces: none of them is R1's."""
    expected = {"model": GEMINI_THINKING, "think": "Three by four.", "answer": "It is 12.", "fault": None}
    assert one(S1K, "s1").traces == [expected]


@pytest.mark.parametrize("shape", [lambda text: text, lambda text: [text]])
def test_s1k_11_has_both(shape: Any) -> None:
    """s1K-1.1 has a trace of each, with its mark; an early revision keeps R1's in lists."""
    early = {name: shape(S1K_11[name]) for name in ("deepseek_thinking_trajectory", "deepseek_attempt")}
    assert one(S1K_11 | early, "s1").traces == [
        {"model": R1, "think": "By R1.", "answer": "It is 12.", "fault": None, "graded": True},
        {"model": GEMINI_THINKING, "think": "By Gemini.", "answer": "It is 13.", "fault": None, "graded": False},
    ]


@pytest.mark.parametrize("nothing", [None, "", [], [None]])
def test_a_missing_trace_is_none(nothing: object) -> None:
    """Where the reasoning is missing there is no trace."""
    row = S1K_11 | {"deepseek_thinking_trajectory": nothing}
    assert [trace["model"] for trace in one(row, "s1").traces] == [GEMINI_THINKING]


OPTIONS = "Which is prime?\n(A) 4\n(B) 7\n(C) 9\n(D) 12"
WORKED = "The sides are three and four.\nTheir product is what was asked for, and so on at some length."


@pytest.mark.parametrize(
    ("columns", "reference", "category"),
    [
        ({}, "12", "math"),
        ({"solution": WORKED + " \\boxed{12}."}, "12", "math"),
        ({"solution": WORKED}, None, "math"),
        ({"solution": None, "cot_type": "coding"}, None, "code"),
        ({"question": OPTIONS, "solution": "Seven has no divisors.\nAnswer: B", "cot_type": "science"}, "B", "choice"),
        ({"question": OPTIONS, "solution": "B", "cot_type": "math"}, "B", "choice"),
        ({"solution": "3.5 m/s", "cot_type": "science"}, "3.5 m/s", "math"),
        ({"solution": WORKED, "cot_type": "science"}, WORKED, "other"),
        ({"solution": "OPERA", "cot_type": "crossword"}, "OPERA", "choice"),
    ],
)
def test_solutions(columns: dict[str, Any], reference: str | None, category: str) -> None:
    """A solution is an answer, or holds one in a box or after "Answer:"; prose is only for a judge, of science."""
    found = one(S1K | columns, "s1")
    assert (found.reference_answer, found.category) == (reference, category)


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        (BASE["metadata"], {"ID": "2019-I-3", "Year": 2019}),
        ("{'a': nan}", None),
        ("__import__('os').getcwd()", None),
        ("[" * 10_000, None),
        (None, None),
        ("['a']", None),
    ],
)
def test_metadata_is_pythons(metadata: object, kept: dict[str, Any] | None) -> None:
    """Metadata is a Python dict as text: small values are kept, nothing is run, and what is not one says nothing."""
    found = one(S1K | {"metadata": metadata}, "s1")
    assert found.info.get("metadata") == kept
    assert found.info["upstream_source"] == BASE["source_type"]

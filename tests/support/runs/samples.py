"""Rows for tests."""

from __future__ import annotations

from typing import Any

from tracemill.core import Outcome, Problem, Response, Verdict, problem_id


def problem(prompt: str, reference: str | None = "1", **changes: Any) -> Problem:
    """A maths problem without anything special."""
    fields: dict[str, Any] = {
        "id": problem_id(prompt, [], reference, None, None),
        "source": "a",
        "row": 0,
        "category": "math",
        "prompt": prompt,
        "history": [],
        "reference_answer": reference,
        "tests": None,
        "constraints": None,
        "traces": [],
        "licence": "MIT",
        "non_commercial": False,
        "info": {},
    }
    return Problem(**(fields | changes))


def response(to: Problem, name: str, **changes: Any) -> Response:
    """A well-formed teacher response."""
    fields: dict[str, Any] = {
        "id": name,
        "problem_id": to.id,
        "origin": "teacher",
        "model": "m",
        "sample_index": 0,
        "think": "t",
        "answer": "a",
        "fault": None,
        "finish_reason": "stop",
        "prompt_tokens": 1,
        "completion_tokens": 1,
    }
    return Response(**(fields | changes))


def verdict(on: Response, outcome: Outcome) -> Verdict:
    """A verdict of a verifier."""
    score = {Outcome.CORRECT: 1.0, Outcome.INCORRECT: 0.0}.get(outcome)
    return Verdict(on.id, on.problem_id, outcome, score, "math@3", "1", "")

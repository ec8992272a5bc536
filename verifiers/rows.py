"""Rows of the ``python -m verifiers`` contract: a line -> an attempt, or what is wrong with the line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import Category, Cause, Outcome
from tracemill.text.missing_answer import Missing, blank, is_blank
from tracemill.text.think import split_think
from verifiers.protocol import Attempt

if TYPE_CHECKING:
    from tracemill.core import Verdict

_NEEDED: Final = {"id": Cause.REFERENCE, "category": Cause.REFERENCE, "response": Cause.RESPONSE}
_NULLABLE: Final = {"reference_answer": (str, "text"), "tests": (dict, "an object"), "constraints": (list, "a list")}
_SHOWN_CHARS: Final = 120
_MANY_DIGITS: Final = 4_000
_CATEGORIES: Final = [str(category) for category in Category]


class BadRow(NamedTuple):
    """Why a line cannot be judged: what, got, expected. The cause is the response where that alone is at fault."""

    detail: str
    cause: Cause


def read_row(line: bytes) -> tuple[Any, Attempt | BadRow]:
    """Return the row's id (None where there is none) and its attempt, or what is wrong. Never raises on any line."""
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_int=_integer)
    except (ValueError, RecursionError) as error:
        return None, _bad("the line is not JSON", f"{type(error).__name__}: {error}", "one object a line")
    if not isinstance(row, dict):
        return None, _bad("the line is not a row", row, "an object")
    row_id = _shown_id(row.get("id"))
    problem = _complaint(row)
    if problem is not None:
        return row_id, problem
    split = split_think(row["response"] or "")
    missing = Missing(Outcome.NO_ANSWER, blank(split.think)) if is_blank(split.answer, split.fault) else None
    return row_id, Attempt(
        id=row["id"],
        category=row["category"],
        prompt=row.get("prompt", ""),
        answer=split.answer,
        think=split.think,
        reference_answer=row.get("reference_answer"),
        tests=row.get("tests"),
        constraints=row.get("constraints"),
        fault=split.fault,
        missing=missing,
    )


def _integer(digits: str) -> int:
    """Return an integer of any length; ``int`` refuses more than 4,300 digits, which programs return."""
    return int(digits) if len(digits) < _MANY_DIGITS else int(Decimal(digits))


def _shown_id(row_id: Any) -> Any:
    """Return the id as it can be repeated; nan is no JSON."""
    try:
        json.dumps(row_id, allow_nan=False)
    except ValueError:
        return None
    return row_id


def _complaint(row: dict[str, Any]) -> BadRow | None:
    for name, cause in _NEEDED.items():
        if name not in row:
            return _bad(f"{name} is missing", ", ".join(sorted(map(str, row))) or "no fields", "text", cause)
        if not isinstance(row[name], str) and not (name == "response" and row[name] is None):  # the model said nothing
            return _bad(f"{name} is of the wrong type", row[name], "text", cause)
    if not isinstance(row.get("prompt", ""), str):
        return _bad("prompt is of the wrong type", row["prompt"], "text")
    if row["category"] not in _CATEGORIES:
        return _bad("category is unknown", row["category"], f"one of {', '.join(_CATEGORIES)}")
    for name, (kind, words) in _NULLABLE.items():
        if row.get(name) is not None and not isinstance(row[name], kind):
            return _bad(f"{name} is of the wrong type", row[name], f"{words} or null")
    return None


def _bad(what: str, got: object, expected: str, cause: Cause = Cause.REFERENCE) -> BadRow:
    shown = got if isinstance(got, str) else repr(got)
    return BadRow(f"{what}; got: {shown[:_SHOWN_CHARS]}; expected: {expected}", cause)


def verdict_line(row_id: object, verdict: Verdict) -> dict[str, Any]:
    """Return the output object of a judged row."""
    return {
        "id": row_id,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "verifier": verdict.verifier,
        "extracted": verdict.extracted,
        "detail": verdict.detail,
        "cause": verdict.cause,
    }


def refusal(row_id: object, row: BadRow) -> dict[str, Any]:
    """Return the output object of a bad row."""
    return {
        "id": row_id,
        "outcome": Outcome.UNVERIFIABLE,
        "score": None,
        "verifier": "none@1",
        "extracted": None,
        "detail": row.detail,
        "cause": row.cause,
    }

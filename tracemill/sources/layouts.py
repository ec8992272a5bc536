"""Adapters: what the columns of each upstream layout mean.

An adapter maps one parsed row to a :class:`Draft` or says why it cannot. What the layouts are: docs/sources.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracemill.prompts import split_think
from tracemill.schema import Category
from tracemill.text import last_boxed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.recipe import Source

R1 = "deepseek-r1"


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem before it has an id."""

    prompt: object
    reference_answer: object = None
    category: Category | None = None
    history: list[dict[str, str]] = field(default_factory=list)
    tests: dict[str, Any] | None = None
    traces: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)


class MalformedRowError(ValueError):
    """A row that its adapter cannot read; ``reason`` is a drop reason, the message its evidence."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class LayoutAdapter:
    """One layout: the columns it cannot do without (aliases of each), and how to read a row."""

    required: tuple[tuple[str, ...], ...]
    adapt: Callable[[dict[str, Any], Source], Draft]


def required_columns(source: Source) -> tuple[tuple[str, ...], ...]:
    """Alternatives for each column that a row of ``source`` must have."""
    named = source.columns.get("prompt")
    if source.layout == "plain" and named:
        return ((named,),)
    return LAYOUTS[source.layout].required


PROMPT_COLUMNS = ("prompt", "question", "problem", "instruction", "query")
REFERENCE_COLUMNS = ("reference_answer", "answer", "final_answer")


def _plain(row: dict[str, Any], source: Source) -> Draft:
    prompt = _column(row, source, "prompt", PROMPT_COLUMNS)
    reference = _column(row, source, "reference_answer", REFERENCE_COLUMNS)
    return Draft(prompt=prompt, reference_answer=reference)


def _column(row: dict[str, Any], source: Source, field_name: str, aliases: tuple[str, ...]) -> object:
    names = (source.columns[field_name],) if field_name in source.columns else aliases
    return next((row[name] for name in names if name in row), None)


def _gsm8k(row: dict[str, Any], _source: Source) -> Draft:
    """The answer is a worked solution whose last line is ``#### N``; N may have thousands separators."""
    solution = row.get("answer")
    if not isinstance(solution, str) or "####" not in solution:
        raise MalformedRowError("no_reference_marker", "column answer has no line '#### N'")
    reference = solution.rsplit("####", 1)[1].strip().replace(",", "")
    return Draft(prompt=row.get("question"), reference_answer=reference)


def _math(row: dict[str, Any], _source: Source) -> Draft:
    """MATH: the reference is the last balanced box of the solution."""
    solution = row.get("solution")
    reference = last_boxed(solution) if isinstance(solution, str) else None
    info = {name: row[name] for name in ("level", "type", "unique_id") if row.get(name) is not None}
    return Draft(prompt=row.get("problem"), reference_answer=reference, info=info)


def _am(row: dict[str, Any], source: Source) -> Draft:
    """The reference dataset's own layout; ``info`` keys may be absent or null, and turns may be several."""
    turns = row["messages"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise MalformedRowError("malformed_messages", f"messages is {type(turns).__name__}, not a list of turns")
    asked = [position for position, turn in enumerate(turns) if turn.get("role") == "user"]
    if not asked:
        raise MalformedRowError("missing_prompt", "no turn of role user")
    last = asked[-1]
    info = turns[last].get("info") or {}
    tests = _am_tests(info.get("test_case"))
    reference = info.get("reference_answer")
    return Draft(
        prompt=turns[last].get("content"),
        reference_answer=reference,
        category=_am_category(reference, tests, source),
        history=[{"role": str(turn.get("role")), "content": str(turn.get("content"))} for turn in turns[:last]],
        tests=tests,
        traces=[_am_trace(turn) for turn in turns[last + 1 :] if turn.get("role") == "assistant"],
        info={"upstream_source": info.get("source")},
    )


def _am_category(reference: object, tests: object, source: Source) -> Category:
    """The layout has no category: tests mean code, and what has neither tests nor a reference is general chat."""
    if tests is not None:
        return Category.CODE
    return Category.OTHER if reference is None else source.category


def _am_trace(turn: dict[str, Any]) -> dict[str, Any]:
    info = turn.get("info") or {}
    split = split_think(str(turn.get("content") or ""))
    return {
        "model": R1,
        "source": info.get("source"),
        "think": split.think,
        "answer": split.answer,
        "fault": split.fault,
    }


def _am_tests(case: object) -> dict[str, Any] | None:
    """The shapes of ``test_case`` that are tests in our sense; other shapes have none."""
    if isinstance(case, dict) and isinstance(case.get("test_code"), str):
        return {"kind": "script", "entry_point": case.get("test_entry_point"), "code": case["test_code"]}
    asserts = case.get("testcase") if isinstance(case, dict) else case
    if isinstance(asserts, list) and asserts and all(isinstance(line, str) for line in asserts):
        return {"kind": "assert", "setup": "", "asserts": asserts}
    return None


LAYOUTS: dict[str, LayoutAdapter] = {
    "plain": LayoutAdapter(required=(PROMPT_COLUMNS,), adapt=_plain),
    "gsm8k": LayoutAdapter(required=(("question",), ("answer",)), adapt=_gsm8k),
    "math": LayoutAdapter(required=(("problem",), ("solution",)), adapt=_math),
    "am": LayoutAdapter(required=(("messages",),), adapt=_am),
}

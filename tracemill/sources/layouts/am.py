"""The reference dataset's own layout: ``messages`` whose turns carry an ``info``; no id, no category, no score."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft
from tracemill.sources.layouts.columns import TEST_KINDS, is_choice
from tracemill.sources.layouts.conversations import as_turns, exchange_in, turns_of
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1, UNKNOWN_MODEL, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource


# Response sources whose traces, as far as they came along, were not written by R1.
_NOT_R1: Final = {"data_ablation_full59K": GEMINI_THINKING, "limo": UNKNOWN_MODEL}


def am(row: dict[str, Any], source: RowSource) -> Draft:
    """``info`` keys may be absent or null, and turns may be several: the last user turn is the prompt."""
    messages = as_turns(row["messages"])
    turns = turns_of(messages, "messages")
    exchange = exchange_in(turns)
    infos = [_info(turn) for turn in messages]
    info = infos[exchange.place]
    reference, tests = info.get("reference_answer"), _tests(info.get("test_case"))
    replies = [place for place in range(exchange.place + 1, len(turns)) if turns[place]["role"] == "assistant"]
    return Draft(
        prompt=exchange.prompt,
        reference_answer=reference,
        category=_category(exchange.prompt, reference, tests, source),
        history=exchange.history,
        tests=tests,
        traces=[_trace(turns[place]["content"], infos[place].get("source")) for place in replies],
        info={"upstream_source": info.get("source")},
    )


def _info(turn: dict[str, Any]) -> dict[str, Any]:
    """Return an object, or JSON text of one."""
    info = _unquoted(turn.get("info"))
    return info if isinstance(info, dict) else {}


def _category(prompt: object, reference: object, tests: object, source: RowSource) -> Category:
    """Return the layout has no category: a guess from what the row can be judged by, right where it matters.

    Tests mean code; what has neither tests nor a reference is general chat; a letter for a reference means a choice
    where the prompt has options of such letters. The rest is what the recipe says of the source.
    """
    if tests is not None:
        return Category.CODE
    if reference is None or (isinstance(reference, str) and not reference.strip()):
        return Category.OTHER
    if source.category == Category.MATH and is_choice(prompt, reference):
        return Category.CHOICE
    return source.category


def _trace(content: str, source: object) -> dict[str, Any]:
    return tagged_trace(_NOT_R1.get(str(source), R1), content, source=source)


def _tests(case: object) -> dict[str, Any] | None:
    """Return the shapes of ``test_case`` that are tests in our sense, also as JSON text; other shapes have none.

    KodCode's pytest module, OpenCoder's assertions, PRIME's inputs and outputs, and our own export of other kinds.
    CodeIO's inputs and outputs are what a *prediction* is compared with: no program is asked for.
    """
    case = _unquoted(case)
    if isinstance(case, dict) and case.get("kind") in TEST_KINDS:
        return case
    if isinstance(case, dict) and isinstance(case.get("test_code"), str):
        return {"kind": "script", "entry_point": case.get("test_entry_point"), "code": case["test_code"]}
    asserts = case.get("testcase") if isinstance(case, dict) else case
    if isinstance(asserts, list) and asserts and all(isinstance(line, str) for line in asserts):
        return {"kind": "assert", "setup": "", "asserts": asserts}
    return _stdio_tests(_unquoted(case.get("ground_truth"))) if isinstance(case, dict) else None


def _stdio_tests(truth: object) -> dict[str, Any] | None:
    """PRIME's ``{"inputs": [text], "outputs": [text]}``; with a function's name they are no programs."""
    if not isinstance(truth, dict) or truth.get("fn_name"):
        return None
    inputs, outputs = truth.get("inputs"), truth.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs) or not inputs:
        return None
    if not all(isinstance(text, str) for text in inputs + outputs):
        return None
    cases = [{"stdin": given, "stdout": said} for given, said in zip(inputs, outputs, strict=True)]
    return {"kind": "stdio", "language": "python", "cases": cases}


def _unquoted(value: object) -> object:
    """Return JSON text as what it says: the published card types ``test_case`` as text, the files hold objects."""
    if not isinstance(value, str):
        return value
    try:
        parsed: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed

"""Science and mixed questions: natural_reasoning, GeneralThought, Dolphin-R1, OpenThoughts, Bespoke-Stratos."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.boilerplate import without_prefix
from tracemill.sources.choices import is_choice
from tracemill.sources.conversations import as_turns, exchange_of, turns_of
from tracemill.sources.criteria import reference_of, said, text_in
from tracemill.sources.draft import Draft, ExcludedRowError, LayoutAdapter
from tracemill.sources.io_tests import io_tests, naming_entry_point
from tracemill.sources.licences import licence_of
from tracemill.sources.trace_encodings import GEMINI_THINKING, R1, model_named, parted_trace, tagged_trace
from tracemill.text import last_boxed

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

_TOOLS: Final = re.compile(r"<tools?>|<tool_call>|<tool_response>|\[TOOL_CALLS\]")
_WORD: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_FORMULA: Final = re.compile(r"[\d=^_]|\\[A-Za-z]")
_MAX_FORMULA: Final = 200  # characters


def natural_reasoning(row: dict[str, Any], _source: RowSource) -> Draft:
    """natural_reasoning: one reference in five is missing, half of them are prose. Responses are Llama's: no traces."""
    prompt, reference = row.get("question"), reference_of(row.get("reference_answer"))
    return Draft(prompt=prompt, reference_answer=reference, category=_category_by(prompt, reference))


def general_thought(row: dict[str, Any], _source: RowSource) -> Draft:
    """GeneralThought: a row is a question and one model's answer, with the question's own licence."""
    prompt, reference = row.get("question"), reference_of(row.get("reference_answer"))
    model = model_named(row.get("model_name"))
    trace = parted_trace(model, row.get("model_reasoning"), row.get("model_answer"), score=row.get("verifier_score"))
    licence, non_commercial = licence_of(row.get("question_license"))
    return Draft(
        prompt=prompt,
        reference_answer=reference,
        category=_category_by(prompt, reference),
        history=turns_of(row["prev_messages"]) if row.get("prev_messages") else [],
        traces=[trace] if trace else [],
        info=said(row, "task", "question_url", upstream_id="question_id", upstream_source="question_source"),
        licence=licence,
        non_commercial=non_commercial,
    )


def _category_by(prompt: object, reference: object) -> Category:
    """What the reference can be checked as: an option, a number or formula, or nothing that a rule knows."""
    if is_choice(prompt, reference):
        return Category.CHOICE
    if isinstance(reference, int | float):
        return Category.MATH
    text = reference if isinstance(reference, str) else ""
    is_formula = len(text) <= _MAX_FORMULA and _FORMULA.search(text) and not _WORD.search(text)
    return Category.MATH if is_formula else Category.OTHER


def dolphin(row: dict[str, Any], _source: RowSource, *, model: str | None) -> Draft:
    """Dolphin-R1, no references. Rows that call tools are left out: an answer without the tool is none.

    Args:
        row: ``messages`` with the question and, beside it, reasoning and answer; or with a reply (nonreasoning).
        _source: of the row.
        model: whose reasoning it is, where the row does not say; None: nobody's.
    """
    messages = as_turns(row["messages"])
    called = _tool_call(messages, row.get("answer"))
    if called:
        raise ExcludedRowError("tool_call", f"a turn holds {called}")
    exchange = exchange_of(messages)
    by = model_named(row["model"]) if row.get("model") and model else model
    trace = parted_trace(by, row.get("reasoning"), row.get("answer")) if by else None
    return Draft(
        prompt=exchange.prompt,
        category=Category.OTHER,
        history=exchange.history,
        traces=[trace] if trace else [],
        info=said(row, "score", "refusal", "compliance_rating", "overall_quality"),
    )


def _tool_call(messages: object, answer: object) -> str | None:
    """The first mark of a tool in turns of any role, or in the answer."""
    turns = messages if isinstance(messages, list) else [messages]
    texts = [answer, *(turn.get("content") if isinstance(turn, dict) else turn for turn in turns)]
    called = next((found for text in texts if isinstance(text, str) and (found := _TOOLS.search(text))), None)
    return called.group() if called else None


def thoughts(row: dict[str, Any], _source: RowSource) -> Draft:
    """OpenThoughts (default) and Bespoke-Stratos: Sky-T1's prefix, system prompt and tags; nothing to judge by."""
    exchange = exchange_of(row["conversations"]).without_system()
    prompt, category = without_prefix(exchange.prompt)
    traces = [tagged_trace(R1, exchange.reply)] if exchange.reply else []
    return Draft(prompt=prompt, category=category or Category.OTHER, history=exchange.history, traces=traces)


def open_thoughts_metadata(row: dict[str, Any], _source: RowSource) -> Draft:
    """OpenThoughts (metadata): programs bring tests, mathematics a worked solution with the answer in a box."""
    problem, domain = text_in(row, "problem"), str(row.get("domain") or "").lower()
    tests = io_tests(row.get("test_cases"))
    parts = [problem, text_in(row, "starter_code")] if problem and problem.strip() else []
    prompt = "\n".join(text for text in parts if text and text.strip())
    truth = reference_of(row.get("ground_truth_solution"))
    reference = last_boxed(truth) if domain == "math" and isinstance(truth, str) else truth
    category = {"math": Category.MATH, "code": Category.CODE}.get(domain) or _category_by(prompt, reference)
    trace = parted_trace(R1, row.get("deepseek_reasoning"), row.get("deepseek_solution"))
    return Draft(
        prompt=naming_entry_point(without_prefix(prompt).prompt, tests),
        reference_answer=None if tests else reference,
        category=Category.CODE if tests else Category.CHOICE if is_choice(prompt, reference) else category,
        tests=tests,
        traces=[trace] if trace else [],
        info=said(row, "domain", upstream_source="source"),
    )


_DOLPHIN: Final = (("messages",), ("reasoning",), ("answer",))
MIXED_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "natural_reasoning": LayoutAdapter(required=(("question",), ("reference_answer",)), adapt=natural_reasoning),
    "general_thought": LayoutAdapter(
        required=(("question",), ("reference_answer",), ("model_name",)),
        adapt=general_thought,
        responses=("model_answer", "model_reasoning"),
    ),
    "dolphin_deepseek": LayoutAdapter(required=_DOLPHIN, adapt=partial(dolphin, model=R1), responses=("reasoning",)),
    "dolphin_flash": LayoutAdapter(
        required=_DOLPHIN, adapt=partial(dolphin, model=GEMINI_THINKING), responses=("reasoning",)
    ),
    "dolphin_nonreasoning": LayoutAdapter(
        required=(("messages",), ("score", "overall_quality")), adapt=partial(dolphin, model=None)
    ),
    "thoughts": LayoutAdapter(required=(("conversations",),), adapt=thoughts, responses=("conversations",)),
    "open_thoughts_metadata": LayoutAdapter(
        required=(("problem",), ("deepseek_reasoning",), ("deepseek_solution",)),
        adapt=open_thoughts_metadata,
        responses=("deepseek_reasoning",),
    ),
}

"""The s1 family: data_ablation_full59K, s1K and s1K-1.1, which are one layout with other columns for the traces.

full59K and s1K hold Gemini's traces and none of R1's. full59K was built from *test sets* among others (GPQA, AGIEval,
OlympiadBench, LiveCodeBench …): decontaminate it again.

Science and mixed questions: natural_reasoning, GeneralThought, Dolphin-R1, OpenThoughts, Bespoke-Stratos.

GPQA, a benchmark: its right answer is a column of its own, so that the reader has to put the options in order.
"""

from __future__ import annotations

import ast
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category, digest
from tracemill.sources.adapter import Draft, ExcludedRowError, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import (
    answer_text,
    is_choice,
    licence_of,
    reference_of,
    said,
    text_in,
    without_prefix,
)
from tracemill.sources.layouts.conversations import as_turns, exchange_of, turns_of
from tracemill.sources.layouts.io_tests import io_tests, naming_entry_point
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1, model_named, parted_trace, tagged_trace
from tracemill.text.boxes import last_boxed

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

_TOOLS: Final = re.compile(r"<tools?>|<tool_call>|<tool_response>|\[TOOL_CALLS\]")
_WORD: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_FORMULA: Final = re.compile(r"[\d=^_]|\\[A-Za-z]")
_MAX_FORMULA: Final = 200  # characters


def natural_reasoning(row: dict[str, Any], _source: RowSource) -> Draft:
    """natural_reasoning: one reference in five is missing, half of them are prose. Responses are Llama's: no traces."""
    prompt, reference = row.get("question"), reference_of(row.get("reference_answer"))
    return Draft(prompt=prompt, reference_answer=reference, category=category_by(prompt, reference))


def general_thought(row: dict[str, Any], _source: RowSource) -> Draft:
    """GeneralThought: a row is a question and one model's answer, with the question's own licence."""
    prompt, reference = row.get("question"), reference_of(row.get("reference_answer"))
    model = model_named(row.get("model_name"))
    trace = parted_trace(model, row.get("model_reasoning"), row.get("model_answer"), score=row.get("verifier_score"))
    licence, non_commercial = licence_of(row.get("question_license"))
    return Draft(
        prompt=prompt,
        reference_answer=reference,
        category=category_by(prompt, reference),
        history=turns_of(row["prev_messages"]) if row.get("prev_messages") else [],
        traces=[trace] if trace else [],
        info=said(row, "task", "question_url", upstream_id="question_id", upstream_source="question_source"),
        licence=licence,
        non_commercial=non_commercial,
    )


def category_by(prompt: object, reference: object) -> Category:
    """Return what the reference can be checked as: an option, a number or formula, or nothing that a rule knows."""
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
    """Return the first mark of a tool in turns of any role, or in the answer."""
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
    category = {"math": Category.MATH, "code": Category.CODE}.get(domain) or category_by(prompt, reference)
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
_GPQA_OPTIONS: Final = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def gpqa(row: dict[str, Any], _source: RowSource) -> Draft:
    """GPQA: options in an order by digest of the item, so that it is part of the item and the same in every run.

    Letters that are drawn anew pair answers that were had before with another key: accuracy falls to chance.
    """
    question, *options = [(text_in(row, name) or "").strip() for name in ("Question", *_GPQA_OPTIONS)]
    if not question or not all(options):
        empty = [name for name in ("Question", *_GPQA_OPTIONS) if not (text_in(row, name) or "").strip()]
        raise MalformedRowError("missing_option", f"nothing in column {', '.join(empty)}")
    name = str(row.get("Record ID") or digest(question))
    order = sorted(range(len(options)), key=lambda place: digest("gpqa@1", name, place))
    listed = [f"{letter}) {options[place]}" for letter, place in zip("ABCD", order, strict=True)]
    return Draft(
        prompt=question + "\n\n" + "\n".join(listed),
        reference_answer="ABCD"[order.index(0)],
        category=Category.CHOICE,
        info=said(row, domain="High-level domain", subdomain="Subdomain", upstream_id="Record ID"),
    )


MIXED_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "natural_reasoning": LayoutAdapter(required=(("question",), ("reference_answer",)), adapt=natural_reasoning),
    "gpqa": LayoutAdapter(required=tuple((name,) for name in ("Question", *_GPQA_OPTIONS)), adapt=gpqa),
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


# Whose, then the columns: reasoning, answer, and the mark that Claude gave it (s1K-1.1).
_TRACES: Final = (
    (R1, "deepseek_thinking_trajectory", "deepseek_attempt", "deepseek_grade"),
    (GEMINI_THINKING, "gemini_thinking_trajectory", "gemini_attempt", "gemini_grade"),
    (GEMINI_THINKING, "thinking_trajectories", "attempt", "grade"),
)
_GRADES: Final = {"yes": True, "no": False}
_LETTERED: Final = re.compile(r"\bAnswer:\s*\(?([A-E])\)?[\s.]*\Z")  # how GPQA's explanations end
_SHORT: Final = 12  # words of a solution that is nothing but an answer
_METADATA_CHARS: Final = 200  # of a value that is worth keeping: ids, years and levels, not whole solutions


def s1(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return the solution is an answer, a worked solution, an explanation with a letter, or null (programs)."""
    prompt, kind = row.get("question"), row.get("cot_type")
    answer, rest = _answer(row.get("solution"))
    category = _category(prompt, kind, answer)
    about = {name: value for name, value in _metadata(row.get("metadata")).items() if _is_small(value)}
    return Draft(
        prompt=prompt,
        reference_answer=rest if answer is None and category == Category.OTHER else answer,
        category=category,
        traces=[trace for columns in _TRACES for trace in _traces(row, *columns)],
        info=said(row, "cot_type", upstream_source="source_type") | ({"metadata": about} if about else {}),
    )


def _answer(solution: object) -> tuple[str | None, str | None]:
    """Return the answer in a solution, or None; and the solution where it is text."""
    text = reference_of(answer_text(solution))
    if not isinstance(text, str):
        return None, None
    if lettered := _LETTERED.search(text):
        return lettered.group(1), text
    if (boxed := last_boxed(text)) is not None:
        return boxed, text
    is_short = "\n" not in text.strip() and len(text.split()) <= _SHORT
    return (text.strip() if is_short else None), text


def _category(prompt: object, kind: object, answer: str | None) -> Category:
    if kind == "coding":
        return Category.CODE
    if is_choice(prompt, answer) or kind == "crossword":  # a crossword's answer is a word, which choices are read for
        return Category.CHOICE
    return Category.MATH if kind == "math" or (answer is not None and any(map(str.isdigit, answer))) else Category.OTHER


def _traces(row: dict[str, Any], model: str, reasoning: str, answer: str, grade: str) -> list[dict[str, Any]]:
    """Usually one; the early revision of s1K-1.1 and all of s1K keep lists."""
    marked = _GRADES.get(str(row.get(grade)).strip().lower())
    pairs = zip(_listed(row.get(reasoning)), _listed(row.get(answer)), strict=False)
    traces = (parted_trace(model, think, said_last, graded=marked) for think, said_last in pairs)
    return [trace for trace in traces if trace is not None]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _metadata(value: object) -> dict[Any, Any]:
    """Python's ``str(dict)``, not JSON; what even Python cannot read (nan, arrays) says nothing."""
    if not isinstance(value, str):
        return {}
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_small(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= _METADATA_CHARS


S1_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "s1": LayoutAdapter(
        required=(("question",), ("solution",), tuple(reasoning for _, reasoning, _, _ in _TRACES)),
        adapt=s1,
        responses=tuple(reasoning for _, reasoning, _, _ in _TRACES),
    ),
}

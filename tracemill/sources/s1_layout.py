"""The s1 family: data_ablation_full59K, s1K and s1K-1.1, which are one layout with other columns for the traces.

full59K and s1K hold Gemini's traces and none of R1's. full59K was built from *test sets* among others (GPQA, AGIEval,
OlympiadBench, LiveCodeBench …): decontaminate it again.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.choices import is_choice
from tracemill.sources.criteria import answer_text, reference_of, said
from tracemill.sources.draft import Draft, LayoutAdapter
from tracemill.sources.trace_encodings import GEMINI_THINKING, R1, parted_trace
from tracemill.text import last_boxed

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

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
    """The solution is an answer, a worked solution, an explanation with a letter, or null (programs)."""
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
    """The answer in a solution, or None; and the solution where it is text."""
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

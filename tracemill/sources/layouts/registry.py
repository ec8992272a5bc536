"""Adapters: what the columns of each upstream layout mean.

An adapter maps one parsed row to a :class:`Draft` or says why it cannot. What the layouts are: docs/sources.md.
A family of layouts has a module of its own (``<family>_layouts.py``), and its table is joined to ``LAYOUTS`` below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracemill.core import Category
from tracemill.sources.adapter import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.am import am
from tracemill.sources.layouts.chat import CHAT_LAYOUTS
from tracemill.sources.layouts.codeio import CODEIO_LAYOUTS
from tracemill.sources.layouts.columns import category_of, constraint, constraints_of, history_of, tests_of, text_in
from tracemill.sources.layouts.contests import CODEFORCES_LAYOUTS, CONTEST_LAYOUTS, LIVECODEBENCH_LAYOUTS
from tracemill.sources.layouts.conversations import exchange_of
from tracemill.sources.layouts.instructions import INSTRUCTION_LAYOUTS
from tracemill.sources.layouts.maths import MATHS_LAYOUTS
from tracemill.sources.layouts.mixed import MIXED_LAYOUTS, S1_LAYOUTS
from tracemill.sources.layouts.programs import (
    ACECODE_LAYOUTS,
    CONTEST_TESTS,
    KODCODE_LAYOUTS,
    OPENCODER_LAYOUTS,
    code_contests,
    humaneval,
    mbpp,
)
from tracemill.sources.layouts.published import PUBLISHED_LAYOUTS
from tracemill.sources.layouts.traces import model_named, tagged_trace
from tracemill.text.boxes import last_boxed

if TYPE_CHECKING:
    from tracemill.sources.adapter import PlainField, RowSource


def required_columns(source: RowSource) -> tuple[tuple[str, ...], ...]:
    """Alternatives for each column that a row of ``source`` must have: its layout's, and those it selects by."""
    named = source.columns.get("prompt")
    of_layout = ((named,),) if source.layout == "plain" and named else LAYOUTS[source.layout].required
    return (*of_layout, *((column,) for column in source.only))


PROMPT_COLUMNS = ("prompt", "question", "problem", "instruction", "query")
REFERENCE_COLUMNS = ("reference_answer", "answer", "final_answer")


def _plain(row: dict[str, Any], source: RowSource) -> Draft:
    """Return one column a field; tests make a row code, and constraints an instruction, unless it says what it is."""
    category = category_of(_column(row, source, "category"), named="category" in source.columns)
    tests = tests_of(_column(row, source, "tests"))
    constraints = constraints_of(_column(row, source, "constraints"))
    guess = Category.CODE if tests else Category.INSTRUCTION if constraints else None
    solution, upstream_id = _column(row, source, "reference_solution"), _column(row, source, "id")
    info = {"reference_solution": solution, "upstream_id": upstream_id}
    prompt, history = _column(row, source, "prompt", PROMPT_COLUMNS), history_of(_column(row, source, "history"))
    if (
        isinstance(prompt, list)
        and "response" in source.columns
        and source.columns.get("prompt") == source.columns["response"]
    ):
        exchange = exchange_of(prompt)  # question and response stand in one conversation
        prompt, history = exchange.prompt, history + exchange.history
    return Draft(
        prompt=prompt,
        reference_answer=_column(row, source, "reference_answer", REFERENCE_COLUMNS),
        category=category or guess,
        history=history,
        tests=tests,
        constraints=constraints,
        traces=_plain_traces(row, source),
        info={name: value for name, value in info.items() if isinstance(value, str | int) and value != ""},
    )


def _plain_traces(row: dict[str, Any], source: RowSource) -> list[dict[str, Any]]:
    """The responses in the column that is named for them: one text, a list of texts, or a conversation with a reply."""
    column = source.columns.get("response")
    value = None if column is None else row.get(column)
    if value is None or value == "":
        return []
    listed = value if isinstance(value, list) else [value]
    listed = [one["response"] if isinstance(one, dict) and "response" in one else one for one in listed]
    texts = [exchange_of(value).reply] if listed and all(isinstance(turn, dict) for turn in listed) else listed
    if not all(text is None or isinstance(text, str) for text in texts):
        raise MalformedRowError("malformed_response", f"{column} is {value!r:.200}; expected: text, or a list of texts")
    model = model_named(row.get("model"))
    return [tagged_trace(model, text) for text in texts if text and text.strip()]


def _column(row: dict[str, Any], source: RowSource, field_name: PlainField, aliases: tuple[str, ...] = ()) -> object:
    named = source.columns.get(field_name)
    names = (named,) if named is not None else aliases or (field_name,)
    return next((row[name] for name in names if row.get(name) is not None), None)


def _gsm8k(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return the answer is a worked solution whose last line is ``#### N``; N may have thousands separators."""
    solution = row.get("answer")
    if not isinstance(solution, str) or "####" not in solution:
        raise MalformedRowError("no_reference_marker", "column answer has no line '#### N'")
    reference = solution.rsplit("####", 1)[1].strip().replace(",", "")
    return Draft(prompt=row.get("question"), reference_answer=reference)


def _math(row: dict[str, Any], _source: RowSource) -> Draft:
    """MATH: the reference is the last balanced box of the solution."""
    solution = text_in(row, "solution")
    reference = last_boxed(solution) if solution else None
    info = {name: row[name] for name in ("level", "type", "unique_id") if row.get(name) is not None}
    return Draft(prompt=row.get("problem"), reference_answer=reference, info=info)


def _svamp(row: dict[str, Any], _source: RowSource) -> Draft:
    """SVAMP: a body, which in four of ten rows ends without a full stop, and a question. Answers are floats."""
    body, question = row.get("Body"), row.get("Question")
    if not isinstance(body, str) or not isinstance(question, str):
        raise MalformedRowError("missing_prompt", f"Body is {body!r:.100}, Question is {question!r:.100}")
    joint = " " if body.rstrip().endswith((".", "!", "?")) else ", "
    info = {"upstream_id": row["ID"]} if row.get("ID") else {}
    return Draft(prompt=f"{body.rstrip()}{joint}{question.strip()}", reference_answer=row.get("Answer"), info=info)


def _ifeval(row: dict[str, Any], _source: RowSource) -> Draft:
    """IFEval: names of constraints, and beside each its arguments; the Hub's copy pads them with nulls."""
    names, arguments = row.get("instruction_id_list"), row.get("kwargs") or []
    if not isinstance(names, list) or not isinstance(arguments, list) or len(names) != len(arguments):
        raise MalformedRowError("malformed_constraints", "instruction_id_list and kwargs are no lists of equal length")
    if not all(isinstance(name, str) for name in names) or not all(isinstance(a or {}, dict) for a in arguments):
        raise MalformedRowError("malformed_constraints", f"names {names!r:.200}, kwargs {arguments!r:.200}")
    return Draft(
        prompt=row.get("prompt"),
        category=Category.INSTRUCTION,
        constraints=[constraint(name, given) for name, given in zip(names, arguments, strict=True)],
        info={"upstream_id": row["key"]} if "key" in row else {},
    )


LAYOUTS: dict[str, LayoutAdapter] = {
    "plain": LayoutAdapter(required=(PROMPT_COLUMNS,), adapt=_plain),
    "gsm8k": LayoutAdapter(required=(("question",), ("answer",)), adapt=_gsm8k),
    "math": LayoutAdapter(required=(("problem",), ("solution",)), adapt=_math),
    "svamp": LayoutAdapter(required=(("Body",), ("Question",), ("Answer",)), adapt=_svamp),
    "mbpp": LayoutAdapter(required=(("text",), ("test_list",)), adapt=mbpp),
    "humaneval": LayoutAdapter(required=(("prompt",), ("test",), ("entry_point",)), adapt=humaneval),
    "code_contests": LayoutAdapter(required=(("description", "content"), CONTEST_TESTS), adapt=code_contests),
    "ifeval": LayoutAdapter(required=(("prompt",), ("instruction_id_list",)), adapt=_ifeval),
    "am": LayoutAdapter(required=(("messages",),), adapt=am, responses=("messages",)),
    **MATHS_LAYOUTS,
    **ACECODE_LAYOUTS,
    **S1_LAYOUTS,
    **MIXED_LAYOUTS,
    **KODCODE_LAYOUTS,
    **OPENCODER_LAYOUTS,
    **CONTEST_LAYOUTS,
    **CODEFORCES_LAYOUTS,
    **CODEIO_LAYOUTS,
    **LIVECODEBENCH_LAYOUTS,
    **CHAT_LAYOUTS,
    **INSTRUCTION_LAYOUTS,
    **PUBLISHED_LAYOUTS,
}

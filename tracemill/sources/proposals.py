"""Layouts that the rows of somebody's own file may have, to be tried one after the other.

:mod:`recognition` refuses to guess, since an audit's figures would hang on it. Here guesses are proposals: what each
makes of the rows is looked at (:mod:`tracemill.sources.inspection`), and whoever asked reads which one was taken.

A layout is proposed where a column is there that only it has; or, where its columns are common ones, where the rows
say so (``####``, boxes, AM's ``info``). What rows are in no layout's columns is ``plain``, with columns named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from tracemill.sources.adapter import PlainField
from tracemill.sources.layouts.conversations import turns_of
from tracemill.sources.layouts.recognition import CRITERIA, RESPONSE_COLUMNS, fits, has_info
from tracemill.sources.layouts.registry import LAYOUTS, PROMPT_COLUMNS, REFERENCE_COLUMNS
from tracemill.text.boxes import last_boxed
from tracemill.text.think import split_think

if TYPE_CHECKING:
    from collections.abc import Iterable

Rows = Sequence[Mapping[str, Any]]

_CONVERSATIONS: Final = ("messages", "conversations", "conversation", "chat", "dialogue", "turns")
_PROMPTS: Final = (*PROMPT_COLUMNS, "input", "user", "task", "question_text", "text", "content", "q", "问题", "题目")
_REFERENCES: Final = (
    *REFERENCE_COLUMNS, "reference", "ground_truth", "gold", "gold_answer", "expected_answer", "correct_answer",
    "target", "expected", "label", "result", "solution",
    "a", "答案",
)  # fmt: skip
# Columns that say nothing of where rows are from.
_COMMON: Final = frozenset({
    *PROMPT_COLUMNS, *REFERENCE_COLUMNS, *RESPONSE_COLUMNS, *_CONVERSATIONS, *_PROMPTS, *_REFERENCES, "Question",
    "Answer", "reasoning", "type", "model", "score", "description", "examples",
})  # fmt: skip
# What may belong to the question, and stands beside it.
_PARTS: Final = ("input", "context", "passage", "choices", "options", "starter_code", "system_prompt", "system")
_NO_SOURCE: Final = ("plain", "livecodebench")  # a benchmark is to be kept out
_SHORT: Final = 60  # characters of an answer that is no worked solution


class Proposal(NamedTuple):
    """One way to read the rows.

    Attributes:
        layout: its name.
        columns: of plain: field of the problem -> column, where its own names are not those.
        telling: how many columns, or marks in the rows, are this layout's alone.
    """

    layout: str
    columns: Mapping[PlainField, str]
    telling: int


def proposals(rows: Rows) -> list[Proposal]:
    """Return all ways to read some rows, plain last; empty where no column can be a question."""
    columns = {str(name) for row in rows for name in row}
    there = [name for name in LAYOUTS if name not in _NO_SOURCE and fits(name, columns)]
    found = [Proposal(name, {}, n) for name in there if (n := _telling(name, columns) + _marked(name, rows))]
    named = plain_columns(rows)
    return [*found, *([] if named is None else [Proposal("plain", named, 0)])]


def _telling(name: str, columns: set[str]) -> int:
    adapter = LAYOUTS[name]
    known = {*adapter.responses, *(alias for aliases in adapter.required for alias in aliases)}
    return len(known & columns - _COMMON)


def _marked(name: str, rows: Rows) -> int:
    """Tell whether most rows show that they are of this layout, though their columns do not."""
    mark = _MARKS.get(name)
    return int(mark is not None and 2 * sum(map(mark, rows)) > len(rows))


def _said(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


_MARKS: Final[Mapping[str, Callable[[Mapping[str, Any]], bool]]] = {
    "gsm8k": lambda row: "####" in _said(row, "answer"),
    "math": lambda row: last_boxed(_said(row, "solution")) is not None,
    "metamath": lambda row: "The answer is:" in _said(row, "response"),
    "am": lambda row: has_info(dict(row)),
    "thoughts": lambda row: "<|begin_of_thought|>" in str(row.get("conversations")),
    "opencoder": lambda row: bool(row.get("testcase")),
    "openr1_math": lambda row: "correctness_math_verify" in row,
}


def plain_columns(rows: Rows) -> dict[PlainField, str] | None:
    """Return the columns of rows that are no layout's own, as far as plain would not find them itself.

    A conversation is question and response in one. The question is a column of a usual name, else the one column
    of texts in several words. None where there is no such column, or more than one.
    """
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    found: dict[PlainField, str] = {}
    prompt = _conversation(rows, names) or _by_name(rows, names, _PROMPTS, _has_texts) or _only_prose(rows, names)
    if prompt is None:
        return None
    left = [name for name in names if name != prompt]
    response = prompt if _conversation(rows, [prompt]) else _reasoned(rows, left)
    reference = _by_name(rows, left, _REFERENCES) or _by_name(rows, left, RESPONSE_COLUMNS, _is_short)
    wanted = {"prompt": prompt, "response": response, "reference_answer": None if reference == response else reference}
    for field in get_args(PlainField):
        column = wanted.get(field)
        if column is not None and not _found_by_plain(field, column, names):
            found[field] = column
    return found


def _found_by_plain(field: str, column: str, names: Sequence[str]) -> bool:
    """Tell whether plain takes this column for the field without being told."""
    usual = {"prompt": PROMPT_COLUMNS, "reference_answer": REFERENCE_COLUMNS}.get(field, ())
    return column == next((name for name in usual if name in names), None)


def _by_name(
    rows: Rows, names: Sequence[str], wanted: Iterable[str], fits_: Callable[[Rows, str], bool] | None = None
) -> str | None:
    """Return the column with the first of these names, in upper or lower case, whose values are text or numbers."""
    by_name = {name.lower().replace(" ", "_"): name for name in reversed(names)} | {name: name for name in names}
    there = [by_name[name] for name in wanted if name in by_name]
    return next((name for name in there if (fits_ or _has_values)(rows, name)), None)


def _values(rows: Rows, name: str) -> list[Any]:
    return [row[name] for row in rows if row.get(name) not in (None, "")]


def _has_values(rows: Rows, name: str) -> bool:
    return any(isinstance(value, str | int | float) for value in _values(rows, name))


def _has_texts(rows: Rows, name: str) -> bool:
    return any(isinstance(value, str) for value in _values(rows, name))


def _is_short(rows: Rows, name: str) -> bool:
    values = _values(rows, name)
    return bool(values) and all(isinstance(v, int | float) or (isinstance(v, str) and len(v) <= _SHORT) for v in values)


def _only_prose(rows: Rows, names: Sequence[str]) -> str | None:
    """Return the one column most of whose values are texts of several words, all of them different."""

    def is_prose(name: str) -> bool:
        values = _values(rows, name)
        texts = [value for value in values if isinstance(value, str) and _is_sentence(value)]
        return bool(texts) and 2 * len(texts) > len(values) and 2 * len(set(texts)) > len(texts)

    prose = [name for name in names if is_prose(name)]
    return prose[0] if len(prose) == 1 else None


def _is_sentence(text: str) -> bool:
    """Three words; or, as Chinese has no blanks, ten characters that are not all Latin."""
    return len(text.split()) > 2 or (len(text) >= 10 and not text.isascii())


def _conversation(rows: Rows, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in _CONVERSATIONS and _is_conversation(rows, name)), None)


def _is_conversation(rows: Rows, name: str) -> bool:
    def is_one(value: Any) -> bool:
        try:
            return isinstance(value, list) and bool(turns_of(value, name))
        except ValueError:
            return False

    values = _values(rows, name)
    return bool(values) and 2 * sum(map(is_one, values)) > len(values)


def _reasoned(rows: Rows, names: Sequence[str]) -> str | None:
    """Return the column of responses that have reasoning in tags; replies without are no traces."""

    def is_reasoned(value: Any) -> bool:
        texts = value if isinstance(value, list) else [value]
        return any(isinstance(text, str) and split_think(text).think is not None for text in texts)

    there = [name for name in names if name in (*RESPONSE_COLUMNS, "solution")]
    return next((name for name in there if any(map(is_reasoned, _values(rows, name)))), None)


def unread(rows: Rows, proposal: Proposal) -> list[str]:
    """Return columns by whose names rows could be judged, and that plain does not read."""
    if proposal.layout != "plain":
        return []
    read = {*REFERENCE_COLUMNS, *get_args(PlainField), *proposal.columns.values()}
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return [name for name in names if name in {*CRITERIA, "test_list"} and name not in read]


def parts(rows: Rows, proposal: Proposal) -> list[str]:
    """Return columns with values that may be a part of the question, and that plain does not read."""
    if proposal.layout != "plain":
        return []
    names = dict.fromkeys(str(name) for row in rows for name in row)
    read = set(proposal.columns.values())
    return [name for name in names if name.lower() in _PARTS and name not in read and _filled(rows, name)]


def _filled(rows: Rows, name: str) -> bool:
    return any(value not in ([], {}) for value in _values(rows, name))

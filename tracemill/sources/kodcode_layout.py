"""KodCode-V1 and KodCode-V1-SFT-R1, of every revision: questions with a pytest module, and R1's replies.

Columns were renamed over time: split to style, conversation_id to question_id, test_code to test, test_entry_point to
test_info. Upstream puts ``from solution import *`` before every test module, for some of them leave the import out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.conversations import exchange_of
from tracemill.sources.criteria import parsed, said, solved
from tracemill.sources.draft import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.io_tests import io_tests, mentions
from tracemill.sources.trace_encodings import R1, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

IMPORT: Final = "from solution import *\n"
_DEFINED: Final = re.compile(r"^(?:async )?def (\w+)|^class (\w+)", re.MULTILINE)
_FENCED: Final = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)


def kodcode(row: dict[str, Any], _source: RowSource) -> Draft:
    """The prompt names what the tests call: the declaration is added where the question does not, as upstream does."""
    functions = _functions(row)
    names = [name for name, _ in functions]
    entry_point = names[0] if len(names) == 1 else None
    style = row.get("style", row.get("split"))
    return Draft(
        prompt=_prompt(row.get("question"), functions),
        category=Category.CODE,
        tests=_tests(row.get("test", row.get("test_code")), style, entry_point),
        traces=_traces(row, entry_point),
        info=said(row, "subset", "gpt_difficulty", "gpt_pass_percentage", "r1_pass_sequence")
        | {"style": style, "upstream_id": row.get("question_id", row.get("conversation_id"))}
        | solved(row.get("solution")),
    )


def _functions(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and declaration of what the tests call: usually one function, sometimes several, none for classes."""
    info = parsed(row.get("test_info"), "test_info")
    entries = [info] if isinstance(info, dict) else info or []
    if not isinstance(entries, list) or not all(_is_function(entry) for entry in entries):
        raise MalformedRowError("malformed_test_info", f"test_info is {info!r:.200}; expected: a list of functions")
    named = [(entry["function_name"], entry.get("function_declaration") or "") for entry in entries
             if entry.get("function_name")]  # fmt: skip
    first_revision = row.get("test_entry_point")
    return named or ([(first_revision, "")] if isinstance(first_revision, str) and first_revision else [])


def _is_function(entry: object) -> bool:
    said = [entry.get("function_name"), entry.get("function_declaration")] if isinstance(entry, dict) else [entry]
    return isinstance(entry, dict) and all(text is None or isinstance(text, str) for text in said)


def _prompt(question: object, functions: list[tuple[str, str]]) -> object:
    if not isinstance(question, str):
        return question
    missing = [f"`{(declared or name).strip()}`" for name, declared in functions if not mentions(question, name)]
    if not missing:
        return question
    what = "function declaration is" if len(missing) == 1 else "function declarations are"
    return f"{question.rstrip()}\n\nNote that the {what} {', '.join(missing)}."


def _tests(test: object, style: object, entry_point: str | None) -> dict[str, Any] | None:
    """A pytest module; or, of style online_judge, JSON of what a program reads and writes."""
    if test is None or test == "":
        return None
    if style == "online_judge" or isinstance(test, dict):
        return _streams(test)
    if not isinstance(test, str):
        raise MalformedRowError("malformed_tests", f"test is {test!r:.200}; expected: a test module")
    code = test if IMPORT.strip() in test else IMPORT + test
    return {"kind": "script", "entry_point": entry_point, "code": code}


def _streams(test: object) -> dict[str, Any] | None:
    found = parsed(test, "tests")
    if isinstance(found, dict) and "stdin" in found and "stdout" in found:
        streams = [each if isinstance(each, list) else [each] for each in (found["stdin"], found["stdout"])]
        return io_tests({"inputs": streams[0], "outputs": streams[1]})
    return io_tests(found)


def _traces(row: dict[str, Any], entry_point: str | None) -> list[dict[str, Any]]:
    """R1's reply. Its flag is text, and true if any of about three trials passed: the kept one is verified anyway."""
    if not row.get("conversations"):
        return []
    reply = exchange_of(row["conversations"]).reply
    if reply is None:
        return []
    correct = {"True": True, "False": False}.get(str(row.get("r1_correctness")))
    trace = tagged_trace(R1, reply, correct=correct)
    old = _renamed(trace["answer"], row.get("r1_solution"), entry_point)
    if old and entry_point:
        trace["answer"] = re.sub(rf"\b{re.escape(old)}\b", entry_point, trace["answer"])
        trace["renamed"] = f"{old} -> {entry_point}"
    return [trace]


def _renamed(answer: str, solution: object, entry_point: str | None) -> str | None:
    """The name that upstream replaced by the entry point in ``r1_solution``, but not in the reply; or None."""
    if entry_point is None or not isinstance(solution, str) or mentions(answer, entry_point):
        return None
    for program in _FENCED.findall(answer):
        for names in _DEFINED.findall(program):
            name = "".join(names)
            if re.sub(rf"\b{re.escape(name)}\b", entry_point, program).split() == solution.split():
                return name
    return None


KODCODE_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "kodcode": LayoutAdapter(
        required=(("question",), ("test", "test_code")), adapt=kodcode, responses=("conversations",)
    ),
}

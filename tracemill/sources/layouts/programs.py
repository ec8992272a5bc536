"""AceCode-87K: a question, and assertions that a model imagined and others were filtered by.

KodCode-V1 and KodCode-V1-SFT-R1, of every revision: questions with a pytest module, and R1's replies.

Columns were renamed over time: split to style, conversation_id to question_id, test_code to test, test_entry_point to
test_info. Upstream puts ``from solution import *`` before every test module, for some of them leave the import out.

Programming tasks: MBPP, HumanEval and CodeContests. Each brings tests and, where it has one, a solution of its own.

That solution goes to ``info["reference_solution"]``; ``python -m flows.check_references`` runs it against the tests.

OpenCoder's opc-sft-stage1 and -stage2: instructions; those of educational_instruct bring assertions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Category
from tracemill.sources.adapter import Draft, LayoutAdapter, MalformedRowError
from tracemill.sources.layouts.columns import parsed, said, solved, text_in
from tracemill.sources.layouts.contests import limits_of
from tracemill.sources.layouts.conversations import exchange_of
from tracemill.sources.layouts.io_tests import io_tests, mentions
from tracemill.sources.layouts.traces import R1, tagged_trace

if TYPE_CHECKING:
    from tracemill.sources.adapter import RowSource

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
    """Return name and declaration of what the tests call: usually one function, sometimes several, none for classes."""
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
    """Return a pytest module; or, of style online_judge, JSON of what a program reads and writes."""
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
    """Return the name that upstream replaced by the entry point in ``r1_solution``, but not in the reply; or None."""
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


CONTEST_TESTS: Final = ("public_tests", "private_tests", "generated_tests", "test")
_PYTHON_3: Final = (3, "PYTHON3", "python3")  # CodeContests' enum, by number in its Parquet files


def mbpp(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return the prompt of MBPP's paper (arXiv 2108.07732): the text, and the assertions, which also name the function.

    The challenge tests judge, and are not shown.
    """
    text, shown, hidden = row.get("text"), _asserts(row, "test_list"), _asserts(row, "challenge_test_list")
    if not isinstance(text, str):
        raise MalformedRowError("missing_prompt", f"text is {text!r:.100}")
    tests = "\n".join(shown)
    return Draft(
        prompt=f"You are an expert Python programmer, and here is your task: {text} "
        f"Your code should pass these tests:\n\n{tests}\n",
        category=Category.CODE,
        tests={"kind": "assert", "setup": text_in(row, "test_setup_code") or "", "asserts": [*shown, *hidden]},
        info=solved(row.get("code")) | {"upstream_id": row.get("task_id")},
    )


def _asserts(row: dict[str, Any], name: str) -> list[str]:
    lines = row.get(name) or []
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise MalformedRowError("malformed_tests", f"{name} is {lines!r:.200}; expected: a list of text")
    return lines


def humaneval(row: dict[str, Any], _source: RowSource) -> Draft:
    """Return the prompt is the head of a function and is kept as it is; the solution's text continues it."""
    prompt, solution = row.get("prompt"), row.get("canonical_solution")
    code, entry_point = text_in(row, "test"), text_in(row, "entry_point")
    if not code or not entry_point:
        raise MalformedRowError("malformed_tests", f"test is {code!r:.100}, entry_point is {entry_point!r:.100}")
    whole = prompt + solution if isinstance(prompt, str) and isinstance(solution, str) else None
    return Draft(
        prompt=prompt,
        category=Category.CODE,
        tests={"kind": "script", "entry_point": entry_point, "code": code},
        info=solved(whole) | {"upstream_id": row.get("task_id")},
    )


def code_contests(row: dict[str, Any], _source: RowSource) -> Draft:
    """CodeContests as DeepMind publishes it, and its common sample (``content``, ``test`` as JSON text)."""
    cases = [case for name in CONTEST_TESTS for case in _cases(name, row.get(name))]
    unique = {(case["stdin"], case["stdout"]): case for case in cases}
    tests: dict[str, Any] = {"kind": "stdio", "language": "python", "cases": list(unique.values())}
    return Draft(
        prompt=next((row[name] for name in ("description", "content") if row.get(name) is not None), None),
        category=Category.CODE,
        tests=None if _uses_files(row) else tests | limits_of(row.get("time_limit"), row.get("memory_limit_bytes")),
        info=solved(_python_solution(row.get("solutions"))) | {"upstream_id": row.get("name", row.get("id"))},
    )


def _cases(name: str, value: object) -> list[dict[str, str]]:
    """``{"input": [text], "output": [text]}``, or JSON text of ``[{"input": {"stdin"}, "output": {"stdout"}}]``."""
    try:
        tests: Any = json.loads(value) if isinstance(value, str) else value
        if isinstance(tests, dict):
            pairs = list(zip(tests["input"], tests["output"], strict=True))
        else:
            pairs = [(test["input"]["stdin"], test["output"]["stdout"]) for test in tests or []]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedRowError("malformed_tests", f"{name}: {type(error).__name__}: {error}") from error
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise MalformedRowError("malformed_tests", f"{name}: an input or output is no text")
    return [{"stdin": given, "stdout": expected} for given, expected in pairs]


def _uses_files(row: dict[str, Any]) -> bool:
    """Tell whether a program must read or write a named file: then its standard output says nothing about it."""
    return bool(row.get("input_file") or row.get("output_file"))


def _python_solution(solutions: object) -> object:
    """Return the first correct one in Python 3, which is what the tests are run in."""
    if not isinstance(solutions, dict):
        return None
    languages, texts = solutions.get("language") or [], solutions.get("solution") or []
    return next((text for language, text in zip(languages, texts, strict=False) if language in _PYTHON_3), None)


def opencoder(row: dict[str, Any], _source: RowSource) -> Draft:
    """Without assertions nothing can be run. The outputs are other models': no traces.

    ``code`` is the solution that the assertions hold for; it ends in prints, assertions of its own or a main guard.
    """
    asserts = _opencoder_asserts(row.get("testcase"))
    entry_point = row.get("entry_point")
    prompt = row.get("instruction")
    if asserts and isinstance(prompt, str) and isinstance(entry_point, str) and not mentions(prompt, entry_point):
        prompt = f"{prompt.rstrip()}\n\nYour code should pass this test:\n\n{asserts[0]}"
    return Draft(
        prompt=prompt,
        category=Category.CODE if asserts else Category.OTHER,
        tests={"kind": "assert", "setup": "", "asserts": asserts} if asserts else None,
        info=said(row, "tag", "entry_point", upstream_id="seq_id", upstream_source="source") | solved(row.get("code")),
    )


def _opencoder_asserts(value: object) -> list[str]:
    lines = parsed(value, "tests") or []
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise MalformedRowError("malformed_tests", f"testcase is {lines!r:.200}; expected: a list of assertions")
    return [line for line in lines if line.strip()]


OPENCODER_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "opencoder": LayoutAdapter(required=(("instruction",), ("output",)), adapt=opencoder),
}


_CALLED: Final = re.compile(r"\bassert\s+(?:not\s+)?\(?\s*([A-Za-z_]\w*)\s*\(")


def acecode(row: dict[str, Any], _source: RowSource) -> Draft:
    """The first assertion is shown where the question does not name what they call. ``inferences`` are no traces."""
    asserts = parsed(row.get("test_cases"), "tests") or []
    if not isinstance(asserts, list) or not all(isinstance(line, str) for line in asserts):
        raise MalformedRowError("malformed_tests", f"test_cases is {asserts!r:.200}; expected: a list of assertions")
    prompt = row.get("question")
    called = _CALLED.search(asserts[0]) if asserts else None
    if isinstance(prompt, str) and called and not mentions(prompt, called.group(1)):
        prompt = f"{prompt.rstrip()}\n\nYour code should pass this test:\n\n{asserts[0]}"
    return Draft(
        prompt=prompt,
        category=Category.CODE,
        tests={"kind": "assert", "setup": "", "asserts": asserts} if asserts else None,
        info=said(row, upstream_id="id", upstream_source="source"),
    )


ACECODE_LAYOUTS: Final[dict[str, LayoutAdapter]] = {
    "acecode": LayoutAdapter(required=(("question",), ("test_cases",)), adapt=acecode),
}

"""Programming tasks: MBPP, HumanEval and CodeContests. Each brings tests and, where it has one, a solution of its own.

That solution goes to ``info["reference_solution"]``; ``python -m flows.check_references`` runs it against the tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracemill.schema import Category
from tracemill.sources.criteria import solved, text_in
from tracemill.sources.draft import Draft, MalformedRowError
from tracemill.sources.limits import limits_of

if TYPE_CHECKING:
    from tracemill.sources.draft import RowSource

CONTEST_TESTS: Final = ("public_tests", "private_tests", "generated_tests", "test")
_PYTHON_3: Final = (3, "PYTHON3", "python3")  # CodeContests' enum, by number in its Parquet files


def mbpp(row: dict[str, Any], _source: RowSource) -> Draft:
    """The prompt of MBPP's paper (arXiv 2108.07732): the text, and the assertions, which also name the function.

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
    """The prompt is the head of a function and is kept as it is; the solution's text continues it."""
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
    """Whether a program must read or write a named file: then its standard output says nothing about it."""
    return bool(row.get("input_file") or row.get("output_file"))


def _python_solution(solutions: object) -> object:
    """The first correct one in Python 3, which is what the tests are run in."""
    if not isinstance(solutions, dict):
        return None
    languages, texts = solutions.get("language") or [], solutions.get("solution") or []
    return next((text for language, text in zip(languages, texts, strict=False) if language in _PYTHON_3), None)

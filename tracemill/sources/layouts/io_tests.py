r"""Tests as ``{"inputs": […], "outputs": […], "fn_name"?}``: the layout of APPS, TACO, OpenThoughts and Eurus.

Without a function's name they are what a program reads and writes. With one, an input is the arguments: a list of them
(APPS), or JSON text, one argument a line (OpenThoughts, Eurus); an output is the result, in APPS wrapped in a list.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from tracemill.sources.adapter import MalformedRowError

_INTEGER: Final = re.compile(r"-?\d+")


def io_tests(value: object) -> dict[str, Any] | None:
    """Return a test object of kind stdio or call, or None where there are no cases; see also :func:`_assertions`.

    Raises:
        MalformedRowError: ``malformed_tests``: it is not laid out so.
    """
    tests = _parsed(value)
    if not tests:
        return None
    if not isinstance(tests, dict):
        raise _malformed(tests)
    inputs, outputs, entry_point = tests.get("inputs"), tests.get("outputs"), tests.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise _malformed(tests)
    if not inputs:
        return None
    if entry_point and not isinstance(entry_point, str):
        raise _malformed(tests)
    return _calls(entry_point, inputs, outputs) if entry_point else _streams(inputs, outputs)


def naming_entry_point(prompt: str, tests: dict[str, Any] | None) -> str:
    """Return the prompt with the name of the function that its tests call, where it does not name it itself."""
    name = (tests or {}).get("entry_point")
    if not isinstance(name, str) or mentions(prompt, name):
        return prompt
    return f"{prompt.rstrip()}\n\nCall the function {name}."


def mentions(text: str, name: str) -> bool:
    """Tell whether the name stands in the text as a word: "adds" does not name add."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _streams(inputs: list[object], outputs: list[object]) -> dict[str, Any]:
    cases = [{"stdin": _text(given), "stdout": _text(said)} for given, said in zip(inputs, outputs, strict=True)]
    return {"kind": "stdio", "language": "python", "cases": cases}


def _text(stream: object) -> str:
    """Text, or a list of its lines, as APPS has it in places."""
    if isinstance(stream, list) and all(isinstance(line, str) for line in stream):
        return "\n".join(stream) + "\n"
    if not isinstance(stream, str):
        raise _malformed(stream)
    return stream


def _calls(entry_point: str, inputs: list[object], outputs: list[object]) -> dict[str, Any]:
    """Return one case a call; results are unwrapped where every one of them is wrapped."""
    wrapped = all(isinstance(said, list) and len(said) == 1 for said in outputs)
    results = [said[0] if wrapped and isinstance(said, list) else _value(said) for said in outputs]
    arguments = [_arguments(given) for given in inputs]
    if _has_int_keys([*arguments, *results]):
        return _assertions(entry_point, arguments, results)
    cases = [{"args": given, "kwargs": {}, "expected": said} for given, said in zip(arguments, results, strict=True)]
    return {"kind": "call", "entry_point": entry_point, "cases": cases}


def _arguments(given: object) -> list[object]:
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        raise _malformed(given)
    return [_value(line) for line in given.split("\n") if line.strip()]


def _value(text: object) -> object:
    """Return what JSON text says; text that is no JSON is itself (some sets leave the quotes out)."""
    if not isinstance(text, str):
        return text
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _has_int_keys(value: object) -> bool:
    """Tell whether there is a dict in it all of whose keys are numbers: upstream judges make them int again."""
    if isinstance(value, list):
        return any(_has_int_keys(each) for each in value)
    if not isinstance(value, dict) or not value:
        return False
    return all(_INTEGER.fullmatch(key) for key in value) or any(_has_int_keys(each) for each in value.values())


def _assertions(entry_point: str, arguments: list[list[object]], results: list[object]) -> dict[str, Any]:
    """Call written out in Python, where dicts may have numbers for keys: cases of kind call are JSON, which cannot."""
    calls = [f"{entry_point}({', '.join(_literal(each) for each in given)})" for given in arguments]
    asserts = [f"assert {call} == {_literal(said)}" for call, said in zip(calls, results, strict=True)]
    method = f"if {entry_point!r} not in globals():\n    {entry_point} = Solution().{entry_point}\n"
    return {"kind": "assert", "setup": method, "asserts": asserts, "entry_point": entry_point}


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        as_int = bool(value) and all(_INTEGER.fullmatch(key) for key in value)
        pairs = [f"{int(key) if as_int else key!r}: {_literal(each)}" for key, each in value.items()]
        return f"{{{', '.join(pairs)}}}"
    return f"float({str(value)!r})" if isinstance(value, float) and not math.isfinite(value) else repr(value)


def _parsed(value: object) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise MalformedRowError("malformed_tests", f"tests are text but no JSON: {error}") from error


def _malformed(got: object) -> MalformedRowError:
    return MalformedRowError(
        "malformed_tests",
        f"got {got!r:.200}; expected inputs and outputs, lists of one length, and a name or none in fn_name",
    )

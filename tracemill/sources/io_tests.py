r"""Tests as ``{"inputs": […], "outputs": […], "fn_name"?}``: the layout of APPS, TACO, OpenThoughts and Eurus.

Without a function's name they are what a program reads and writes. With one, an input is the arguments: a list of them
(APPS), or JSON text, one argument a line (OpenThoughts, Eurus); an output is the result, in APPS wrapped in a list.
"""

from __future__ import annotations

import json
from typing import Any

from tracemill.sources.draft import ExcludedRowError, MalformedRowError


def io_tests(value: object) -> dict[str, Any] | None:
    """A stdio or call test object, or None where there are no cases.

    Raises:
        MalformedRowError: ``malformed_tests``: it is not laid out so.
        ExcludedRowError: ``tests_with_int_keys``: an argument is a dict whose keys are numbers, which JSON cannot say.
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
    return _calls(str(entry_point), inputs, outputs) if entry_point else _streams(inputs, outputs)


def naming_entry_point(prompt: str, tests: dict[str, Any] | None) -> str:
    """The prompt with the name of the function that its tests call, where it does not name it itself."""
    name = (tests or {}).get("entry_point")
    if not isinstance(name, str) or name in prompt:
        return prompt
    return f"{prompt.rstrip()}\n\nCall the function {name}."


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
    """One case a call; results are unwrapped where every one of them is wrapped."""
    wrapped = all(isinstance(said, list) and len(said) == 1 for said in outputs)
    results = [said[0] if wrapped and isinstance(said, list) else _value(said) for said in outputs]
    arguments = [_arguments(given) for given in inputs]
    if any(_has_int_keys(each) for each in (arguments, results)):
        raise ExcludedRowError("tests_with_int_keys", f"arguments or results of {entry_point} have numbers for keys")
    cases = [{"args": given, "kwargs": {}, "expected": said} for given, said in zip(arguments, results, strict=True)]
    return {"kind": "call", "entry_point": entry_point, "cases": cases}


def _arguments(given: object) -> list[object]:
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        raise _malformed(given)
    return [_value(line) for line in given.split("\n") if line.strip()]


def _value(text: object) -> object:
    """What JSON text says; text that is no JSON is itself (some sets leave the quotes out)."""
    if not isinstance(text, str):
        return text
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _has_int_keys(value: object) -> bool:
    """Whether there is a dict in it all of whose keys are numbers: upstream judges make them int again."""
    if isinstance(value, list):
        return any(_has_int_keys(each) for each in value)
    if not isinstance(value, dict) or not value:
        return False
    return all(key.lstrip("-").isdigit() for key in value) or any(_has_int_keys(each) for each in value.values())


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
    return MalformedRowError("malformed_tests", f"got {got!r:.200}; expected inputs and outputs, lists of one length")

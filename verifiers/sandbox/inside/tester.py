"""In the tests' process, in a container that no program runs in: runs a problem's tests against stand-ins.

Every test is counted and reported by name. Tests that cannot be read, or of which there are none, are reported as such:
that is the problem's fault, and says nothing about the program.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Any

from verifiers.sandbox.inside import channel
from verifiers.sandbox.inside.remote import Program, Remote

_SHOWN = 300


class InvalidTests(Exception):  # noqa: N818 - the problem's fault, as data
    """The tests themselves cannot be run."""


def run_tests(fd: int, plan: dict[str, Any]) -> None:
    """Runs a plan and reports each test, then that it was the last."""
    program = Program(fd)
    try:
        loaded = channel.receive(fd)
    except channel.Gone:
        loaded = {}
    n_tests = 0
    if "loaded" in loaded:
        module = types.ModuleType("solution")
        module.__dict__.update(program.define(loaded["loaded"], str(plan)))
        try:
            for name, test in collect(plan, module):
                program.used_objects = False
                report(fd, name, *outcome_of(test), used_objects=program.used_objects)
                n_tests += 1
        except channel.Gone:
            pass
        except InvalidTests as error:
            channel.send(fd, {"report": {"invalid": str(error)[:_SHOWN]}})
    channel.send(fd, {"report": {"end": True, "n_tests": n_tests}})


def report(fd: int, name: str, outcome: str, detail: str, *, used_objects: bool = False) -> None:
    """Reports one test."""
    channel.send(
        fd, {"report": {"test": name, "outcome": outcome, "detail": detail[:_SHOWN], "used_objects": used_objects}}
    )


def outcome_of(test: Callable[[], object]) -> tuple[str, str]:
    """pass, fail (an assertion) or error (any other exception), and why."""
    try:
        test()
    except channel.Gone:
        raise
    except AssertionError as error:
        return "fail", f"{_where(error)}{str(error)[:_SHOWN]}"
    except InvalidTests:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a test raises, it has not passed
        return "error", f"{_where(error)}{type(error).__name__}: {str(error)[:_SHOWN]}"
    return "pass", ""


def _where(error: BaseException) -> str:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def collect(plan: dict[str, Any], module: types.ModuleType) -> list[tuple[str, Callable[[], object]]]:
    """The tests of a plan, by name; the program's names are theirs to use, as if by ``from solution import *``.

    Raises:
        InvalidTests: there are none, or they cannot be read.
    """
    sys.modules["solution"] = module
    scope: dict[str, Any] = {**_usable(plan, module), "__name__": "tests", "__builtins__": builtins}
    if plan["kind"] == "assert":
        setup, statement = _compiled(plan["setup"]), _compiled(plan["statement"], asserting=True)

        def test() -> None:
            exec(setup, scope)
            exec(statement, scope)

        return [("assert", test)]
    return _script(plan, scope)


def _usable(plan: dict[str, Any], module: types.ModuleType) -> dict[str, Any]:
    """The program's names, but for those of built-ins: a program's own ``abs`` must not serve the tests.

    Unless a built-in's name is all that they use of it: some programs are asked for a ``sum``.
    """
    names = {name: value for name, value in list(vars(module).items()) if not name.startswith("__")}
    own = {name: value for name, value in names.items() if not hasattr(builtins, name)}
    used = set(re.findall(r"\w+", " ".join(str(plan.get(key) or "") for key in ("setup", "statement", "code"))))
    if plan.get("entry_point") in names:
        own[plan["entry_point"]] = names[plan["entry_point"]]
    return own if used & set(own) else names


def _compiled(text: str, *, asserting: bool = False) -> types.CodeType:
    try:
        code = compile(text, "<tests>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidTests(f"the tests do not compile: {type(error).__name__}: {error}") from None
    if asserting and not re.search(r"\bassert|\braises\b|\bfail\b|\braise\b", text):
        raise InvalidTests("the tests assert nothing: every program would pass them")
    return code


def _script(plan: dict[str, Any], scope: dict[str, Any]) -> list[tuple[str, Callable[[], object]]]:
    code = _compiled(plan["code"], asserting=True)
    if not any(name == "check" or name.lower().startswith("test") for name in code.co_names):
        return [("module", lambda: exec(code, scope))]
    outcome, detail = outcome_of(lambda: exec(code, scope))
    if outcome != "pass":  # of the module itself: its imports, its top-level assertions

        def failed() -> None:
            raise AssertionError(detail) if outcome == "fail" else RuntimeError(detail)

        return [("module", failed)]
    if callable(scope.get("check")) and not isinstance(scope["check"], Remote):
        if not plan["entry_point"]:
            raise InvalidTests("check wants a candidate, and the tests name no entry_point")
        return [("check", lambda: _checked(plan, scope))]
    tests = list(_named_tests(scope))
    if not tests:
        raise InvalidTests("there are no tests: neither check(candidate) nor functions named test…")
    return tests


def _checked(plan: dict[str, Any], scope: dict[str, Any]) -> None:
    """HumanEval's way: ``check`` is given the function."""
    candidate = scope.get(plan["entry_point"])
    if candidate is None:
        raise NameError(f"the program does not define {plan['entry_point']!r}")
    scope["check"](candidate)


def _named_tests(scope: dict[str, Any]) -> list[tuple[str, Callable[[], object]]]:
    """Pytest's way, of what needs no more than a call: functions, and methods of classes."""
    tests: list[tuple[str, Callable[[], object]]] = []
    for name, found in list(scope.items()):
        if isinstance(found, Remote):
            continue
        if name.startswith("test") and inspect.isfunction(found):
            tests += _cases(name, found)
        elif name.startswith("Test") and inspect.isclass(found):
            for method in [each for each in vars(found) if each.startswith("test")]:
                tests += _cases(f"{name}.{method}", _method(found, method))
    return tests


def _method(kind: type, name: str) -> Callable[..., object]:
    def test(**arguments: Any) -> object:
        instance = kind()
        for prepare in ("setup_method", "setUp"):
            if hasattr(instance, prepare):
                found = getattr(instance, prepare)
                found(None) if len(inspect.signature(found).parameters) else found()
        return getattr(instance, name)(**arguments)

    function = getattr(kind, name)
    test.pytestmark = getattr(function, "pytestmark", [])  # type: ignore[attr-defined]
    parameters = list(inspect.signature(function).parameters.values())[1:]
    test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return test


def _cases(name: str, function: Callable[..., object]) -> list[tuple[str, Callable[[], object]]]:
    """One test, or one for each set of arguments that it is marked with.

    Raises:
        InvalidTests: it wants fixtures, or is marked not to be run.
    """
    arguments: list[dict[str, Any]] = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name in ("skip", "skipif", "xfail"):
            raise InvalidTests(f"{name} is marked {mark.name}")
        if mark.name == "parametrize":
            arguments = [{**one, **more} for one in arguments for more in _parameters(*mark.args[:2])]
    wanted = [each.name for each in inspect.signature(function).parameters.values() if _is_wanted(each)]
    missing = [parameter for parameter in wanted if any(parameter not in one for one in arguments)]
    if missing:
        raise InvalidTests(f"{name} wants fixtures: {', '.join(missing)}")
    if len(arguments) == 1:
        return [(name, functools.partial(function, **arguments[0]))]
    return [(f"{name}[{number}]", functools.partial(function, **one)) for number, one in enumerate(arguments)]


def _is_wanted(parameter: inspect.Parameter) -> bool:
    several = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in several


def _parameters(names: Any, values: Any) -> list[dict[str, Any]]:
    """The arguments of ``pytest.mark.parametrize``."""
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    rows = []
    for value in values:
        marked = type(value).__name__ == "ParameterSet"  # pytest.param(...)
        row = value.values if marked else value if len(names) > 1 else (value,)
        rows.append(dict(zip(names, row)))  # noqa: B905 - Python 3.9
    return rows

"""In the tests' process, in a container that no program runs in: runs a problem's tests against stand-ins.

Every test is counted and reported by name. Tests that cannot be read, or of which there are none, are reported as such:
that is the problem's fault, and says nothing about the program.
"""

from __future__ import annotations

import builtins
import re
import sys
import types
from collections.abc import Callable
from typing import Any

from verifiers.sandbox.inside.crossing import channel
from verifiers.sandbox.inside.program import leetcode
from verifiers.sandbox.inside.testing import control, innocence
from verifiers.sandbox.inside.testing.given import given_names
from verifiers.sandbox.inside.testing.plain import is_plain
from verifiers.sandbox.inside.testing.remote import Program
from verifiers.sandbox.inside.testing.test_module import InvalidTests, Test, tests_in
from verifiers.sandbox.inside.testing.test_text import TestText, may_shadow

_SHOWN = 300


def run_tests(fd: int, plan: dict[str, Any]) -> None:
    """Run a plan and reports each test, then that it was the last, and of what form they are.

    Or, where the plan is to examine a program, reports what its text says; see ``innocence``.
    """
    if plan["kind"] == "examine":
        channel.send(fd, {"report": _examined(plan["program"], plan["tests"])})
        return
    program = Program(fd)
    try:
        loaded = channel.receive(fd)
    except channel.Gone:
        loaded = {}
    n_tests = 0
    if "loaded" in loaded:
        names = program.define(loaded["loaded"], str(plan))
        is_sure: bool | None = None
        try:
            for name, test in collect(plan, types.ModuleType("solution"), names):
                program.used_objects = False
                outcome, detail = outcome_of(test)
                if outcome != "pass" and is_sure is None:
                    is_sure = is_plain(TestText(plan).trees)
                needs_more = outcome != "pass" and (program.used_objects or not is_sure)
                report(fd, name, outcome, detail, needs_more=needs_more)
                n_tests += 1
        except channel.Gone:
            pass
        except InvalidTests as error:
            channel.send(fd, {"report": {"invalid": str(error)[:_SHOWN]}})
    channel.send(fd, {"report": {"end": True, "n_tests": n_tests}})


def _examined(program: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Return what a second look asks of the texts, see ``code_second_look``."""
    return {
        "why_not": innocence.why_not(program),
        "form": TestText(plan).form,
        "n_perturbed": control.perturbed(plan)[1],
    }


def report(fd: int, name: str, outcome: str, detail: str, *, needs_more: bool = False) -> None:
    """Report one test; ``needs_more`` says that it may have failed for want of what does not cross."""
    told = {"test": name, "outcome": outcome, "detail": detail[:_SHOWN], "needs_more": needs_more}
    channel.send(fd, {"report": told})


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


def collect(plan: dict[str, Any], module: types.ModuleType, names: dict[str, Any]) -> list[Test]:
    """Return the tests of a plan, by name; the program's names are theirs to use, as if by ``from solution import *``.

    But a program's own ``abs`` must not serve them: they keep Python's names and those that they give themselves. What
    the prompt gives in full is the prompt's, see ``given``.

    Args:
        plan: of kind assert or script; with ``given``, texts of the prompt, and ``asked_for``, the entry point.
        module: what they import as ``solution``; ``names`` are put into it.
        names: what the program has defined.

    Raises:
        InvalidTests: there are none, or they cannot be read.
    """
    module.__dict__.update(names)
    sys.modules["solution"] = module
    if plan["kind"] == "assert" and not may_shadow(names):
        scope, text = dict(names), None
    else:
        text = TestText(plan)
        scope = _scope(text, plan, module, names)
    if plan.get("given"):
        read = text or TestText(plan)
        given = given_names(plan["given"], str(plan.get("asked_for")), read.used | read.asked, names)
        given = {name: found for name, found in given.items() if name not in read.bound}
        scope.update(given)
        module.__dict__.update(given)
    scope.update(__name__="tests", __builtins__=builtins)
    if text is None or plan["kind"] == "assert":
        setup, statement = _compiled(plan["setup"]), _compiled(plan["statement"], asserting=True)

        def test() -> None:
            exec(setup, scope)
            exec(statement, scope)

        return [("assert", test)]
    return _script(plan, scope, names, text)


def _scope(text: TestText, plan: dict[str, Any], module: types.ModuleType, names: dict[str, Any]) -> dict[str, Any]:
    """The program's names but for those that must not serve the tests; what libraries have under those; and helpers."""
    withheld = text.withheld(names, plan.get("entry_point"))
    usable = {name: value for name, value in names.items() if name not in withheld}
    module.__dict__["__all__"] = [name for name in usable if name not in text.bound]
    libraries = {name: found for name in withheld if (found := text.library(name)) is not None}
    scope = {**usable, **libraries}
    if str(plan.get("entry_point")).startswith("Solution"):
        scope.update({name: found for name, found in leetcode.helpers(names).items() if name in text.used})
    return scope


def _compiled(text: str, *, asserting: bool = False) -> types.CodeType:
    try:
        code = compile(text, "<tests>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidTests(f"the tests do not compile: {type(error).__name__}: {error}") from None
    if asserting and not re.search(r"\bassert|\braises\b|\bfail\b|\braise\b", text):
        raise InvalidTests("the tests assert nothing: every program would pass them")
    return code


def _script(plan: dict[str, Any], scope: dict[str, Any], names: dict[str, Any], text: TestText) -> list[Test]:
    code = _compiled(plan["code"], asserting=True)
    if text.form == "module":
        return [("module", lambda: exec(code, scope))]
    outcome, detail = outcome_of(lambda: exec(code, scope))
    if outcome != "pass":  # of the module itself: its imports, its top-level assertions

        def failed() -> None:
            raise AssertionError(detail) if outcome == "fail" else RuntimeError(detail)

        return [("module", failed)]
    if text.form == "check":
        if not plan["entry_point"]:
            raise InvalidTests("check wants a candidate, and the tests name no entry_point")
        return [("check", lambda: _checked(plan["entry_point"], scope, names))]
    tests = tests_in(scope)
    if not tests:
        raise InvalidTests("there are no tests: neither check(candidate) nor functions named test…")
    return tests


def _checked(entry_point: str, scope: dict[str, Any], names: dict[str, Any]) -> None:
    """HumanEval's way: ``check`` is given the function; ``Solution().f`` is the method f of a new object."""
    first, *rest = entry_point.replace("()", "").split(".")
    candidate = names.get(rest[-1] if first == "Solution" and rest and rest[-1] in names else first)
    if candidate is None:
        raise NameError(f"the program does not define {entry_point!r}")
    for part in rest if first != "Solution" else []:
        candidate = getattr(candidate, part)
    scope["check"](candidate)

"""Programs against their tests, in a sandbox: the last fenced block of the answer part, a verdict code per test.

What is printed or returned comes out of the sandbox and is compared here; expected outputs never go in. Kinds of
tests: stdio (a main program; see output_comparison), call (one call, its value compared here), assert and script (tests
in a container of their own, which talk with the program's; see sandbox.inside).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.core import Cause, Outcome
from tracemill.text.think import UNCLOSED_THINK
from verifiers.programs.absent import unless_absent
from verifiers.programs.cases import InvalidTests, Tests, read_tests
from verifiers.programs.judges import JUDGES
from verifiers.programs.results import CaseResult, Code
from verifiers.programs.text import code_in, program_in
from verifiers.protocol import Judgement, Pending, incorrect, too_slow, unusable
from verifiers.sandbox.languages import MISSING_HEADER, YOUNG_PYTHON
from verifiers.sandbox.protocol import Limits, SandboxFailure

if TYPE_CHECKING:
    from tracemill.recipe.sections.verify import CodeTests
    from verifiers.protocol import Attempt, VerifierResources
    from verifiers.sandbox.protocol import Session

NO_PROGRAM: Final = "no program found in the response"
_MAX_PROGRAM = 1 << 20  # characters; the longest that judges accept have 64 KB
_MAX_PROMPT = 1 << 16
_WALL: Final = 3  # times the CPU limit, as DMOJ has it
_SHOWN_CODES: Final = 60
_FUNCTION: Final = re.compile(r"^[ \t>]*(?:async\s+)?def\s+(\w+)", re.MULTILINE)
_NODES: Final = re.compile(r"\b(?:ListNode|TreeNode)\b")


class Judged(NamedTuple):
    """What became of every test, and what they ran in."""

    results: list[CaseResult]
    provenance: str


class CodeVerifier:
    """See the module.

    Args:
        settings: section ``verify.code`` of the recipe.
    """

    version: Final = "code@6"

    def __init__(self, settings: CodeTests) -> None:
        self._settings = settings

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement | Pending:
        """Refuse at once what has no program or no tests, and hands the rest to the sandbox."""
        try:
            tests = read_tests(attempt.tests)
        except InvalidTests as error:
            return unusable(f"IE: {error}")
        if attempt.fault == UNCLOSED_THINK:
            return incorrect(None, "the response ends inside its think part")
        program = program_in(attempt.answer, tests.language, tests.entry_point, tests.asked)
        if program is None or not program.strip():
            return incorrect(None, NO_PROGRAM)
        if len(program) > _MAX_PROGRAM:
            return incorrect(None, f"CE: the program is longer than {_MAX_PROGRAM} characters")
        settings, tests = self._settings, with_given(tests, attempt.prompt)
        future = resources.sandbox.submit(lambda session: run_tests(session, program, tests, settings))
        return Pending(future, lambda judged: conclude(judged, program, settings))


def with_given(tests: Tests, prompt: str) -> Tests:
    """Return the tests with the prompt's code, where it defines what they use beside the entry point."""
    if tests.entry_point is None or len(prompt) > _MAX_PROMPT:
        return tests
    leaf = tests.entry_point.rpartition(".")[2]
    if not (set(_FUNCTION.findall(prompt)) - {leaf}).intersection(tests.asked):
        return tests
    more = {"given": code_in(prompt), "asked_for": tests.entry_point}
    cases = tuple(case if case.plan is None else replace(case, plan={**case.plan, **more}) for case in tests.cases)
    return replace(tests, cases=cases)


def run_tests(session: Session, program: str, tests: Tests, settings: CodeTests) -> Judged:
    """Compiles the program and runs it against its tests, in one container.

    Raises:
        SandboxFault: the container failed.
    """
    cpu_s = tests.time_limit_s or settings.time_limit_s
    memory_mb = tests.memory_limit_mb or settings.memory_limit_mb
    limits = Limits(cpu_s, _WALL * cpu_s, memory_mb, settings.output_limit_mb << 20)
    compiled = session.compile(program, tests.language, memory_mb)
    cases = tests.cases[: settings.first_tests]
    if not compiled.ok:
        return Judged([_not_compiled(compiled.errors, program, tests.language)] * len(cases), session.provenance)
    judge = JUDGES[tests.kind]
    results: list[CaseResult] = []
    spent_s = 0.0
    for case in cases:
        failed = any(result.code is not Code.AC for result in results)
        if spent_s > settings.budget_s or (failed and settings.stop_at_first_failure):
            results.append(
                CaseResult(Code.NOT_RUN, "" if failed else f"the budget of {settings.budget_s:g} s is spent")
            )
            continue
        found = judge(session, case, limits, settings)
        spent_s += sum(result.wall_s for result in found)
        results.extend(found)
    return Judged(unless_absent(_unless_nodes(results, program, tests)), session.provenance)


def _unless_nodes(results: list[CaseResult], program: str, tests: Tests) -> list[CaseResult]:
    """Without the errors of a program that takes linked nodes and was given lists: how to make them is not said."""
    takes_lists = any(isinstance(arg, list) for case in tests.cases for arg in (case.request or {}).get("args", ()))
    if tests.kind != "call" or not takes_lists or not _NODES.search(program):
        return results
    why = "the arguments are lists, where the program takes linked nodes"
    return [CaseResult(Code.IE, why, r.wall_s, Cause.VERIFIER) if r.code is Code.RE else r for r in results]


def _not_compiled(errors: str, program: str, language: str) -> CaseResult:
    """Return a program's own fault, but where it is written for a compiler younger than ours."""
    is_young = language == "python" and errors.startswith("SyntaxError") and YOUNG_PYTHON.search(program)
    if is_young or MISSING_HEADER.search(errors):
        return CaseResult(Code.IE, f"our compiler does not know this yet: {errors}", cause=Cause.VERIFIER)
    return CaseResult(Code.CE, errors)


def conclude(judged: Judged | SandboxFailure, program: str, settings: CodeTests) -> Judgement:
    """Return the verdict on a program: its pass rate against the mark.

    A test that is itself at fault (IE), or that we could not run as it needs to be, makes the whole unverifiable, and
    tests that could not be run any more make it a time-out, unless enough others have failed to decide: neither says
    that the program is right.
    """
    if isinstance(judged, SandboxFailure):
        return Judgement(Outcome.SANDBOX_ERROR, None, program, judged.reason)
    codes = Counter(result.code for result in judged.results)
    total, n_open = len(judged.results), codes[Code.IE] + codes[Code.NOT_RUN]
    detail = _detail(judged.results, codes[Code.AC])
    if (codes[Code.AC] + n_open) / total < settings.pass_mark or (
        settings.stop_at_first_failure and not _passing(codes)
    ):
        return Judgement(Outcome.INCORRECT, codes[Code.AC] / total, program, detail, judged.provenance)
    if codes[Code.IE]:
        at_fault = any(result.cause == Cause.REFERENCE for result in judged.results)
        cause = Cause.REFERENCE if at_fault else Cause.VERIFIER
        return Judgement(Outcome.UNVERIFIABLE, None, program, detail, judged.provenance, cause)
    if codes[Code.NOT_RUN]:
        return too_slow(program, detail)._replace(provenance=judged.provenance)
    return Judgement(Outcome.CORRECT, codes[Code.AC] / total, program, detail, judged.provenance)


def _passing(codes: Counter[Code]) -> bool:
    """Tell whether nothing has failed yet."""
    return not any(codes[code] for code in Code if code not in (Code.AC, Code.NOT_RUN, Code.IE))


def _detail(results: list[CaseResult], n_passed: int) -> str:
    codes = " ".join(result.code for result in results[:_SHOWN_CODES])
    more = f" … {len(results) - _SHOWN_CODES} more" if len(results) > _SHOWN_CODES else ""
    first = next(((n, r) for n, r in enumerate(results, 1) if r.code is not Code.AC), None)
    why = f"; test {first[0]}: {first[1].detail}" if first and first[1].detail else ""
    return f"{n_passed}/{len(results)} tests passed: {codes}{more}{why}"

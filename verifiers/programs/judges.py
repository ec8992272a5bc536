"""One test of each kind: run what must be run, and read the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Cause
from verifiers.programs.output_comparison import why_different
from verifiers.programs.results import CaseResult, Code, fault_of
from verifiers.programs.second_look import second_look
from verifiers.programs.value_comparison import same_value, shown
from verifiers.sandbox.inside.crossing.values import Malformed, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracemill.recipe.sections.verify import CodeTests
    from verifiers.programs.cases import Case
    from verifiers.sandbox.protocol import Conversation, Limits, Run, Session

_SHOWN_CHARS: Final = 700  # of what a test has reported
_PATIENCE: Final = 5  # times the wall limit; on a machine with eight programs a core one of them has an eighth of it


def judge_stdio(session: Session, case: Case, limits: Limits, settings: CodeTests) -> list[CaseResult]:
    """Input in, output out, compared here."""
    run = session.run(case.stdin, limits)
    if run.was_starved:
        with session.alone():
            run = session.run(case.stdin, patient(limits))
    fault = fault_of(run, limits)
    if fault is not None:
        return [fault]
    tolerance = settings.float_tolerance
    difference = why_different(case.stdout, run.stdout, tolerance, exact_integers=settings.exact_integers)
    return [CaseResult(Code.WA if difference else Code.AC, difference or "", run.wall_s)]


def patient(limits: Limits) -> Limits:
    """Return the same with more time by the clock, for a program that a busy machine has starved."""
    return replace(limits, wall_s=_PATIENCE * limits.wall_s)


def judge_call(session: Session, case: Case, limits: Limits, settings: CodeTests) -> list[CaseResult]:
    """Return arguments in, a value out, compared here."""
    request = case.request or {}
    message = {
        "op": "call",
        "plain": True,
        "target": ["name", request["entry_point"]],
        "args": [encode(value) for value in request["args"]],
        "kwargs": {name: encode(value) for name, value in request["kwargs"].items()},
    }
    run, reply = session.call(message, limits)
    if run.was_starved:
        with session.alone():
            run, reply = session.call(message, patient(limits))
    fault = _fault_before_end(run, limits)
    if fault is not None:
        return [fault]
    if reply is None or "value" not in reply:
        raised = (reply or {}).get("raised") or (reply or {}).get("failed")
        return [CaseResult(Code.RE, _shown_error(raised) if raised else "it ended without a value", run.wall_s)]
    try:
        is_right = same_value(case.expected, reply["value"], settings.float_tolerance)
    except Malformed as error:
        return [CaseResult(Code.RE, f"its value cannot be read: {error}", run.wall_s)]
    if is_right:
        return [CaseResult(Code.AC, "", run.wall_s)]
    return [CaseResult(Code.WA, f"expected {_shown(case.expected)}, got {shown(reply['value'])}", run.wall_s)]


def judge_script(session: Session, case: Case, limits: Limits, settings: CodeTests) -> list[CaseResult]:  # noqa: ARG001
    """Tests in a container of their own; where they fail they may need the program's very process: see second_look."""
    plan = dict(case.plan or {})
    talk = session.converse(plan, limits)
    if _were_starved(talk):
        with session.alone():
            talk = session.converse(plan, patient(limits))
    results = read_reports(talk.program, talk.tester, talk.reports, limits)
    codes = {result.code for result in results}
    if codes <= {Code.AC, Code.WA, Code.RE} and any(report.get("needs_more") for report in talk.reports):
        return second_look(session, plan, results, limits)
    return results


def _were_starved(talk: Conversation) -> bool:
    """Tell whether the clock stopped a program that was at work itself, or waited for tests that were."""
    at_work = sum(run.cpu_s + max(run.waited_s, 0.0) for run in (talk.program, talk.tester))
    stopped = "wall" in (talk.program.stopped, talk.tester.stopped)
    return stopped and (talk.program.was_starved or at_work > talk.program.wall_s / 2)


def read_reports(program: Run, tester: Run, reports: list[dict[str, Any]], limits: Limits) -> list[CaseResult]:
    """Return a code for each test that was reported, and one more where the last of them never came."""
    wall_s = tester.wall_s
    results = [_reported(report) for report in reports if "test" in report]
    invalid = next((report["invalid"] for report in reports if "invalid" in report), None)
    if invalid is not None:
        return [CaseResult(Code.IE, f"the tests are at fault: {invalid}", wall_s, Cause.REFERENCE)]
    fault = _fault_before_end(program, limits)
    ended = any(report.get("end") for report in reports)
    if fault is not None:
        return [*results, fault]
    if not ended:
        stopped = tester.stopped in ("cpu", "wall", "output") or tester.out_of_memory  # by limits of ours
        cause = Cause.VERIFIER if stopped else Cause.REFERENCE
        return [*results, CaseResult(Code.IE, f"the tests did not end: {_end_of(tester)}", wall_s, cause)]
    return results or [CaseResult(Code.RE, f"the program could not be tested: {_end_of(program)}", wall_s)]


def _fault_before_end(program: Run, limits: Limits) -> CaseResult | None:
    """Return why the program's process ended before it was asked to. Being stopped by us is how it should end."""
    return (
        None
        if program.stopped == "host" and not program.out_of_memory
        else (
            fault_of(program, limits) or CaseResult(Code.RE, "the program ended before its tests did", program.wall_s)
        )
    )


def _reported(report: dict[str, Any]) -> CaseResult:
    code = {"pass": Code.AC, "fail": Code.WA}.get(str(report.get("outcome")), Code.RE)
    return CaseResult(code, "" if code is Code.AC else f"{report['test']}: {report.get('detail')}"[:_SHOWN_CHARS])


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number too large to show"
    return text if len(text) <= 120 else f"{text[:120]}…"


def _shown_error(raised: object) -> str:
    if not isinstance(raised, dict):
        return "it raised what cannot be read"
    return f"{raised.get('type')}: {raised.get('text')}"[:300]


def _end_of(run: Run) -> str:
    last = [line for line in run.stderr.strip().splitlines() if line.strip()][-1:]
    return last[0][:300] if last else f"exit status {run.status}, signal {run.signal}, stopped by {run.stopped}"


JUDGES: Final[Mapping[str, Callable[[Session, Case, Limits, CodeTests], list[CaseResult]]]] = {
    "stdio": judge_stdio,
    "call": judge_call,
    "assert": judge_script,
    "script": judge_script,
}

"""One test of each kind: run what must be run, and read the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from verifiers.code_results import CaseResult, Code, fault_of
from verifiers.output_comparison import why_different

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracemill.recipe_verify import CodeTests
    from verifiers.code_cases import Case
    from verifiers.sandbox.protocol import Limits, Run, Session

Judge = "Callable[[Session, Case, Limits, CodeTests], list[CaseResult]]"


def judge_stdio(session: Session, case: Case, limits: Limits, settings: CodeTests) -> list[CaseResult]:
    """Input in, output out, compared here."""
    run = _confirmed(lambda: session.run(case.stdin, limits))
    fault = fault_of(run, limits)
    if fault is not None:
        return [fault]
    difference = why_different(case.stdout, run.stdout, settings.float_tolerance)
    return [CaseResult(Code.WA if difference else Code.AC, difference or "", run.wall_s)]


def _confirmed(attempt: Callable[[], Run]) -> Run:
    """Once more, where the clock stopped a program that was at work: a busy machine may have starved it."""
    run = attempt()
    return attempt() if run.stopped == "wall" and run.cpu_s > 0.1 * run.wall_s else run


JUDGES: Final[Mapping[str, Any]] = {"stdio": judge_stdio}

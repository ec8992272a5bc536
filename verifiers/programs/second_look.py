"""Tests that fail across the wall, run once more beside the program: where what they see does not cross, they pass.

Captured output, a seeded ``random``, files, the environment, the tests' own classes: all that is one process's alone.
So a failure is not believed before the tests have failed in the program's own process too. That they pass there makes
nothing correct by itself, since there a program could make them pass. It does where three things are so:

- the tests can be controlled: asserts, or ``check(candidate)``, that compare something;
- under the control, which replaces what they compare by an object equal to nothing, they fail, whichever side it
replaces;
- the program is innocent: its text has no means to reach what is beside it (``sandbox.inside.testing.innocence``).

Who passes under the control as well has shown that passing there means nothing; the failure across the wall stands. All
else is unverifiable, and our limit: tests of a module have set-ups, fixtures and helpers that the control does not see
through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Cause
from verifiers.programs.results import CaseResult, Code, fault_of

if TYPE_CHECKING:
    from verifiers.sandbox.protocol import Limits, Session

_CONTROLLED: Final = ("assert", "check", "module")
ALONE: Final = "the tests pass in the program's own process alone, which proves nothing"


def second_look(session: Session, plan: dict[str, Any], results: list[CaseResult], limits: Limits) -> list[CaseResult]:
    """Return what is to be said of tests of which some have failed across the wall.

    Args:
        session: where the program is compiled.
        plan: the tests.
        results: what became of them across the wall.
        limits: of each run.

    Raises:
        SandboxFault: the container failed.
    """
    if not _passes(session, plan, limits):
        return results
    examined = session.examine(plan)
    controls = ({**plan, "control": side} for side in ("right", "left"))
    if examined.get("n_perturbed") and any(_passes(session, controlled, limits) for controlled in controls):
        return results
    why = _why_undecided(examined)
    if why:
        return [CaseResult(Code.IE, f"{ALONE} ({why})", results[0].wall_s, Cause.VERIFIER)]
    return [CaseResult(Code.AC, "", result.wall_s) for result in results]


def _passes(session: Session, plan: dict[str, Any], limits: Limits) -> bool:
    run, reports = session.share(plan, limits)
    outcomes = [report.get("outcome") for report in reports if "test" in report]
    return fault_of(run, limits) is None and bool(outcomes) and all(outcome == "pass" for outcome in outcomes)


def _why_undecided(examined: dict[str, Any]) -> str:
    if examined.get("form") not in _CONTROLLED:
        return "a test module cannot be controlled"
    if not examined.get("n_perturbed"):
        return "the tests compare nothing that can be replaced"
    return str(examined.get("why_not", "the program could not be examined"))

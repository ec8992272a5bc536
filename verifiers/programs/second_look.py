"""Tests that fail across the wall, run once more beside the program: where what they see does not cross, they pass.

Captured output, a seeded ``random``, files, the environment, the tests' own classes: all that is one process's alone.
So a failure is not believed before the tests have failed in the program's own process too. That they pass there makes
nothing correct by itself, since there a program could make them pass. It does where three things are so:

- the tests can be controlled: they compare something;
- under the control, which replaces what they compare by an object equal to nothing, they fail, whichever side it
replaces; of a module with several tests, each of those that failed across the wall;
- the program is innocent: its text has no means to reach what is beside it (``sandbox.inside.testing.innocence``).

Who passes under the control as well has shown that passing there means nothing; the failure across the wall stands, but
where a test compares nothing that the control sees. All else is unverifiable, and our limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Cause
from verifiers.programs.results import CaseResult, Code, fault_of

if TYPE_CHECKING:
    from verifiers.sandbox.protocol import Limits, Session

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
    if not all(outcome == "pass" for outcome in _outcomes(session, plan, limits)):
        return results
    failed = [at for at, result in enumerate(results) if result.code is not Code.AC]
    controls = [_outcomes(session, {**plan, "control": side}, limits) for side in ("right", "left")]
    examined = session.examine(plan)
    if examined.get("n_perturbed") and any(all(outcome == "pass" for outcome in each) for each in controls):
        return results
    why = _why_undecided(examined) or _why_uncontrolled(controls, failed, len(results))
    if why:
        return [CaseResult(Code.IE, f"{ALONE} ({why})", results[0].wall_s, Cause.VERIFIER)]
    return [CaseResult(Code.AC, "", result.wall_s) for result in results]


def _outcomes(session: Session, plan: dict[str, Any], limits: Limits) -> list[str]:
    """Return what became of each test beside the program; one that is none where they did not end."""
    run, reports = session.share(plan, limits)
    outcomes = [str(report.get("outcome")) for report in reports if "test" in report]
    return outcomes if outcomes and fault_of(run, limits) is None else ["none"]


def _why_uncontrolled(controls: list[list[str]], failed: list[int], n_tests: int) -> str:
    """Return that a test which failed across the wall passes under the control; "" where all of them fail there too."""
    if any(outcomes != ["none"] and len(outcomes) not in {1, n_tests} for outcomes in controls):
        return "the control runs other tests"
    is_passed = any(len(each) == n_tests and each[at] == "pass" for each in controls for at in failed)
    return "a test compares nothing that can be replaced" if is_passed else ""


def _why_undecided(examined: dict[str, Any]) -> str:
    if not examined.get("n_perturbed"):
        return "the tests compare nothing that can be replaced"
    return str(examined.get("why_not", "the program could not be examined"))

"""The last resort: tests in the program's own process, for what cannot be told apart from it.

What they report here, the program may have made up. The host runs them twice, the second time perturbed so that no test
can pass; a program that passes then as well is cheating.
"""

from __future__ import annotations

from typing import Any

from verifiers.sandbox.inside import channel, solution, tester


def run_shared(fd: int, code: Any, plan: dict[str, Any], perturbed: bool) -> None:
    """Loads the program, then runs the tests of the plan, or their perturbed form."""
    try:
        module = solution.load(code)
    except BaseException as error:
        channel.send(fd, {"report": {"failed": solution.describe(error)}})
        raise
    n_tests = 0
    chosen = {**plan, **plan["perturbed"]} if perturbed else plan
    try:
        for name, test in tester.collect(chosen, module):
            tester.report(fd, name, *tester.outcome_of(test))
            n_tests += 1
    except tester.InvalidTests as error:
        channel.send(fd, {"report": {"invalid": str(error)[:300]}})
    channel.send(fd, {"report": {"end": True, "n_tests": n_tests}})

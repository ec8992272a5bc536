"""Tests in the program's own process: to tell a wrong program from tests that need more of it than plain data.

What they report here, the program may have made up. So a pass proves nothing, and makes a row unverifiable; that they
fail here as well is the program's own word against itself.
"""

from __future__ import annotations

from typing import Any

from verifiers.sandbox.inside import channel, solution, tester


def run_shared(fd: int, code: Any, plan: dict[str, Any]) -> None:
    """Loads the program, then runs the tests of the plan on it."""
    module = solution.load(code)
    n_tests = 0
    try:
        for name, test in tester.collect(plan, module):
            tester.report(fd, name, *tester.outcome_of(test))
            n_tests += 1
    except tester.InvalidTests as error:
        channel.send(fd, {"report": {"invalid": str(error)[:300]}})
    channel.send(fd, {"report": {"end": True, "n_tests": n_tests}})

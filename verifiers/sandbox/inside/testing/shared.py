"""Tests in the program's own process: a second look where they may need more of it than crosses to another process.

What they report here, the program may have made up. So that they pass says little, and by itself makes nothing correct:
see ``code_second_look`` for what is asked besides. That they fail here too is the program's own word against itself.
"""

from __future__ import annotations

import linecache
from typing import Any

from verifiers.sandbox.inside.crossing import channel
from verifiers.sandbox.inside.program import solution
from verifiers.sandbox.inside.testing import control, tester
from verifiers.sandbox.inside.testing.test_module import InvalidTests


def run_shared(fd: int, code: Any, plan: dict[str, Any]) -> None:
    """Load the program, then runs the tests of the plan on it; under the control, with what they expect replaced."""
    source = str(plan.get("source"))
    linecache.cache["main.py"] = (len(source), None, source.splitlines(keepends=True), "main.py")
    module = solution.load(code)
    names = solution.names_of(module)
    side = plan.get("control")
    if side is not None:
        plan, _ = control.perturbed(plan, side)
    n_tests = 0
    try:
        for name, test in tester.collect(plan, module, names):
            outcome, detail = tester.outcome_of(test)
            tester.report(fd, name, outcome, detail)
            n_tests += 1
            if outcome != "pass":  # one that fails here is enough
                break
    except InvalidTests as error:
        channel.send(fd, {"report": {"invalid": str(error)[:300]}})
    channel.send(fd, {"report": {"end": True, "n_tests": n_tests}})

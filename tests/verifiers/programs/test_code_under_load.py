"""Verdicts on a machine that is busy eight times over: a right program is not called wrong for it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD = 8  # busy processes for each processor
BUSY_S = 60  # after which they end by themselves, whatever becomes of the test
# Less than half of the limit of CPU time; under the load, more than the limit by the clock.
WORK = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end:\n    pass\n"
DOUBLE = "def double(n):\n" + "".join(f"    {line}\n" for line in WORK.splitlines()) + "    return 2 * n\n"
STDIO = {"kind": "stdio", "cases": [{"stdin": "4", "stdout": "8"}]}
CALL = {"kind": "call", "entry_point": "double", "cases": [{"args": [4], "expected": 8}]}
ASSERT = {"kind": "assert", "asserts": ["assert double(4) == 8"]}
SCRIPT = {"kind": "script", "entry_point": "double", "code": "def check(candidate):\n    assert candidate(4) == 8\n"}
KINDS: list[tuple[str, dict[str, Any]]] = [
    (WORK + "print(2 * int(input()))", STDIO),
    (DOUBLE, CALL),
    (DOUBLE, ASSERT),
    (DOUBLE, SCRIPT),
]

pytestmark = [pytest.mark.needs_docker, pytest.mark.slow]


@contextmanager
def busy_machine() -> Iterator[None]:
    """While it is open, others want the processors eight times over."""
    spin = f"import time\nend = time.monotonic() + {BUSY_S}\nwhile time.monotonic() < end:\n    pass\n"
    n_busy = LOAD * (os.cpu_count() or 1)
    spinning = [subprocess.Popen([sys.executable, "-S", "-c", spin]) for _ in range(n_busy)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def test_load_makes_no_right_program_wrong() -> None:
    """Right programs are correct, or out of time by the verifier, in every kind of tests; wrong ones never correct."""
    attempts = [
        Attempt(
            f"{tests['kind']} {word}", "code", "?", f"```python\n{program.replace('2 *', factor)}\n```", tests=tests
        )
        for program, tests in KINDS
        for word, factor in (("right", "2 *"), ("wrong", "3 *"))
    ]
    settings = Verify(workers=1, code=CodeTests(time_limit_s=1), sandbox=Sandbox(containers=LOAD))
    with VerifierSet(settings) as verifier_set, busy_machine():
        verdicts = list(verify(attempts, verifier_set))
    assert len(verdicts) == len(attempts)
    for verdict in verdicts:
        out_of_time = (verdict.outcome, verdict.cause) == ("timeout", "verifier")
        expected = "correct" if verdict.response_id.endswith("right") else "incorrect"
        assert verdict.outcome == expected or out_of_time, f"{verdict.response_id}: {verdict.detail}"

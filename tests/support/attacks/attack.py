"""What an attack on the sandbox is, and how it is carried out: the rows of the tables in ``attacks_on_*``."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracemill.recipe.sections.verify import CodeTests
from verifiers.programs.cases import read_tests
from verifiers.programs.verifier import conclude, run_tests
from verifiers.sandbox.protocol import SandboxFailure

if TYPE_CHECKING:
    from verifiers.protocol import Judgement
    from verifiers.sandbox.docker_sandbox import DockerSandbox

SETTINGS = CodeTests(time_limit_s=0.5, memory_limit_mb=128, output_limit_mb=1)

# A probe tries what must not work. It prints "held" when every attempt was refused, and else which were not.
PROBE = """
import ctypes, os, socket, sys
got_through = []
def attempt(what, action, *args):
    try:
        result = action(*args)
    except (OSError, ValueError):
        return
    got_through.append(f"{what}: {result!r}"[:80])
libc = ctypes.CDLL(None, use_errno=True)
def syscall(what, number, *args):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, args)) != -1:
        got_through.append(what)
    elif ctypes.get_errno() not in (1, 13, 38):  # EPERM, EACCES, ENOSYS
        got_through.append(f"{what}: errno {ctypes.get_errno()}")
"""
HELD = '\nprint("; ".join(got_through) or "held")\n'

# The compiler's wall limit is 30 s, and machines that run tests are shared.
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Attack:
    """One row: what is run, and what must come of it.

    Attributes:
        number: in the list of docs/sandbox.md; 0 for one that is not in it.
        what: in a few words.
        program: the attack; with ``before``, run after those, each a row of its own.
        codes: allowed codes of each test, as in "TLE RE"; one entry for all tests, or one for each.
        tests: a tests object; None for one stdio test that expects ``stdout``.
        within_s: it takes no longer, container starts included; wide, since what is ruled out is a hang.
    """

    number: int
    what: str
    program: str
    codes: tuple[str, ...]
    tests: dict[str, Any] | None = field(default=None, repr=False)
    stdin: str = field(default="", repr=False)
    stdout: str = field(default="4711\n", repr=False)
    language: str = "python"
    before: tuple[str, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    within_s: float = PATIENCE_S

    def tests_object(self) -> dict[str, Any]:
        """As a row has it."""
        stdio = {"kind": "stdio", "cases": [{"stdin": self.stdin, "stdout": self.stdout}], "language": self.language}
        return {**(self.tests or stdio), **self.limits}


def attack(
    number: int, what: str, codes: str | tuple[str, ...], program: str, before: tuple[str, ...] = (), **more: Any
) -> Attack:
    """A row of a table, its programs indented as the table is."""
    allowed = (codes,) if isinstance(codes, str) else codes
    return Attack(number, what, _flush(program), allowed, before=tuple(map(_flush, before)), **more)


def probe(number: int, what: str, program: str, before: tuple[str, ...] = (), **more: Any) -> Attack:
    """A row whose program tries what must be refused."""
    return attack(number, what, "AC", PROBE + _flush(program) + HELD, before, stdout="held\n", **more)


def judged(sandbox: DockerSandbox, program: str, tests: dict[str, Any]) -> tuple[list[str], Judgement]:
    """Codes of every test, and the verdict, as a row would get them."""
    found = read_tests(tests)
    result = sandbox.submit(lambda session: run_tests(session, program, found, SETTINGS)).result(timeout=120)
    codes = [] if isinstance(result, SandboxFailure) else [str(each.code) for each in result.results]
    return codes, conclude(result, program, SETTINGS)


def _flush(program: str) -> str:
    return textwrap.dedent(program).strip("\n") + "\n"

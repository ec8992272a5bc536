"""The attacks of docs/sandbox.md, each in the same warm containers, each followed by an honest program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.attacks.attack import Attack, judged
from tests.support.attacks.compiler import COMPILER
from tests.support.attacks.host import DISK, EXHAUSTION, WAYS_OUT
from tests.support.attacks.neighbours import LEFTOVERS, SNOOPING
from tests.support.attacks.verdict import ALL_KINDS, HONEST, VERDICTS
from tracemill.core import Outcome
from tracemill.recipe.sections.verify import Sandbox
from verifiers.programs.cases import InvalidTests, read_tests
from verifiers.sandbox.docker_sandbox import DockerSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_docker

ATTACKS = (*EXHAUSTION, *DISK, *WAYS_OUT, *LEFTOVERS, *SNOOPING, *COMPILER, *VERDICTS)
EMPTY = {61}  # tests that are none: refused before anything runs, see below
HONEST_PROGRAM = "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n"
HONEST_TESTS = {"kind": "stdio", "cases": [{"stdin": "1 2\n3\n", "stdout": "6\n"}], "time_limit_s": 4}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox(Sandbox(containers=1))
    yield sandbox
    sandbox.close()


def test_no_attack_is_missing() -> None:
    """Every number of the list of attacks has at least one row."""
    assert {attack.number for attack in ATTACKS} - {0} | EMPTY == set(range(1, 63))


@pytest.mark.parametrize("attack", ATTACKS, ids=[f"{attack.number}-{attack.what}" for attack in ATTACKS])
def test_attack(attack: Attack, sandbox: DockerSandbox) -> None:
    """An attack gets its verdict in bounded time, and the next program in the same place is judged as ever."""
    for program in attack.before:
        judged(sandbox, program, {"kind": "stdio", "cases": [{"stdin": "", "stdout": "4711\n"}]})
    began = time.monotonic()
    codes, judgement = judged(sandbox, attack.program, attack.tests_object())
    took_s = time.monotonic() - began
    assert codes, judgement.detail
    allowed = attack.codes * (len(codes) if len(attack.codes) == 1 else 1)
    # What spins is stopped by the clock where a busy machine gives it too little of the processor: then it was not run.
    known = [ok.replace("TLE", "TLE NOT_RUN").split() for ok in allowed]
    assert all(code in ok for code, ok in zip(codes, known, strict=True)), judgement.detail
    assert (judgement.outcome is Outcome.CORRECT) == (set(codes) == {"AC"})
    assert took_s < attack.within_s
    codes, judgement = judged(sandbox, HONEST_PROGRAM, HONEST_TESTS)
    assert codes == ["AC"], judgement.detail


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_the_cheats_want_is_there_for_the_honest(kind: str, sandbox: DockerSandbox) -> None:
    """The tests that no cheat may pass are passed by a program that is right."""
    codes, judgement = judged(sandbox, HONEST, ALL_KINDS[kind])
    assert set(codes) == {"AC"}, judgement.detail


@pytest.mark.parametrize(
    "tests",
    [
        {"kind": "stdio", "cases": []},
        {"kind": "call", "entry_point": "f", "cases": []},
        {"kind": "assert", "asserts": []},
        {"kind": "assert", "asserts": ["  "]},
        {"kind": "script", "code": ""},
        {"kind": "none"},
        {},
        None,
    ],
)
def test_no_tests_are_no_pass(tests: object) -> None:
    """61: where there is no test, there is no verdict: the problem is at fault."""
    with pytest.raises(InvalidTests):
        read_tests(tests)

"""Programs that tests fork (``tests/support/warm``): like any other, and ended with whoever stands for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.needs import ROOT
from tests.support.warm.start import Kind, place_of

PARENT = """
import sys
from tests.support.warm.parent import fork_programs
fork_programs(sys.argv[1], (), lambda _: None)
"""
BARE = Kind("bare", Path(sys.executable), ("-c", PARENT), ("-c", "json"))
SHOWS = "import os, sys; print(sys.argv, os.getcwd(), os.environ['WORD'], os.sched_getaffinity(0) == {0}); sys.exit(3)"
WAITS = """
import os, signal, subprocess, sys, time
def told(*_):
    print("told", flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, told)
other = subprocess.Popen(["sleep", "600"])
print(os.getpid(), other.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def python() -> Path:
    return place_of(BARE).with_name("python")


def waiting(python: Path) -> tuple[subprocess.Popen[str], int, int]:
    """What stands for a program that waits, the program, and what that one has started."""
    stands = subprocess.Popen([python, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    assert stands.stdout is not None
    program, other = stands.stdout.readline().split()
    return stands, int(program), int(other)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    """A process, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_it_is_like_any_other(python: Path, tmp_path: Path) -> None:
    """It has its arguments, folder, environment, processors, output and status."""
    done = subprocess.run(
        [python, "-c", SHOWS, "a", "b"],
        cwd=tmp_path,
        env={"WORD": "said"},
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, f"['-c', 'a', 'b'] {tmp_path} said True\n")


def test_modules_are_forked_and_others_have_an_interpreter_of_their_own(python: Path) -> None:
    """``-m`` of a package that is named is forked; another is not, and neither is what comes from a file."""
    tool = subprocess.run([python, "-m", "json.tool"], input="[1]", capture_output=True, text=True, check=True)
    assert tool.stdout.split() == ["[", "1", "]"]
    other = subprocess.run([python, "-"], input="import sys; print(sys.executable)", capture_output=True, text=True)  # noqa: PLW1510
    assert other.stdout == f"{sys.executable}\n"


def test_it_is_told_to_end(python: Path) -> None:
    """A signal reaches it, and its status is that of what stands for it."""
    stands, program, other = waiting(python)
    with stands:
        stands.terminate()
        assert stands.wait(60) == 5
        assert stands.stdout is not None
        assert stands.stdout.read() == "told\n"
    until(lambda: not is_there(program) and not is_there(other))


def test_it_is_killed_with_what_stands_for_it(python: Path) -> None:
    """All of its process group, though nobody tells it."""
    stands, program, other = waiting(python)
    with stands:
        stands.kill()
    until(lambda: not is_there(program) and not is_there(other))


def test_a_killed_program_looks_killed(python: Path) -> None:
    """What stands for it ends by the same signal."""
    stands, program, _ = waiting(python)
    with stands:
        os.kill(program, signal.SIGKILL)
        assert stands.wait(60) == -signal.SIGKILL


USER = """
import sys, time
from tests.ci.test_forked_programs import BARE, waiting
from tests.support.warm.start import place_of
place = place_of(BARE)
print(place, *waiting(place.with_name("python"))[1:], flush=True)
sys.stdin.read()
"""


def test_it_is_one_process_for_all_workers_and_ends_with_the_last() -> None:
    """Two workers of a session fork from the same one; when both are gone it is, too, with all that it has forked."""
    with tempfile.TemporaryDirectory(prefix="tracemill-") as folder:  # a socket's path is short
        _two_workers({"PYTEST_XDIST_TESTRUNUID": "two", "TMPDIR": folder})


def _two_workers(named: dict[str, str]) -> None:
    environment = os.environ | named
    users, places, programs = [], set(), []
    for _ in range(2):
        user = subprocess.Popen(
            [sys.executable, "-c", USER],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert user.stdout is not None
        place, *found = user.stdout.readline().split()
        users.append(user)
        places.add(place)
        programs += map(int, found)
    assert len(places) == 1
    users[0].kill()
    users[0].communicate()
    time.sleep(0.2)
    assert all(map(is_there, programs))
    users[1].kill()
    users[1].communicate()
    until(lambda: not any(map(is_there, programs)) and not Path(place).parent.exists())

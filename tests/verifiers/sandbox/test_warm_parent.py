"""A warm parent leaks nothing to its children and takes nothing from them: each finds itself alone and new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tracemill.recipe.sections.verify import Sandbox
from verifiers.sandbox.docker_sandbox import DockerSandbox
from verifiers.sandbox.protocol import Limits, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifiers.sandbox.protocol import Session

pytestmark = pytest.mark.needs_docker

LIMITS = Limits(cpu_s=2, wall_s=6, memory_mb=128, output_bytes=1 << 20)
SELF = """
import json, os, random, resource, signal, sys, threading
found = dict(
    uid=os.getuid(), groups=os.getgroups(), random=random.random(), folder=os.listdir("."), cwd=os.getcwd(),
    fds=sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    umask=os.umask(0), env=dict(os.environ), argv=sys.argv, name=__name__, mask=sorted(signal.pthread_sigmask(0, [])),
    usr1=signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, threads=threading.active_count(),
    main=sorted(name for name in dir() if not name.startswith("__")), core=resource.getrlimit(resource.RLIMIT_CORE),
    parent_is_root=os.stat(f"/proc/{os.getppid()}").st_uid == 0, digits=sys.get_int_max_str_digits(),
    recursion=sys.getrecursionlimit(), marked=hasattr(sys, "mark"), order=list({"a", "b", "c"}),
)
print(json.dumps(found))
"""
# What a hostile predecessor would like its successors to find.
SPOIL = """
import atexit, builtins, os, random, signal, sys, threading
sys.mark = builtins.mark = 1
sys.setrecursionlimit(77777)
random.seed(1)
os.environ["LD_PRELOAD"] = "/tmp/x.so"
os.umask(0)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
for place in ("/tmp/mark", "/dev/shm/mark", "mark", "../mark"):
    try: open(place, "w").write("x")
    except OSError: pass
for fd in range(3, 20):
    try: os.dup2(1, fd)
    except OSError: pass
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox(Sandbox(containers=1))
    yield sandbox
    sandbox.close()


def outputs(sandbox: DockerSandbox, *programs: str) -> list[Run]:
    """Each in turn, in the same container."""

    def work(session: Session) -> list[Run]:
        runs = []
        for program in programs:
            assert session.compile(program, "python", 128).ok
            runs.append(session.run(b"", LIMITS))
        return runs

    found: Any = sandbox.submit(work).result(60)
    assert all(run.ended_well for run in found), [run.stderr for run in found]
    return list(found)


def test_a_child_finds_nothing_of_the_one_before(sandbox: DockerSandbox) -> None:
    """State, limits, environment, files and descriptors are as they were, whatever the program before has done."""
    first, _, second = outputs(sandbox, SELF, SPOIL, SELF)
    before, after = json.loads(first.stdout), json.loads(second.stdout)
    for own in ("uid", "random", "cwd"):
        assert before.pop(own) != after.pop(own), own
    for found in (before, after):
        found["env"].pop("HOME")
        found.pop("groups")
    assert before == after


def test_a_child_is_as_a_new_interpreter(sandbox: DockerSandbox) -> None:
    """It has its three streams, an empty folder, no groups, no names but its own, and no thread but one."""
    [run] = outputs(sandbox, SELF)
    found = json.loads(run.stdout)
    assert found["uid"] >= 1_000_000
    assert (found["groups"], found["folder"], found["fds"], found["threads"]) == ([], [], [0, 1, 2], 1)
    assert (found["argv"], found["name"], found["mask"], found["umask"]) == (["main.py"], "__main__", [], 0o022)
    assert found["main"] == ["json", "os", "random", "resource", "signal", "sys", "threading"]
    assert found["core"] == [0, 0]
    assert set(found["env"]) == {
        "HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
        "PYTHONDONTWRITEBYTECODE",
    }  # fmt: skip


def test_a_child_cannot_reach_its_parents(sandbox: DockerSandbox) -> None:
    """Memory, descriptors and environment of supervisor and warm parent are closed to it, and it cannot signal them."""
    program = """
import os, signal
reached = []
for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
    if pid == os.getpid(): continue
    for name in ("mem", "environ", "maps", "fd", "cwd", "root", "exe", "syscall", "stack"):
        path = f"/proc/{pid}/{name}"
        try:
            if name in ("cwd", "root", "exe"): os.readlink(path)
            elif name == "fd": os.listdir(path)
            else: open(path, "rb").read(1)
            reached.append(path)
        except OSError: pass
    for number in (0, signal.SIGKILL):
        try: os.kill(pid, number); reached.append((pid, number))
        except OSError: pass
print(reached)
"""
    [run] = outputs(sandbox, program)
    assert run.stdout == b"[]\n"


def test_the_parents_memory_holds_no_input_and_no_program(sandbox: DockerSandbox) -> None:
    """Neither the source nor the input of a test is in the memory that the next one inherits."""
    secret = "x" + "y" * 7 + "4711"
    leave = f"import sys\nheld = '{secret}'\nsys.stdin.read()\n"
    search = """
import re
needle = b"x" + b"y" * 7 + b"47" + bytes([49, 49])
hits = 0
for line in open("/proc/self/maps"):
    area, rights = line.split()[:2]
    if not rights.startswith("r") or "[v" in line: continue
    start, end = (int(part, 16) for part in area.split("-"))
    with open("/proc/self/mem", "rb") as memory:
        memory.seek(start)
        try: text = memory.read(end - start)
        except OSError: continue
    for match in re.finditer(re.escape(needle), text): hits += 1
print(hits)
"""

    def work(session: Session) -> list[bytes]:
        session.compile(leave, "python", 256)
        session.run(secret.encode(), Limits(4, 12, 256, 1 << 20))
        session.compile(search, "python", 256)
        return [session.run(b"", Limits(4, 12, 256, 1 << 20)).stdout]

    [found] = sandbox.submit(work).result(60)  # type: ignore[misc]
    # The needle itself, and copies of it that the search makes, are there in any case.
    control = outputs(sandbox, search)[0].stdout
    assert found == control

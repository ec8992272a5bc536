"""The pool of containers: hardened as it says, begun anew where containers fail, gone when its owner is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs.forwarded_engine import forwarded
from tracemill.core.process_identity import process_name
from tracemill.recipe.sections.verify import CodeTests, Sandbox
from verifiers.programs.cases import read_tests
from verifiers.programs.verifier import Judged, conclude, run_tests
from verifiers.sandbox.container import LABEL, Container, connect, sweep
from verifiers.sandbox.docker_sandbox import DockerSandbox
from verifiers.sandbox.protocol import Limits, Run, SandboxFailure, SandboxFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

    from verifiers.sandbox.protocol import Session

pytestmark = pytest.mark.needs_docker

ROOT = Path(__file__).parents[3]
IMAGE = Sandbox().image
LIMITS = Limits(cpu_s=2, wall_s=6, memory_mb=128, output_bytes=1 << 20)
DOUBLE = "print(2 * int(input()))"


@pytest.fixture
def api() -> Iterator[APIClient]:
    client = connect(None)
    yield client
    client.close()


@contextlib.contextmanager
def pool(**settings: Any) -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox(Sandbox(**settings))
    try:
        yield sandbox
    finally:
        sandbox.close()


def ours(api: APIClient, name: str = "") -> list[dict[str, Any]]:
    """This process's containers, or another owner's."""
    found: list[dict[str, Any]] = api.containers(all=True, filters={"label": f"{LABEL}={name or process_name()}"})
    return found


def doubled(session: Session) -> Run:
    session.compile(DOUBLE, "python", 128)
    return session.run(b"21", LIMITS)


def until(condition: Any, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_container_is_as_hardened_as_it_says(api: APIClient) -> None:
    """No network, five capabilities, a read-only root, bounded memory without swap, bounded processes and calls."""
    container = Container(api, IMAGE, 128)
    try:
        host = api.inspect_container(container.id)["HostConfig"]
    finally:
        container.remove()
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
    assert host["CapDrop"] == ["ALL"]
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == {
        "SETUID",
        "SETGID",
        "KILL",
        "CHOWN",
        "DAC_OVERRIDE",
    }
    assert host["Memory"] == host["MemorySwap"] == 256 << 20
    assert host["PidsLimit"] == 128
    assert host["NanoCpus"] == 10**9
    assert not host["Binds"]
    options = dict(option.partition("=")[::2] for option in host["SecurityOpt"])
    assert "no-new-privileges:true" in options
    profile = json.loads(options["seccomp"])
    allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not allowed & {"ptrace", "bpf", "keyctl", "mount", "unshare", "setns", "io_uring_setup", "perf_event_open"}


def test_a_container_that_is_killed_costs_nothing(api: APIClient) -> None:
    """Work whose container is killed under it is begun anew in another one, and ends as it would have."""
    n_begun = []

    def work(session: Session) -> Run:
        n_begun.append(1)
        session.compile(DOUBLE, "python", 128)
        if len(n_begun) == 1:
            api.kill(ours(api)[0]["Id"])
        return session.run(b"21", LIMITS)

    with pool(containers=1) as sandbox:
        assert sandbox.submit(work).result(60).stdout == b"42\n"  # type: ignore[union-attr]
    assert len(n_begun) == 2


def test_what_fails_three_times_is_set_aside(api: APIClient) -> None:
    """Work that no container survives is a failure that says so, and the work behind it is done."""

    def work(session: Session) -> Run:
        session.compile(DOUBLE, "python", 128)
        for found in ours(api):
            api.kill(found["Id"])
        return session.run(b"21", LIMITS)

    with pool(containers=1) as sandbox:
        failed, fine = sandbox.submit(work), sandbox.submit(doubled)
        failure = failed.result(60)
        assert isinstance(failure, SandboxFailure)
        assert "3 containers failed" in failure.reason
        assert fine.result(60).stdout == b"42\n"  # type: ignore[union-attr]


def test_a_bug_in_the_work_is_not_taken_for_a_failure() -> None:
    """An exception of the work itself reaches whoever waits, and is not tried again."""
    n_begun = []

    def work(_: Session) -> None:
        n_begun.append(1)
        raise KeyError("a bug")

    with pool(containers=1) as sandbox:
        with pytest.raises(KeyError, match="a bug"):
            sandbox.submit(work).result(60)
        assert sandbox.submit(doubled).result(60).stdout == b"42\n"  # type: ignore[union-attr]
    assert len(n_begun) == 1


def test_without_an_engine_every_row_says_what_to_do() -> None:
    """Where no engine answers, a hundred rows fail at once, as sandbox errors with the remedy, and none is wrong."""
    tests = read_tests({"kind": "stdio", "cases": [{"stdin": "1", "stdout": "2"}]})
    began = time.monotonic()
    with pool(engines=("unix:///nonexistent.sock",)) as sandbox:
        jobs = [sandbox.submit(lambda s: run_tests(s, DOUBLE, tests, CodeTests())) for _ in range(100)]
        found = [conclude(job.result(60), DOUBLE, CodeTests()) for job in jobs]
    assert time.monotonic() - began < 60
    assert {(judgement.outcome, judgement.score) for judgement in found} == {("sandbox_error", None)}
    assert all("start one and run again" in judgement.detail for judgement in found)
    assert all("/nonexistent.sock" in judgement.detail for judgement in found)


def test_without_the_image_the_remedy_is_named() -> None:
    """An image that is not there is a sandbox error that names the command that makes it."""
    with pool(image="tracemill-no-such-image") as sandbox:
        failure = sandbox.submit(doubled).result(60)
    assert isinstance(failure, SandboxFailure)
    assert "no image tracemill-no-such-image" in failure.reason
    assert "make sandbox-image" in failure.reason


def test_another_engine_does_the_work_of_a_dead_one() -> None:
    """Of two engines one of which is away, the other does all of the work."""
    with pool(engines=("unix:///nonexistent.sock", "unix:///var/run/docker.sock"), containers=1) as sandbox:
        jobs = [sandbox.submit(doubled) for _ in range(6)]
        assert [job.result(60).stdout for job in jobs] == [b"42\n"] * 6  # type: ignore[union-attr]


def test_what_fails_on_one_engine_is_tried_on_another() -> None:
    """An engine that is there and fails at everything costs no verdict where another one works."""
    failing: list[threading.Thread] = []

    def work(session: Session) -> Run:
        failing.append(threading.current_thread())
        if threading.current_thread() is failing[0]:
            raise SandboxFault("this one never answers")
        return doubled(session)

    socket_path = "unix:///var/run/docker.sock"
    with pool(engines=(socket_path, socket_path), containers=1) as sandbox:
        jobs = [sandbox.submit(work) for _ in range(30)]
        assert [job.result(60).stdout for job in jobs] == [b"42\n"] * 30  # type: ignore[union-attr]


def test_a_remote_engine_serves_as_well() -> None:
    """An engine behind TCP, as DOCKER_HOST names one, runs programs and tests that talk."""
    with forwarded("/var/run/docker.sock") as port, pool(engines=(f"tcp://127.0.0.1:{port}",), containers=1) as sandbox:
        assert sandbox.submit(doubled).result(60).stdout == b"42\n"  # type: ignore[union-attr]
        tests = read_tests({"kind": "assert", "asserts": ["assert f(2) == 4"]})
        judged = sandbox.submit(lambda s: run_tests(s, "def f(x): return 2 * x", tests, CodeTests())).result(60)
        assert isinstance(judged, Judged)
        assert [result.code for result in judged.results] == ["AC"]


def test_containers_are_replaced_after_so_many_programs(api: APIClient) -> None:
    """A container serves as many programs as the recipe says, and none more."""
    seen = set()

    def work(session: Session) -> None:
        doubled(session)
        seen.update(found["Id"] for found in ours(api))

    with pool(containers=1, programs_per_container=2) as sandbox:
        for _ in range(6):
            sandbox.submit(work).result(60)
    assert len(seen) == 3


def test_memory_limits_are_the_rows_own() -> None:
    """The same program runs out of a small row's memory and not of a larger row's, in the same pool."""
    program = "held = bytearray(150 << 20)\nfor i in range(0, len(held), 4096): held[i] = 1\nprint(len(held))"

    def work(memory_mb: int) -> Any:
        def run(session: Session) -> Run:
            session.compile(program, "python", memory_mb)
            return session.run(b"", Limits(5, 15, memory_mb, 1 << 20))

        return run

    with pool(containers=1) as sandbox:
        runs = [sandbox.submit(work(mb)).result(60) for mb in (64, 512, 64, 256)]
    assert [run.out_of_memory for run in runs] == [True, False, True, False]  # type: ignore[union-attr]


def test_closing_removes_every_container(api: APIClient) -> None:
    """A closed pool leaves no container, and refuses further work as a failure."""
    with pool(containers=2) as sandbox:
        for _ in range(4):
            sandbox.submit(doubled).result(60)
        assert ours(api)
    assert until(lambda: not ours(api))
    assert isinstance(sandbox.submit(doubled).result(5), SandboxFailure)


def test_work_under_way_ends_when_the_pool_is_closed() -> None:
    """A program that runs when its pool is closed ends as a failure, not as a verdict."""
    begun = threading.Event()

    def work(session: Session) -> Run:
        session.compile("while True: pass", "python", 128)
        begun.set()
        return session.run(b"", Limits(60, 120, 128, 1 << 20))

    with pool(containers=1) as sandbox:
        job = sandbox.submit(work)
        assert begun.wait(60)
    assert isinstance(job.result(30), SandboxFailure)


OWNER = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from tracemill.recipe.sections.verify import Sandbox
from tracemill.core.process_identity import process_name
from verifiers.sandbox.docker_sandbox import DockerSandbox
from verifiers.sandbox.protocol import Limits
def work(session):
    session.compile("while True: pass", "python", 128)
    print(process_name(), flush=True)
    session.run(b"", Limits(60, 180, 128, 1 << 20))
DockerSandbox(Sandbox(containers=1)).submit(work).result()
"""


def test_a_killed_owner_leaves_no_container(api: APIClient) -> None:
    """SIGKILL of the process that owns a container ends the container, though a program was running in it."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(ROOT)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert len(ours(api, name)) == 1
        os.kill(process.pid, signal.SIGKILL)
    assert until(lambda: not ours(api, name))


def test_a_sweep_removes_what_a_dead_owner_left(api: APIClient) -> None:
    """Containers of owners on this host that are gone are removed, others are let be."""
    left = []
    try:
        for name in (process_name(4194304), "elsewhere/1/1"):
            created = api.create_container(IMAGE, ["sleep", "60"], labels={LABEL: name}, network_disabled=True)
            left.append(created["Id"])
        assert sweep(api) >= 1
        there = {found["Id"] for found in api.containers(all=True)}
        assert left[0] not in there
        assert left[1] in there
    finally:
        for each in left:
            with contextlib.suppress(Exception):
                api.remove_container(each, force=True)


def test_a_container_that_does_not_answer_is_a_fault(api: APIClient) -> None:
    """Nobody waits for a container longer than the deadline."""
    container = Container(api, IMAGE, 128)
    try:
        with pytest.raises(SandboxFault, match="does not answer"):
            container.receive(time.monotonic() + 0.2)
    finally:
        container.remove()


# Is ready as a supervisor is, and then says of the frame that it sends what no supervisor would.
_LIAR = """\
import os, json, struct
def frame(header, n_blob, blob=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    os.write(1, struct.pack(">II", len(text), n_blob) + text + blob)
frame({"is": "ready"}, 0)
os.read(0, 1 << 16)
{lie}
while True:
    os.write(1, b"x" * 65536)
"""


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ('os.write(1, struct.pack(">II", 20, (1 << 32) - 1) + b"{}" * 10)', "announced a frame"),
        ('os.write(1, struct.pack(">II", (1 << 32) - 1, 0))', "announced a frame"),
        ('frame({"is": "channel"}, (1 << 20) + (1 << 16) + 2049)', "announced a frame"),
        ('frame(b"[" * 60000, 0)', "header that is no JSON"),
        ('frame(b"\\xff{", 0)', "header that is no JSON"),
    ],
    ids=["blob", "header", "just over what the order allows", "nested", "not JSON"],
)
def test_a_lying_header_is_a_fault_before_it_fills_memory(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, lie: str, said: str
) -> None:
    """A frame larger than its order allows, or with a header that cannot be read, ends the container at once."""
    script = _LIAR.replace("{lie}", lie).encode()
    monkeypatch.setattr(
        "verifiers.sandbox.container.supervisor_script", lambda _: len(script).to_bytes(4, "big") + script
    )
    container = Container(api, IMAGE, 128)
    try:
        container.order({"do": "run", "output_bytes": LIMITS.output_bytes})
        with pytest.raises(SandboxFault, match=said):
            container.receive(time.monotonic() + 30)
        assert len(container._buffer) < 1 << 19
    finally:
        container.remove()


@pytest.mark.parametrize(("times", "stopped"), [(1, None), (3, "output")])
def test_the_largest_output_that_an_order_allows_arrives(times: int, stopped: str | None) -> None:
    """Output up to its limit, and beyond it as far as it is read, is no lie."""
    program = f"import sys; sys.stderr.write('y' * 5000); sys.stdout.write('x' * {times * LIMITS.output_bytes})"

    def work(session: Session) -> Run:
        assert session.compile(program, "python", 128).ok
        return session.run(b"", LIMITS)

    with pool() as sandbox:
        run = sandbox.submit(work).result(60)
    assert (len(run.stdout) >= LIMITS.output_bytes, run.stopped) == (True, stopped)

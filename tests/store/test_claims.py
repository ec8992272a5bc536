"""Claims: of several processes that want the same work at once, one does it, and the others do not pay for it again."""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support.warm import start as programs
from tracemill.core.process_identity import process_name
from tracemill.store import Store, claimed, sweep_claims
from tracemill.store.claims import Lease
from tracemill.store.objects import ObjectFiles

WORKER = """
import sys
from tracemill.store.claims import claimed
from tracemill.store.store import Store

store = Store(sys.argv[1])
with claimed(store, "stage", "key", lambda message: print(message, flush=True)):
    if store.exists("done"):
        print("found", flush=True)
    else:
        print("works", flush=True)
        sys.stdin.readline()
        store.write_bytes("done", b"")
"""


class Worker:
    """A process that does the work unless it finds it done."""

    def __init__(self, url: str) -> None:
        self.process = programs.script(WORKER, url)

    def said(self) -> str:
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        self.process.communicate("go\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path) if request.param == "folder" else request.getfixturevalue("bucket"))


def claims_in(store: Store) -> list[str]:
    if isinstance(store.files, ObjectFiles):
        return [found.name for found in store.files.listing("claims")]
    return [path.name for path in Path(store.path("claims")).rglob("*") if path.is_file()]


def test_the_second_process_waits_and_finds_the_work_done(store: Store) -> None:
    """While one process works the other waits, says for whom, and then finds the result; no claim is left."""
    first = Worker(store.url)
    assert first.said() == "works"
    second = Worker(store.url)
    assert f"process {first.process.pid} on " in second.said()
    first.go_on()
    assert second.said() == "found"
    second.go_on()
    assert claims_in(store) == []


def test_a_killed_holder_is_no_obstacle(store: Store) -> None:
    """SIGKILL of the process that works lets one that waits take the work over at once, long before a lease expires."""
    first = Worker(store.url)
    assert first.said() == "works"
    second = Worker(store.url)
    assert "waiting for it" in second.said()
    first.kill()
    began = time.monotonic()
    assert second.said() == "works"
    assert time.monotonic() - began < 30, "it waited for the lease to expire"
    second.go_on()
    assert claims_in(store) == []


def test_one_at_a_time(store: Store) -> None:
    """Of many threads that want one piece of work, no two have it at once, and each gets its turn."""
    busy, overlaps, turns = [], [], []

    def work() -> None:
        with claimed(store, "stage", "key", lambda _: None):
            overlaps.append(len(busy))
            busy.append(1)
            time.sleep(0.01)
            busy.pop()
            turns.append(1)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(turns) == 5
    assert set(overlaps) == {0}


def test_other_work_is_not_waited_for(store: Store) -> None:
    """A claim keeps nobody from other work."""
    with claimed(store, "stage", "key", pytest.fail), claimed(store, "stage", "other", pytest.fail):
        assert len(claims_in(store)) == 2


def test_work_that_fails_frees_its_claim(store: Store) -> None:
    """An error in the work comes through as it is, and the next one may try."""
    with pytest.raises(ZeroDivisionError), claimed(store, "stage", "key", pytest.fail):
        raise ZeroDivisionError
    with claimed(store, "stage", "key", pytest.fail):
        pass


def test_without_locks_the_work_is_done_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without locks the work goes on, and what that may cost is said."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tracemill.core.file_lock.fcntl.flock", no_locks)
    told: list[str] = []
    with claimed(Store(str(tmp_path)), "stage", "key", told.append):
        assert "another process may do this work too" in told[0]
        assert told[0].endswith("claims/stage knows no locks")


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """The lock files of killed processes are removed, those of living ones are not."""
    store = Store(str(tmp_path))
    (tmp_path / "claims/stage").mkdir(parents=True)
    (tmp_path / "claims/stage/dead.lock").touch()
    with claimed(store, "stage", "alive", pytest.fail):
        assert sweep_claims(store) == 1
        assert claims_in(store) == ["alive.lock"]


def lease_of(host: str, beat: int) -> bytes:
    return json.dumps({"owner": f"{host}/1/1", "token": "t", "beat": beat}).encode()


def test_a_lease_without_a_sign_of_life_is_taken_over(bucket: str) -> None:
    """The lease of a lost machine is waited for while it is renewed, and taken over once it is not."""
    files = ObjectFiles(bucket)
    files.write("claims/s/k/00000007", lease_of("elsewhere", 0))
    beats = list(range(1, 15))

    def live() -> None:
        while beats:
            files.write("claims/s/k/00000007", lease_of("elsewhere", beats.pop()))
            time.sleep(0.2)

    living = threading.Thread(target=live)
    living.start()
    with Lease(files, "claims/s/k", expiry_s=1.5).held(lambda _: None):
        assert beats == []
        newest = files.listing("claims/s/k")[-1]
        assert newest.name == "claims/s/k/00000008"
        assert json.loads(files.read(newest.name))["owner"] == process_name()
    living.join()
    assert files.listing("claims") == []


def test_a_lease_is_renewed_while_it_is_held(bucket: str) -> None:
    """A holder shows signs of life for as long as the work takes."""
    files = ObjectFiles(bucket)
    with Lease(files, "claims/s/k", beat_s=0.05).held(pytest.fail):
        deadline = time.monotonic() + 60
        while json.loads(files.read("claims/s/k/00000001"))["beat"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_lease_that_is_no_lease_expires(bucket: str) -> None:
    """An object that nobody can read as a lease holds the work up no longer than a lost machine's."""
    files = ObjectFiles(bucket)
    files.write("claims/s/k/00000001", b"?")
    with Lease(files, "claims/s/k", expiry_s=0.3).held(lambda _: None):
        pass


def test_a_process_that_cannot_be_seen_is_not_taken_for_dead(bucket: str) -> None:
    """A holder with this host's name, but in a container of its own, is waited for like one on another machine."""
    files = ObjectFiles(bucket)
    lease = json.loads(lease_of("", 0)) | {"owner": f"{socket.gethostname()}/999999999/1/another container's"}
    files.write("claims/s/k/00000001", json.dumps(lease).encode())
    began = time.monotonic()
    with Lease(files, "claims/s/k", expiry_s=1.0).held(lambda _: None):
        assert time.monotonic() - began >= 1.0

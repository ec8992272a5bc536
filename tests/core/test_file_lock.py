"""Locks of files, between processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tracemill.core.file_lock import Lock, holder, locked, open_lock, try_lock

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from pathlib import Path
from tracemill.core.file_lock import locked

with locked(Path(sys.argv[1])) as lock:
    print(lock.name, flush=True)
    sys.stdin.readline()
"""
SHARER = """
import sys
from tracemill.core.file_lock import try_lock

with open(sys.argv[1], "rb") as file:
    print(try_lock(file.fileno(), shared=True).name, flush=True)
    sys.stdin.readline()
"""


class Other:
    """Another process that asks for a lock, and keeps what it got until it is told to end."""

    def __init__(self, path: Path, code: str = HOLDER) -> None:
        command = [sys.executable, "-c", code, str(path)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.got = self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def seen_by_another(path: Path) -> str:
    """What another process gets that does not wait."""
    other = Other(path)
    other.end()
    return other.got


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


def refuse(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("tracemill.core.file_lock.fcntl.flock", refused)


def test_a_lock_is_held_by_one(path: Path) -> None:
    """Whoever does not wait is told that another has the lock, and who; when that one is done it is free."""
    other = Other(path)
    assert other.got == "TAKEN"
    with locked(path) as lock:
        assert lock is Lock.HELD
        assert holder(path) == f"process {other.process.pid} on {os.uname().nodename}"
    other.end()
    with locked(path) as lock:
        assert lock is Lock.TAKEN
        assert holder(path) == f"process {os.getpid()} on {os.uname().nodename}"
        assert seen_by_another(path) == "HELD"


def test_a_lock_goes_with_its_process(path: Path) -> None:
    """SIGKILL frees a lock."""
    other = Other(path)
    other.kill()
    with locked(path) as lock:
        assert lock is Lock.TAKEN


def test_a_shared_lock_keeps_out_only_who_wants_it_alone(path: Path) -> None:
    """Two processes share a lock, which a third cannot have for itself."""
    path.touch()
    sharing = Other(path, SHARER)
    with path.open("rb+") as first, path.open("rb+") as second:
        assert sharing.got == "TAKEN"
        assert try_lock(first.fileno(), shared=True) is Lock.TAKEN
        assert try_lock(second.fileno()) is Lock.HELD
    sharing.end()
    with path.open("rb+") as third:
        assert try_lock(third.fileno()) is Lock.TAKEN


def test_whoever_waits_goes_on_when_the_lock_is_free(path: Path) -> None:
    """One that waits is told once for whom, and has the lock as soon as the other process is gone."""
    other, told, has_it = Other(path), [], threading.Event()

    def wait() -> None:
        with locked(path, told.append) as lock:
            told.append(lock)
            has_it.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not told:
        assert not has_it.wait(0.01)
    assert not has_it.wait(0.2)
    other.kill()
    assert has_it.wait(60)
    waiting.join()
    assert told == [f"process {other.process.pid} on {os.uname().nodename}", Lock.TAKEN]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_error(path: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told apart from a lock that another holds, and nobody is waited for."""
    refuse(code, monkeypatch)
    with locked(path, pytest.fail) as lock:
        assert lock is Lock.UNSUPPORTED
    assert path.read_bytes() == b""


def test_what_else_is_wrong_comes_through(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that says nothing of locks is raised as it is."""
    refuse(errno.EIO, monkeypatch)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), locked(path):
        pytest.fail("it has no lock")


@pytest.mark.parametrize("error", [BlockingIOError(errno.EAGAIN, "a"), OSError(errno.ENOLCK, "b"), KeyError("c")])
def test_an_error_of_the_block_comes_through_and_frees_the_lock(path: Path, error: Exception) -> None:
    """Nothing that the block raises is taken for an error of the lock."""
    with pytest.raises(type(error)) as raised, locked(path):
        raise error
    assert raised.value is error
    assert seen_by_another(path) == "TAKEN"


def test_a_link_is_no_lock_file(path: Path) -> None:
    """What a link leads to is neither locked nor written."""
    target = path.with_name("mine")
    target.write_text("mine")
    path.symlink_to(target)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        open_lock(path)
    assert target.read_text() == "mine"


def test_on_a_full_disk_a_lock_locks_and_says_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds a lock is told as far as there is room for it."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with locked(path) as lock:
        assert lock is Lock.TAKEN
        assert holder(path) == "another process"
        assert seen_by_another(path) == "HELD"

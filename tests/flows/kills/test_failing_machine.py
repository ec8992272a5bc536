"""A machine that fails under a run: full and read-only disks, clocks that jump, and a second run of the same recipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.runs.jumping_clock import JumpingClock
from tests.support.runs.killed_run import PATIENCE_S, Process, end, finish, n_ledger_lines, start
from tests.support.runs.small_disk import SmallDisk, small_disk
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer

IN_FLIGHT = 8  # max_in_flight of the small run's teacher
HOUR_S = 3600


def published_bytes(run: SmallRun) -> dict[str, str]:
    """Digests of everything published but the card and the report, which name the folder of the sources."""
    return {name: digest for name, digest in run.digests().items() if name.endswith((".parquet", ".zst"))}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run publishes to which nothing happens."""
    with ChatServer() as teacher:
        run = SmallRun(tmp_path_factory.mktemp("whole"), teacher.url)
        finish(run)
    return published_bytes(run)


def until(met: Callable[[], bool], process: Process) -> None:
    """Waits for a moment of a run that must come before it ends."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert process.poll() is None, "the run has ended before its time"
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.005)


def n_recorded(ledger: Path) -> int:
    """Whole records of a ledger."""
    return sum(path.read_bytes().count(b"\n") for path in ledger.glob("*.ledger"))


def on_disk(disk: SmallDisk, folder: Path, teacher: ChatServer) -> SmallRun:
    """A run whose store is on the disk; its sources and what it publishes are elsewhere."""
    return SmallRun(folder, teacher.url, sections={"run": {"store": str(disk.place / "store")}})


@pytest.mark.needs_mounts
def test_a_full_disk(expected: dict[str, str], tmp_path: Path, by_flow: bool) -> None:
    """A disk that fills up in mid-run ends the run with an error that names the place; with space again it goes on.

    What was recorded is not paid for again; what was in flight when the disk filled up is, once, since no try after
    that asks for more than can be recorded.
    """
    with ChatServer(latency_s=0.1) as teacher, small_disk(tmp_path / "disk", 8) as disk:
        run = on_disk(disk, tmp_path / "run", teacher)
        ledger = disk.seen / "store" / "ledger"
        process = start(run, by_flow=by_flow, prefix=disk.prefix)
        until(lambda: n_recorded(ledger) >= 10, process)
        disk.fill()
        assert process.wait(PATIENCE_S) == 1
        said = (run.folder / "build.log").read_text()
        assert str(disk.place / "store") in said
        assert "No space left on device" in said
        assert "run again" in said
        assert not (run.out / "manifest.json").exists()
        n_kept = n_recorded(ledger)
        assert 10 <= n_kept < 60
        assert teacher.completed - n_kept <= IN_FLIGHT
        disk.empty()
        end(start(run, by_flow=by_flow, prefix=disk.prefix), run.folder)
        assert n_recorded(ledger) == 60
        assert teacher.completed - 60 <= IN_FLIGHT
        assert not list((disk.seen / "store" / ".tmp").iterdir())
        assert published_bytes(run) == expected


@pytest.mark.needs_mounts
@pytest.mark.parametrize("what", ["store", "ledger"])
def test_a_read_only_disk(tmp_path: Path, what: str) -> None:
    """A store or a ledger that cannot be written is an error that names it, before anything is paid for."""
    with ChatServer() as teacher, small_disk(tmp_path / "disk", 8) as disk:
        run = SmallRun(tmp_path / "run", teacher.url, sections={"run": {what: str(disk.place / what)}})
        (disk.seen / what).mkdir()
        disk.remount("ro")
        assert start(run, prefix=disk.prefix).wait(PATIENCE_S) == 1
        said = (run.folder / "build.log").read_text()
        assert str(disk.place / what) in said
        assert "Read-only file system" in said
        assert f"run.{what}" in said
        assert teacher.received == 0


@pytest.mark.needs_compiler
def test_a_clock_that_jumps(expected: dict[str, str], tmp_path: Path, by_flow: bool) -> None:
    """The clock goes ahead and back by hours, in mid-run and between runs: the same bytes, and nothing paid twice."""
    with ChatServer(latency_s=0.1) as teacher:
        run, clock = SmallRun(tmp_path / "run", teacher.url), JumpingClock.made(tmp_path)
        process = start(run, by_flow=by_flow, settings=clock.settings)
        for n_paid, jump in ((8, 9 * HOUR_S), (20, -7 * HOUR_S), (30, 2 * HOUR_S)):
            until(lambda n=n_paid: n_ledger_lines(run) >= n, process)  # type: ignore[misc]
            clock.set(jump)
        process.kill()
        process.wait()
        n_lost = teacher.completed - n_ledger_lines(run)
        clock.set(-5 * HOUR_S)
        end(start(run, by_flow=by_flow, settings=clock.settings), run.folder)
        assert teacher.completed <= 60 + max(n_lost, IN_FLIGHT)
    assert published_bytes(run) == expected
    names = sorted(path.name for path in (run.folder / "store" / "ledger").glob("*.ledger"))
    births = sorted(names, key=lambda name: (run.folder / "store" / "ledger" / name).stat().st_mtime_ns)
    assert len(names) == 2
    assert births == names


def test_two_runs_at_once(expected: dict[str, str], tmp_path: Path, by_flow: bool) -> None:
    """Two runs of a recipe on one store and into one directory both end well, with the same bytes, and pay once."""
    with ChatServer(latency_s=0.05) as teacher:
        run = SmallRun(tmp_path / "run", teacher.url)
        processes = [start(run, by_flow=by_flow) for _ in range(2)]
        for process in processes:
            end(process, run.folder)
        assert teacher.completed == 60
    assert n_ledger_lines(run) == 60
    assert published_bytes(run) == expected
    assert not list((run.folder / "store" / ".tmp").iterdir())

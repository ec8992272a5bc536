"""Two runs of one recipe at once: each request is sent once, and a run that is killed does not hold the other up."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.support.runs.killed_run import PATIENCE_S, Process, end, has_paid_for, n_ledger_lines, start
from tests.support.runs.small_run import SmallRun, digests_of, question
from tests.support.servers.chat_server import ChatServer

N_ROWS = 40
IN_FLIGHT = 8


def start_two(run: SmallRun) -> list[Process]:
    """Two builds of one recipe into one store."""
    return [start(run, out=run.folder / out) for out in ("one", "two")]


def test_two_runs_pay_once(tmp_path: Path) -> None:
    """Two runs of one recipe that are started together send each request once and publish the same bytes."""
    with ChatServer(latency_s=2) as teacher:  # long enough for both to want the same at once
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(N_ROWS)])
        for process in start_two(run):
            end(process, run.folder)
        assert "waiting for it" in (run.folder / "build.log").read_text()
        assert teacher.received == n_ledger_lines(run) == N_ROWS
    assert digests_of(run.folder / "one") == digests_of(run.folder / "two")


def test_a_killed_run_lets_the_other_go_on(tmp_path: Path) -> None:
    """When one of two runs is killed while it generates, the other ends well and pays only for what was in flight."""
    with ChatServer(latency_s=0.05) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(N_ROWS)])
        first, second = start_two(run)
        deadline = time.monotonic() + PATIENCE_S
        while not has_paid_for(10)(run):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        end(second, run.folder)
        assert n_ledger_lines(run) == N_ROWS
        assert teacher.received <= N_ROWS + IN_FLIGHT
    assert not list((run.folder / "store/.tmp").iterdir())

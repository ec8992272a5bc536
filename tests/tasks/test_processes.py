"""Worker processes: the same results as in threads, and what becomes of a process that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.engine.runners import WORTH_PROCESSES, computing, shards_at_once
from tasks.engine.processes import COMPUTING, Processes, WorkerTracebackError
from tasks.engine.stage import StageTask, perform
from tests.support.needs import ROOT
from tests.support.runs.computing_stages import Told, dies, fails, fails_oddly, where
from tests.support.runs.small_run import SmallRun, digests_of, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RunnerError, SourceError
from tracemill.core.machine import cores
from tracemill.recipe.recipe import Run
from tracemill.recipe.sections.run import Runner
from tracemill.store import Manifest, Store

# A fixture of which only the effect is needed.
with_pool = pytest.mark.usefixtures("pool")


@pytest.fixture
def pool() -> Iterator[Processes]:
    processes = Processes(1)
    token = COMPUTING.set(processes)
    yield processes
    COMPUTING.reset(token)
    processes.close()


def done(store: Path, stage: StageTask, told: Told | None = None) -> Manifest:
    return perform(stage, Store(str(store)), told or Told(), {})


def pid_of(store: Path, manifest: Manifest) -> int:
    return int(Store(str(store)).read_table(manifest.outputs["pids"])["pid"][0].as_py())


@with_pool
def test_a_stage_that_computes_does_so_in_another_process(tmp_path: Path) -> None:
    """Its manifest is in the store, and the same work is found and not done again."""
    found = done(tmp_path, where)
    assert pid_of(tmp_path, found) != os.getpid()
    assert Store(str(tmp_path)).find("where", found.key) == found
    assert done(tmp_path, where) == found


@with_pool
def test_a_process_that_is_killed_costs_its_task_and_nothing_else(tmp_path: Path) -> None:
    """The task is done again by another process, and the pool goes on."""
    manifest = done(tmp_path, dies, Told(folder=str(tmp_path), deaths=2))
    assert (tmp_path / "died").read_text() == "xx"
    assert pid_of(tmp_path, manifest) != os.getpid()
    assert done(tmp_path, where).rows_in == 1


@with_pool
def test_an_idle_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """Nobody notices."""
    first = pid_of(tmp_path, done(tmp_path, where))
    os.kill(first, signal.SIGKILL)
    psutil.Process(first).wait(10)
    manifest = done(tmp_path, dies, Told(folder=str(tmp_path)))
    assert pid_of(tmp_path, manifest) not in {first, os.getpid()}


@with_pool
def test_a_task_that_kills_every_process_fails_by_name(tmp_path: Path) -> None:
    """It is an error of the machine, never a verdict, and says how the processes ended."""
    with pytest.raises(RunnerError, match=r"(?s)died of one task: stage dies.*killed by SIGKILL.*out of memory"):
        done(tmp_path, dies, Told(folder=str(tmp_path), deaths=9))
    assert done(tmp_path, where).rows_in == 1


@with_pool
def test_an_error_comes_back_with_its_fields_and_its_traceback(tmp_path: Path) -> None:
    """As if it had been raised here, with the worker's traceback for its cause."""
    with pytest.raises(SourceError) as caught:
        done(tmp_path, fails)
    assert (caught.value.got, caught.value.expected, caught.value.remedy) == ("nothing", "something", "mend it")
    assert isinstance(caught.value.__cause__, WorkerTracebackError)
    assert "in fails" in str(caught.value.__cause__)


@with_pool
def test_an_error_that_cannot_travel_is_told(tmp_path: Path) -> None:
    """By its name and its words."""
    with pytest.raises(RunnerError, match=r"(?s)OddError.*this and that"):
        done(tmp_path, fails_oddly)


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Within seconds, whatever they were at."""
    script = (
        "import os, sys, time; from pathlib import Path; from tests.support.runs.computing_stages import where, Told;"
        "from tasks.engine.processes import COMPUTING, Processes; from tasks.engine.stage import perform;"
        "from tracemill.store import Store; COMPUTING.set(Processes(1)); store = Store(sys.argv[1]);"
        "found = perform(where, store, Told(), {});"
        "print(store.read_table(found.outputs['pids'])['pid'][0].as_py(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 10
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_build_in_processes_publishes_the_same_bytes(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every file, with traces that came along, a teacher that is asked, duplicates and benchmarks; on Prefect too."""
    with ChatServer(wrong_percent=30) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(40)])
        run.build()
        run.sections = {"run": {"store": str(tmp_path / "other"), "runner": {"kind": "processes"}}}
        run.build(tmp_path / "by_processes")
        assert digests_of(tmp_path / "by_processes") == run.digests()
        request.getfixturevalue("prefect_flows")
        run.sections = {"run": {"store": str(tmp_path / "third"), "runner": {"kind": "processes"}}}
        run.build_by_flow(tmp_path / "by_flow")
        assert digests_of(tmp_path / "by_flow") == run.digests()
    COMPUTING.set(None)


def test_few_rows_stay_in_threads() -> None:
    """By itself a run takes processes only where it has rows enough to start them for, and more than one core."""
    assert computing(Run(), WORTH_PROCESSES - 1) is None
    found = computing(Run(), WORTH_PROCESSES)
    assert (found.n if found else 1) == cores()
    assert computing(Run(runner=Runner(kind="threads")), 10**9) is None


def test_the_recipe_bounds_the_processes() -> None:
    """``run.workers`` bounds shards and processes alike; without it there are as many as cores, and four shards."""
    found = computing(Run(workers=1, runner=Runner(kind="processes")), 0)
    assert found is not None
    assert found.n == 1
    assert shards_at_once(Run()) == max(4, cores())

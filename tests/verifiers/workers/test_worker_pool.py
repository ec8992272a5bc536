"""The worker pool under jobs that hang, eat memory, end their process, and under a parent that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracemill.core import VerifierError
from verifiers.workers.pool import Crashed, TimedOut, Value, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PID = "os:getpid"
HANG = ("builtins:pow", 7, 10**9)  # one big-integer operation: holds the interpreter lock, deaf to Python signals


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, wall_s=1.5, memory_mb=512) as pool:
        yield pool


def test_results_come_in_order_of_the_jobs(pool: WorkerPool) -> None:
    """Results keep the order of the jobs, whoever finishes first."""
    waits = [(0.3,), (0.0,), (0.1,), (0.0,)]
    assert list(pool.map("time:sleep", waits)) == [Value(None)] * 4
    numbers = [(i, 1) for i in range(2000)]
    assert list(pool.map("operator:add", numbers)) == [Value(i + 1) for i in range(2000)]


def test_results_stream(pool: WorkerPool) -> None:
    """A result is handed out before later jobs have been read, and reading ahead is bounded."""
    read = []

    def jobs() -> Iterator[tuple[int, int]]:
        for i in range(500):
            read.append(i)
            yield i, 0

    results = pool.map("operator:add", jobs(), read_ahead=10)
    assert next(results) == Value(0)
    assert len(read) <= 11
    results.close()


@pytest.mark.parametrize("hang", [HANG, ("time:sleep", 60)])
def test_a_hang_costs_one_deadline(hang: tuple[str, object], pool: WorkerPool) -> None:
    """A hanging job is TimedOut after the wall limit, its process is gone, and its neighbours are answered."""
    function, *args = hang
    before = time.monotonic()
    futures = [pool.submit("operator:add", 1, 1), pool.submit(function, *args), pool.submit("operator:add", 2, 2)]
    assert [future.result(timeout=60) for future in futures] == [Value(2), TimedOut(1.5), Value(4)]
    assert 1.5 <= time.monotonic() - before < 40
    assert list(pool.map("operator:add", [(3, 3)])) == [Value(6)]


def test_jobs_behind_a_hang_in_the_same_batch_are_not_lost(pool: WorkerPool) -> None:
    """Of 64 queued jobs with two hangs among them, exactly the two time out."""
    jobs = [(60.0,) if i in {10, 11} else (0.0,) for i in range(64)]
    results = list(pool.map("time:sleep", jobs))
    assert [i for i, result in enumerate(results) if result == TimedOut(1.5)] == [10, 11]
    assert sum(result == Value(None) for result in results) == 62


def test_deadline_counts_from_the_start_of_the_job() -> None:
    """Neither waiting in the queue nor importing the function's module counts against a job."""
    with WorkerPool(1, wall_s=0.4, memory_mb=512) as pool:
        waits = list(pool.map("time:sleep", [(0.15,)] * 6))
        slow_to_import = list(pool.map("sympy:isprime", [(7,)]))
    assert waits == [Value(None)] * 6
    assert slow_to_import == [Value(value=True)]


def test_a_memory_hog_is_reported() -> None:
    """A job that needs more than the memory limit is Crashed with the limit named, after a second try."""
    with WorkerPool(1, wall_s=10, memory_mb=128) as pool:
        first = pool.submit(PID).result()
        hog = pool.submit("builtins:bytearray", 10**9).result(timeout=20)
        after = pool.submit(PID).result()
    assert hog == Crashed("memory limit of 128 MB reached")
    assert isinstance(after, Value)
    assert after != first


def test_a_job_too_large_for_a_worker_is_reported() -> None:
    """Arguments beyond the memory limit are the job's own crash; those that fit one by one are not sent together."""
    with WorkerPool(1, wall_s=20, memory_mb=128) as pool:
        texts = ["x", "x" * 100_000_000, "xx", *["x" * 8_000_000] * 16]
        found = list(pool.map("builtins:len", [(text,) for text in texts]))
    assert found[:3] == [Value(1), Crashed("memory limit of 128 MB reached"), Value(2)]
    assert found[3:] == [Value(8_000_000)] * 16


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (("os:_exit", 3), "exited with status 3"),
        (("os:_exit", 0), "exited with status 0"),
        (("os:abort",), "killed by SIGABRT"),
        (("ctypes:string_at", 0), "killed by SIGSEGV"),
        (("sys:exit", 1), "raised SystemExit: 1"),
        (("builtins:int", "x"), "raised ValueError: invalid literal for int() with base 10: 'x'"),
        (("builtins:object",), "raised TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_a_job_that_ends_its_process_is_reported(job: tuple[str, object], reason: str, pool: WorkerPool) -> None:
    """Whatever way a job ends, it is Crashed with the reason and its neighbours are answered."""
    function, *args = job
    futures = [pool.submit("operator:add", 1, 1), pool.submit(function, *args), pool.submit("operator:add", 2, 2)]
    assert [future.result(timeout=20) for future in futures] == [Value(2), Crashed(reason), Value(4)]


def test_a_job_whose_process_was_killed_runs_once_more(pool: WorkerPool) -> None:
    """A job whose worker is killed from outside is done again on a fresh process, and gives its value."""
    future = pool.submit("time:sleep", 0.7)
    time.sleep(0.3)
    for pid in pool.worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert future.result(timeout=20) == Value(None)


def test_what_a_job_prints_does_not_reach_the_protocol(pool: WorkerPool) -> None:
    """Jobs that print or read standard input disturb nothing."""
    assert list(pool.map("builtins:print", [("x" * 100_000,)])) == [Value(None)]
    assert list(pool.map("builtins:input", [()])) == [Crashed("raised EOFError: EOF when reading a line")]


def test_threads_share_a_pool(pool: WorkerPool) -> None:
    """Eight threads on one pool each get their own results, in order."""
    got: dict[int, list[object]] = {}

    def work(base: int) -> None:
        got[base] = list(pool.map("operator:add", [(base, i) for i in range(200)]))

    threads = [threading.Thread(target=work, args=(base * 1000,)) for base in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert got == {base * 1000: [Value(base * 1000 + i) for i in range(200)] for base in range(8)}


def test_a_worker_outlives_the_thread_that_caused_it() -> None:
    """A worker started from a thread that has ended is still the one at work."""
    with WorkerPool(1, wall_s=5, memory_mb=512) as pool:
        first: list[object] = []
        thread = threading.Thread(target=lambda: first.extend(pool.map(PID, [()])))
        thread.start()
        thread.join()
        time.sleep(0.3)
        assert list(pool.map(PID, [()])) == first


def test_workers_are_recycled() -> None:
    """After its number of jobs a process is replaced."""
    with WorkerPool(1, wall_s=5, memory_mb=512, jobs_per_process=2) as pool:
        pids = [pool.submit(PID).result() for _ in range(6)]
    assert pids[0] == pids[1]
    assert pids[2] == pids[3]
    assert len({str(pid) for pid in pids}) == 3


def test_close_under_a_running_job_leaves_nothing() -> None:
    """Closing ends running and queued jobs at once and leaves no process."""
    pool = WorkerPool(1, wall_s=60, memory_mb=512)
    running = pool.submit("time:sleep", 50)
    while not pool.worker_pids():
        time.sleep(0.01)
    pids = pool.worker_pids()
    queued = pool.submit("os:getpid")
    before = time.monotonic()
    pool.close()
    assert time.monotonic() - before < 30
    for future in (running, queued):
        with pytest.raises(VerifierError, match="closed"):
            future.result(timeout=5)
    assert gone(pids)
    with pytest.raises(VerifierError, match="closed"):
        pool.submit(PID)


@pytest.mark.parametrize("function", ["no_such_module:f", "os:no_such_function", "os:sep"])
def test_a_function_that_cannot_be_loaded_is_an_error(function: str, pool: WorkerPool) -> None:
    """A function no worker can load raises, as it says nothing about any job."""
    with pytest.raises(VerifierError, match="cannot load"):
        list(pool.map(function, [()]))


def test_a_limit_too_small_to_start_is_an_error() -> None:
    """A memory limit under which no worker starts raises and names the limit."""
    with WorkerPool(1, wall_s=5, memory_mb=30) as pool, pytest.raises(VerifierError, match="30 MB"):
        list(pool.map("verifiers.maths.symbolic:compare", [("1", "1", "")]))


def test_a_local_function_is_refused(pool: WorkerPool) -> None:
    """A function that another process cannot import is refused before anything runs."""
    with pytest.raises(VerifierError, match="cannot import"):
        pool.submit(lambda: None)


ORPHAN_MAKER = """
import os, signal, time
from verifiers.workers.pool import WorkerPool
pool = WorkerPool(2, wall_s=300, memory_mb=512)
pool.submit({function!r}, *{args!r})
pool.submit("time:sleep", 300)
while len(pool.worker_pids()) < 2:
    time.sleep(0.01)
time.sleep(0.5)
print(*pool.worker_pids(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("job", [HANG, ("os:getpid",)])
def test_a_killed_parent_leaves_no_orphans(job: tuple[str, object]) -> None:
    """When the parent is SIGKILLed its workers end within a second, idle, asleep or deaf in a big-integer operation."""
    script = ORPHAN_MAKER.format(function=job[0], args=list(job[1:]))
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in ended.stdout.split()]
    assert len(pids) == 2
    assert gone(pids)


def gone(pids: list[int]) -> bool:
    """Whether all have ended within ten seconds (a zombie has ended: who adopts it reaps it)."""
    deadline = time.monotonic() + 10
    while any(map(runs, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

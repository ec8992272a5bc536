"""Killable worker processes with a wall and a memory limit for each job.

A thread cannot be stopped, and SIGALRM neither works outside the main thread nor interrupts a big-integer operation; a
process can. Covered: a job that hangs (costs one deadline), takes too much memory (RLIMIT_AS) or ends its process; a
parent that is SIGKILLed (its workers end at once). Not covered: hostile code; a job may use the network and files.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tracemill.core import VerifierError
from verifiers.workers.process import WorkerDied, WorkerProcess, function_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# Handing over 16 jobs at once makes the pipe's cost vanish beside about 1 ms a job; their deadlines stay their own.
_MAX_BATCH = 16
_BATCH_CHARS = 4_000_000  # of text in a batch: sixteen answers of ten megabytes would be over a worker's memory
_CLOSED = "the worker pool was closed under its jobs"
_START_S = 120.0  # importing sympy takes 1 s; two minutes are for a machine that is busy with everything else


@dataclass(frozen=True, slots=True)
class Value:
    """The job's function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The job ran past the wall limit and its process was killed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Crashed:
    """The job gave no value: it raised, reached the memory limit, or ended its process (each time it was tried)."""

    reason: str


JobResult = Value | TimedOut | Crashed


@dataclass(slots=True)
class _Job:
    function: str
    args: list[Any]
    future: Future[JobResult]
    started: bool = False
    retried: bool = False

    def n_chars(self) -> int:
        return sum(len(arg) for arg in self.args if isinstance(arg, str))

    def start(self) -> bool:
        """Tell whether the job is still wanted; from then on it cannot be cancelled."""
        self.started = self.started or self.future.set_running_or_notify_cancel()
        return self.started


class WorkerPool:
    """Up to ``workers`` processes, started when the first jobs come, shared by any number of threads.

    Args:
        workers: processes.
        wall_s: wall limit of a job, from when a worker takes it up; neither queueing nor imports count.
        memory_mb: address-space limit of a process, imports included.
        jobs_per_process: a process is replaced after so many jobs, as sympy's caches and leaks grow.
    """

    def __init__(self, workers: int, wall_s: float, memory_mb: int, *, jobs_per_process: int = 20_000) -> None:
        self.workers, self.wall_s, self.memory_mb = workers, wall_s, memory_mb
        self.jobs_per_process = jobs_per_process
        self.closed = False
        self._queue: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._keepers: list[_Keeper] = []

    def submit(self, function: str | Callable[..., Any], *args: Any) -> Future[JobResult]:
        """Queues one job.

        Args:
            function: ``module:qualname``, or an importable function. Takes and returns JSON values.
            args: its positional arguments.

        Raises:
            VerifierError: the pool is closed, or the function cannot be named for another process. The future raises
                it when no worker can load the function.
        """
        job = _Job(function_path(function), list(args), Future())
        with self._changed:
            if self.closed:
                raise VerifierError("the worker pool is closed", remedy="submit jobs inside its with block")
            self._queue.append(job)
            if len(self._keepers) < self.workers:
                self._keepers.append(_Keeper(self))
                self._keepers[-1].start()
            self._changed.notify()
        return job.future

    def map(
        self, function: str | Callable[..., Any], jobs: Iterable[Sequence[Any]], *, read_ahead: int | None = None
    ) -> Iterator[JobResult]:
        """Yield the result of every job, in order, as they come; reads at most ``read_ahead`` jobs ahead.

        Args:
            function: as in :meth:`submit`.
            jobs: one tuple of arguments each.
            read_ahead: default 64 per worker.

        Raises:
            VerifierError: as in :meth:`submit`. A job that fails is a result, not an error.
        """
        path, limit = function_path(function), read_ahead or 64 * self.workers
        window: deque[Future[JobResult]] = deque()
        try:
            for args in jobs:
                window.append(self.submit(path, *args))
                while window and (len(window) >= limit or window[0].done()):
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            for future in window:
                future.cancel()

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are up."""
        return [process.pid for keeper in list(self._keepers) if (process := keeper.process) is not None]

    def close(self) -> None:
        """Kill all workers; jobs that are not done end with a VerifierError."""
        with self._changed:
            self.closed = True
            waiting = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        for job in waiting:
            abandon(job)
        for keeper in self._keepers:
            keeper.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self) -> list[_Job]:
        """Return the next batch for one worker, all of one function; empty when the pool is closed. For keepers."""
        with self._changed:
            while not self._queue and not self.closed:
                self._changed.wait()
            if not self._queue:
                return []
            fair = -(-len(self._queue) // (2 * self.workers))
            function, left, batch = self._queue[0].function, _BATCH_CHARS, list[_Job]()
            while self._queue and (job := self._queue[0]).function == function:
                left -= job.n_chars()
                if batch and (left < 0 or len(batch) >= min(fair, _MAX_BATCH)):
                    break
                batch.append(self._queue.popleft())
            return batch

    def put_back(self, jobs: Iterable[_Job]) -> None:
        """Return untouched jobs of a batch to the head of the queue, in order. For keepers."""
        with self._changed:
            if not self.closed:
                self._queue.extendleft(reversed(list(jobs)))
                self._changed.notify_all()
                return
        for job in jobs:
            abandon(job)


class _Keeper(threading.Thread):
    """The thread that keeps one worker process at work and settles the jobs it takes."""

    def __init__(self, pool: WorkerPool) -> None:
        super().__init__(name="verifier-worker", daemon=True)
        self.process: WorkerProcess | None = None
        self._pool = pool

    def run(self) -> None:
        while batch := self._pool.take():
            wanted = [job for job in batch if job.start()]
            try:
                self._run_batch(deque(wanted))
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, and the others be served
                self._discard()
                for job in wanted:
                    if not job.future.done():
                        job.future.set_exception(error)
        self._discard()

    def stop(self) -> None:
        """End the thread, from another one."""
        while self.is_alive():
            process = self.process
            if process is not None:
                process.interrupt()
            self.join(timeout=0.05)  # again, in case it was just starting a process

    def _run_batch(self, batch: deque[_Job]) -> None:
        if not batch:
            return
        try:
            process = self._ready(batch[0].function)
        except VerifierError as error:
            for job in batch:
                job.future.set_exception(error)
            return
        args = [job.args for job in batch]
        while batch:
            job = batch.popleft()
            try:
                if args:
                    process.give(args)
                    args = []
                frame = process.receive(self._pool.wall_s)
            except WorkerDied as death:
                self._replace(batch)
                self._settle_dead(job, death.reason)
                return
            if frame is None:
                self._replace(batch)
                job.future.set_result(TimedOut(self._pool.wall_s))
                return
            job.future.set_result(Value(frame["value"]) if "value" in frame else Crashed(f"raised {frame['raised']}"))
            process.n_jobs += 1
        if process.n_jobs >= self._pool.jobs_per_process:
            self._discard()

    def _ready(self, function: str) -> WorkerProcess:
        """Return a process that has loaded the function.

        One that was there may have been ended by someone since; a fresh one that dies or refuses is an error.

        Raises:
            VerifierError: no process can be made ready.
        """
        while True:
            fresh = self.process is None
            try:
                process = self.process = self.process or WorkerProcess(self._pool.memory_mb)
                if process.function == function:
                    return process
                process.load(function)
                frame = process.receive(_START_S)
                trouble = "not ready in time" if frame is None else frame.get("unusable")
            except WorkerDied as death:
                trouble = death.reason
            except OSError as error:
                trouble = str(error)
            if trouble is None:
                return process
            self._discard()
            if self._pool.closed:
                raise VerifierError(_CLOSED)
            if fresh:
                raise VerifierError(
                    f"a worker cannot load {function}",
                    got=trouble,
                    remedy=f"check the module, and the memory limit ({self._pool.memory_mb} MB)",
                )

    def _settle_dead(self, job: _Job, reason: str) -> None:
        """A job whose process died runs once more, alone on a fresh process: its predecessors may be to blame."""
        if self._pool.closed:
            abandon(job)
        elif job.retried:
            job.future.set_result(Crashed(reason))
        else:
            job.retried = True
            self._run_batch(deque([job]))

    def _replace(self, rest: deque[_Job]) -> None:
        self._discard()
        self._pool.put_back(rest)
        rest.clear()

    def _discard(self) -> None:
        if self.process is not None:
            self.process.discard()
            self.process = None


def abandon(job: _Job) -> None:
    """Settles a job of a closed pool."""
    if job.start():
        job.future.set_exception(VerifierError(_CLOSED))

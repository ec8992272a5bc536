"""Worker processes for stages that only compute, so that a run uses all cores of its machine.

Shard tasks stay Prefect tasks in threads of the flow's process. There is the client of the teacher, there are the
verifiers, the containers and the ledger, so that all their bounds hold for the run. What a task computes in Python goes
to a worker process: handles go in, rows go through the store, a manifest comes back. (Prefect's own process pool gives
the same bytes at twice the processor time: each subflow starts one anew, whose processes import everything.)

Workers are forked from one process that has imported the stages and loaded the compiled loops. A worker that dies, as
when the machine runs out of memory, takes down the task that it was at and no other: the task is done again by another.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import RunnerError, Section
from tracemill.store import Manifest, Shard, Store

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

TRIES: Final = 3
_PRELOADED: Final = "tasks.preloaded"
_starting: Final = threading.Lock()


class Job(NamedTuple):
    """One task's work.

    Attributes:
        module: of the stage.
        name: of its task there.
        share: of its rows that may be set aside.
    """

    module: str
    name: str
    store_url: str
    section: Section
    inputs: Mapping[str, Shard]
    key: str
    share: float


class WorkerTracebackError(Exception):
    """The traceback of an error in a worker process, as the cause of that error here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _WorkerDied(Exception):  # noqa: N818 - the pool handles it
    """Says how the process ended."""


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self, context: ForkServerContext) -> None:
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True, name="tracemill-compute")
        with _main_module_hidden():
            self._process.start()
        theirs.close()

    def done(self, job: Job) -> Manifest:
        """Do a task's work; raises what the stage raises, or ``_WorkerDied``."""
        try:
            self._connection.send(job)
            outcome, trace = self._connection.recv()
        except (EOFError, ConnectionError, OSError) as error:
            self.close()
            raise _WorkerDied(_ending(self._process.exitcode)) from error
        if isinstance(outcome, BaseException):
            raise outcome from WorkerTracebackError(trace)
        return outcome  # type: ignore[no-any-return]

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join()


class Processes:
    """A pool of worker processes; for any number of threads.

    Args:
        n: processes, started when they are first needed.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_PRELOADED])
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(n):
            self._places.put(None)

    def start(self) -> None:
        """Start the first worker, and so what takes long: the process that all are forked from."""
        with self._place() as place:
            place.worker = place.worker or _Worker(self._context)

    def perform(self, job: Job) -> Manifest:
        """Do a task's work in a process that has nothing else to do.

        Raises:
            RunnerError: every process that tried has died of it.
            Exception: whatever the stage raises.
        """
        with self._place() as place:
            endings = []
            for _ in range(TRIES):
                place.worker = place.worker or _Worker(self._context)
                try:
                    return place.worker.done(job)
                except _WorkerDied as died:
                    place.worker = None
                    endings.append(str(died))
        raise RunnerError(
            f"{TRIES} worker processes, one after the other, died of one task: stage {job.name}",
            got=", ".join(endings),
            remedy="out of memory? fewer at once with run.workers; or run.runner.kind: threads",
        )

    @contextlib.contextmanager
    def _place(self) -> Iterator[_Place]:
        place = _Place(self._places.get())
        try:
            yield place
        finally:
            self._places.put(place.worker)

    def close(self) -> None:
        """End the processes that have nothing to do."""
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._places.get_nowait()
                if worker is not None:
                    worker.close()


class _Place:
    def __init__(self, worker: _Worker | None) -> None:
        self.worker = worker


# The pool of the run that is under way in this context; None: stages compute where they are called.
COMPUTING: Final[ContextVar[Processes | None]] = ContextVar("computing", default=None)


@functools.lru_cache(maxsize=1)
def shared_processes(n: int) -> Processes:
    """Return this process's pool; it ends with the process."""
    pool = Processes(n)
    atexit.register(pool.close)
    return pool


def _serve(connection: Connection) -> None:
    """Do one job after the other until the parent closes the connection, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent says what becomes of it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(job))


def _outcome(job: Job) -> tuple[object, str]:
    from tasks.engine.stage import execute

    try:
        task = getattr(importlib.import_module(job.module), job.name)
        return execute(task, Store(job.store_url), job.section, job.inputs, job.key, job.share), ""
    except Exception as error:  # noqa: BLE001 - a stage may raise anything; the parent raises it
        trace = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - whatever its author's __reduce__ raises
            return RunnerError(f"a stage failed with {type(error).__name__}", got=str(error)), trace
        return error, trace


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Hide how this program was started: multiprocessing would run its main module again in every worker."""
    main: Any = sys.modules["__main__"]
    with _starting:
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        main.__spec__ = None
        if file is not None:
            del main.__file__
        try:
            yield
        finally:
            main.__spec__ = spec
            if file is not None:
                main.__file__ = file

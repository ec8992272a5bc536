"""Who waits for which generation: threads wait for batches, batches share jobs, a job is one generation in the making.

All of it is guarded by one lock, the table's: batches belong to the waiting threads, jobs are worked on by the
event loop's.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from tracemill.core import TracemillError
from tracemill.inference.protocol import Progress, Refusal
from tracemill.ledger import Completion

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from tracemill.inference.protocol import Record, Request


@dataclass(eq=False, slots=True)
class Batch:
    """What one call waits for."""

    results: dict[str, Completion | Refusal] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    error: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> dict[str, Completion | Refusal]:
        """Blocks until every job is done; raises what ended the batch early."""
        self.over.wait()
        if isinstance(self.error, TracemillError):
            raise copy.copy(self.error) from self.error  # several threads may wait for the same failure
        if self.error is not None:
            raise self.error
        return self.results


@dataclass(eq=False, slots=True)
class Job:
    """One generation in the making, for every batch that wants it.

    Attributes:
        n_failures: attempts that failed, for whatever reason.
        n_broken: of those, connections that broke off.
        weight: how much the failures speak against the request itself.
        failed_at: when it first failed so at a server, by URL.
    """

    request: Request
    batches: list[Batch] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    n_failures: int = 0
    n_broken: int = 0
    weight: int = 0
    failed_at: dict[str, float] = field(default_factory=dict)


class RequestTable:
    """Takes batches in and hands results out; makes sure that no key is worked on twice."""

    def __init__(self, ledger: Record) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._counts = dict.fromkeys((one.name for one in fields(Progress) if one.name != "waiting_since"), 0)
        self.n_answered = 0

    def count(self, **changes: int) -> None:
        """Add to the figures of :class:`Progress`."""
        with self._lock:
            self._count(**changes)

    def _count(self, **changes: int) -> None:
        for name, change in changes.items():
            self._counts[name] += change

    def progress(self, waiting_since: float | None = None) -> Progress:
        """Return the figures, all of one moment."""
        with self._lock:
            return Progress(**self._counts, waiting_since=waiting_since)

    def is_idle(self) -> bool:
        """Tell whether nobody waits for anything."""
        return not self._jobs

    def take(self, requests: Iterable[Request]) -> tuple[Batch, list[Job]]:
        """Return a batch of the requests, and the jobs that are new in it."""
        batch, fresh, wanted = Batch(), [], list(requests)
        with self._lock:
            # Looked up again under the lock: another thread may have had it answered since the caller looked. All at
            # once, since the event loop waits for this lock (1,000 keys: 2 ms; one by one 21 ms).
            batch.results |= self._ledger.get_many(one.key for one in wanted if one.key not in self._jobs)
            self._count(n_done=len(batch.results), n_from_ledger=len(batch.results))
            for request in wanted:
                if request.key in batch.results:
                    continue
                job = self._jobs.get(request.key)
                if job is None:
                    job = self._jobs[request.key] = Job(request)
                    fresh.append(job)
                job.batches.append(batch)
                batch.jobs[request.key] = job
        if not batch.jobs:
            batch.over.set()
        return batch, fresh

    def hand_out(self, job: Job, result: Completion | Refusal) -> None:
        """Give ``result`` to every batch that waits for ``job``."""
        key = job.request.key
        with self._lock:
            self._forget(job)
            self.n_answered += int(isinstance(result, Completion))
            self._count(n_done=len(job.batches), n_refused=int(isinstance(result, Refusal)))
            for batch in job.batches:
                batch.results[key] = result
                del batch.jobs[key]
                if not batch.jobs:
                    batch.over.set()
            job.batches.clear()

    def withdraw(self, batch: Batch) -> list[Job]:
        """Take a batch back; the jobs that nobody waits for any more."""
        with self._lock:
            orphans = []
            self._count(n_asked=-len(batch.jobs))
            for job in batch.jobs.values():
                if batch in job.batches:
                    job.batches.remove(batch)
                if not job.batches:
                    self._forget(job)
                    orphans.append(job)
            batch.jobs = {}
            return orphans

    def fail(self, error: BaseException) -> None:
        """End every batch with ``error``; their owners withdraw them."""
        with self._lock:
            for job in self._jobs.values():
                for batch in job.batches:
                    batch.error = error
                    batch.over.set()
            self._jobs = {}

    def _forget(self, job: Job) -> None:
        if self._jobs.get(job.request.key) is job:
            del self._jobs[job.request.key]

"""The engine of batches: gathers requests into batches, and hands out what they answer.

The other half of a client (beside ``inference/engine.py``): requests that threads wait for are gathered, one file is
one batch, its lines are answers like any other: they enter the ledger under the keys of their requests before anybody
hears of them, so a run may go on online, or the other way round.

kill -9 at any moment loses and repeats nothing: what is going to be asked is noted in ``batches/`` beside the ledger
before anything is sent; the next run finds it, adopts a batch that was made without its number having been noted, and
waits for its answers instead of asking again. Lines that have failed or expired are asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from tracemill.core import ServerUnavailableError, TeacherMisconfiguredError, digest, json_text
from tracemill.core.process_identity import is_gone, process_name
from tracemill.inference.batches.files import BatchFiles
from tracemill.inference.batches.notes import Line, Made, json_bytes, lines_of, noted
from tracemill.inference.batches.provider import ENDPOINT, MARK, BatchProvider
from tracemill.inference.credit import out_of_credit, unpaid
from tracemill.inference.dialects import Trouble, read_reply
from tracemill.inference.protocol import Refusal, Request
from tracemill.ledger import Completion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tracemill.inference.batches.place import BatchPlace, Ended
    from tracemill.inference.dialects import Dialect
    from tracemill.inference.protocol import Record
    from tracemill.inference.request_table import Job, RequestTable
    from tracemill.inference.servers import Patience
    from tracemill.inference.spending import Account
    from tracemill.recipe.sections.server import Batch, Teacher

log = logging.getLogger("tracemill.teacher")

FOLDER: Final = "batches"  # beside the ledger's segments
_MOST_BYTES: Final = 190 << 20  # of a file; OpenAI takes 200 MB
_TRIES: Final = 4  # of a line that fails while others are answered


@dataclass
class _Waiting:
    """The requests of one batch that is under way."""

    made: Made
    jobs: dict[str, Job] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)


class BatchEngine:
    """Works jobs off in batches. Every method runs on the event loop; see :class:`engine.Engine`."""

    def __init__(
        self,
        dialect: Dialect,
        settings: Teacher,
        ledger: Record,
        table: RequestTable,
        patience: Patience,
        folder: Path,
        account: Account | None = None,
    ) -> None:
        self._dialect, self._settings, self._ledger, self._table = dialect, settings, ledger, table
        self._how: Batch = settings.batch
        self._folder, self._account = folder, account
        self._place: BatchPlace = (
            BatchFiles(settings, folder_of_files)
            if (folder_of_files := settings.batch.folder)
            else BatchProvider(settings, patience)
        )
        self._queue: deque[Job] = deque()
        self._due = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, _Waiting] = {}  # by key
        self._gatherer: asyncio.Task[None] | None = None
        self._recovered = self._checked = False

    # -- what a teacher calls ------------------------------------------------------------------------------------------

    async def check(self, request: Request | None = None) -> None:  # noqa: ARG002 - a batch is its own trial
        """Refuse a place that would answer no batch, once."""
        if self._checked:
            return
        await self._place.check()
        self._checked = True

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Put jobs in line."""
        self._queue.extend(jobs)
        self._due.set()
        if self._gatherer is None or self._gatherer.done():
            self._gatherer = self._start(self._gather())

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Nothing: what is in a batch is paid for, and is kept when it comes."""

    def away_since(self) -> float | None:
        """Nobody waits in silence: what a batch waits for is logged."""
        return None

    async def close(self) -> None:
        """Stop waiting; batches go on, and the next run finds them."""
        self._table.fail(ServerUnavailableError("the teacher was closed", remedy="run again: batches go on"))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._place.close()

    # -- gathering -----------------------------------------------------------------------------------------------------

    async def _gather(self) -> None:
        while True:
            await self._due.wait()
            if not self._recovered:
                self._recovered = True
                await self._recover()
            n_before = -1
            while n_before < len(self._queue) < self._how.most:  # as long as more comes
                n_before = len(self._queue)
                await asyncio.sleep(self._how.gather_s)
            self._due.clear()
            jobs = [job for job in self._taken() if not self._joins(job)]
            jobs = self._unanswered(jobs)
            for part in self._parts(jobs):
                self._start(self._batch(part))

    def _taken(self) -> list[Job]:
        jobs = [job for job in self._queue if job.batches]
        self._queue.clear()
        return jobs

    def _unanswered(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that no batch has answered while they stood in line, one from before a kill."""
        found = self._ledger.get_many(job.request.key for job in jobs)
        for job in jobs:
            if (answer := found.get(job.request.key)) is not None:
                self._table.hand_out(job, answer)
        return [job for job in jobs if job.request.key not in found]

    def _joins(self, job: Job) -> bool:
        """Tell whether a request is in a batch that is under way already, from before a kill."""
        waiting = self._waiting.get(job.request.key)
        if waiting is not None:
            waiting.jobs[job.request.key] = job
        return waiting is not None

    def _parts(self, jobs: Sequence[Job]) -> Iterator[list[tuple[Job, bytes]]]:
        """Yield as many files as the bounds of one make necessary."""
        part: list[tuple[Job, bytes]] = []
        n_bytes = 0
        for job in jobs:
            body = orjson.loads(self._dialect.body(job.request))
            line = json_bytes({"custom_id": job.request.key, "method": "POST", "url": ENDPOINT, "body": body})
            if part and (len(part) >= self._how.most or n_bytes + len(line) > _MOST_BYTES):
                yield part
                part, n_bytes = [], 0
            part.append((job, line))
            n_bytes += len(line) + 1
        if part:
            yield part

    def _start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the threads that wait must hear of it
            self._table.fail(error)

    # -- one batch -----------------------------------------------------------------------------------------------------

    async def _batch(self, part: list[tuple[Job, bytes]]) -> None:
        part = await self._afforded(part)
        keys = [job.request.key for job, _ in part]
        name = f"{MARK}-{digest(keys, secrets.token_hex(8))[:16]}"
        made = Made(name, self._place.name, self._settings.model, keys, process_name())
        waiting = _Waiting(made, {job.request.key: job for job, _ in part}, set(keys))
        self._waiting |= dict.fromkeys(keys, waiting)
        self._table.count(n_in_flight=len(keys))
        with self._let_go(waiting):
            made.write(self._folder)
            await self._place.submit(made, b"".join(line + b"\n" for _, line in part))
            made.write(self._folder)
            await self._follow(waiting)

    async def _go_on(self, waiting: _Waiting) -> None:
        """Wait for a batch that is under way already."""
        with self._let_go(waiting):
            await self._follow(waiting)

    async def _follow(self, waiting: _Waiting) -> None:
        """Wait for a batch's end, and take its answers down."""
        ended = await self._place.ended(waiting.made)
        for file in ended.files:
            self._take(waiting, lines_of(await self._place.read(file)))
        if ended.is_refused and len(waiting.open) == len(waiting.made.keys):
            self._forget(waiting)
            raise self._refused(waiting.made, ended)
        self._finish(waiting, ended.status)

    @contextlib.contextmanager
    def _let_go(self, waiting: _Waiting) -> Iterator[None]:
        """Where waiting fails, have the batch's note looked at again before anything else is asked."""
        try:
            yield
        finally:
            if waiting.open:
                self._recovered = False
                self._end_requests(waiting)

    def _end_requests(self, waiting: _Waiting) -> None:
        for key in list(waiting.open):
            if self._account is not None:
                self._account.end(None)
            self._close(waiting, key)

    async def _afforded(self, part: list[tuple[Job, bytes]]) -> list[tuple[Job, bytes]]:
        """Return as many of the requests as the budget pays for; the others wait until those have come.

        Raises:
            BudgetReachedError: it pays for none.
        """
        if self._account is None:
            return part
        taken: list[tuple[Job, bytes]] = []
        while not taken:
            while len(taken) < len(part) and self._account.spending.may_ask(self._account) == "go":
                taken.append(part[len(taken)])
                self._account.begin()
            if not taken:
                if self._account.spending.may_ask(self._account) == "stop":
                    await self._until_quiet()
                    raise self._account.spending.spent_error()
                await asyncio.sleep(self._how.gather_s)
        if rest := part[len(taken) :]:
            self._queue.extendleft(job for job, _ in reversed(rest))
            self._due.set()
        return taken

    async def _until_quiet(self) -> None:
        """Wait until no batch is under way: what is asked is paid for, and is kept."""
        while self._waiting:  # noqa: ASYNC110 - batches take minutes to hours, and end in several places
            await asyncio.sleep(self._how.gather_s)

    def _refused(self, made: Made, ended: Ended) -> TeacherMisconfiguredError:
        return TeacherMisconfiguredError(
            f"the {self._settings.role} at {self._place.name} refused a batch of {len(made.keys)} requests",
            got=json_text(ended.errors)[:500] if ended.errors else "no reason",
            expected="a batch that is worked on",
            remedy=f"see to {self._settings.place}: model, extra_body, batch.most (providers bound what is enqueued); "
            "nothing was paid for",
        )

    def _take(self, waiting: _Waiting, lines: Iterable[Line]) -> None:
        """Record the answers of a file."""
        for line in lines:
            if line.key not in waiting.open:
                if line.key not in waiting.made.keys:
                    raise self._foreign(waiting.made, line.key)
                continue
            outcome = self._read(line)
            if isinstance(outcome, Trouble):
                if job := waiting.jobs.get(line.key):
                    job.n_failures += int(line.error != "batch_expired")
                continue
            self._settle(waiting, line.key, outcome)

    def _read(self, line: Line) -> Completion | Refusal | Trouble:
        if not line.status:
            return Trouble(line.error)
        if line.status != 200 and out_of_credit(line.status, {}, line.body):
            raise unpaid(self._place.name, line.status, line.body, self._settings)
        try:
            return read_reply(Request(line.key, [], {}), self._dialect, line.status, {}, line.body)
        except TeacherMisconfiguredError as error:  # one line of many
            return Refusal(line.key, line.status, error.got)

    def _settle(self, waiting: _Waiting, key: str, outcome: Completion | Refusal) -> None:
        answer = outcome if isinstance(outcome, Completion) else None
        if isinstance(outcome, Completion):
            self._ledger.put(outcome)
            self._table.count(
                prompt_tokens=outcome.prompt_tokens or 0, completion_tokens=outcome.completion_tokens or 0
            )
        if self._account is not None:
            self._account.end(answer)
        self._close(waiting, key)
        if (job := waiting.jobs.pop(key, None)) is not None:
            self._table.hand_out(job, outcome)

    def _close(self, waiting: _Waiting, key: str) -> None:
        waiting.open.discard(key)
        self._waiting.pop(key, None)
        self._table.count(n_in_flight=-1)

    def _finish(self, waiting: _Waiting, status: str) -> None:
        """Ask again for what a batch has not answered, and forget the batch."""
        self._ledger.sync()
        left = list(waiting.open)
        self._forget(waiting)
        if left:
            log.warning("batch %s (%s): %d requests without an answer", waiting.made.batch_id, status, len(left))
        again = []
        for key in left:
            job = waiting.jobs.pop(key, None)
            if job is None:
                continue
            if job.n_failures >= _TRIES:
                words = f"given up after {job.n_failures} batches that did not answer it"
                self._table.hand_out(job, Refusal(key, 0, words))
            else:
                again.append(job)
        self._table.count(n_retried=len(again))
        if again:
            self.enqueue(again)

    def _forget(self, waiting: _Waiting) -> None:
        self._end_requests(waiting)
        waiting.made.forget(self._folder)
        self._place.forget(waiting.made)

    # -- after a kill --------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Take over the batches of processes that are gone; none of their requests is asked again."""
        ours = [
            made
            for made in noted(self._folder)
            if made.place == self._place.name and made.model == self._settings.model
            and not self._waiting.keys() & set(made.keys)
            and (is_gone(made.process) or made.process == process_name())
        ]  # fmt: skip
        handed_in = await self._place.found_again(ours)
        for made in ours:
            if made not in handed_in:
                made.forget(self._folder)
                continue
            made.process = process_name()
            made.write(self._folder)
            waiting = _Waiting(made, {}, set(made.keys))
            self._waiting |= dict.fromkeys(made.keys, waiting)
            self._table.count(n_in_flight=len(made.keys))
            if self._account is not None:
                for _ in made.keys:
                    self._account.begin()
            log.warning("going on with batch %s of %d requests", made.batch_id or made.name, len(made.keys))
            self._start(self._go_on(waiting))

    def _foreign(self, made: Made, key: str) -> TeacherMisconfiguredError:
        return TeacherMisconfiguredError(
            f"{self._place.answers_of(made)} holds answers of another run",
            got=f"custom_id {key[:80]}",
            expected=f"those of the {len(made.keys)} requests of {made.name}",
            remedy="put the answers to that very file there (vllm run-batch -i FILE.jsonl -o FILE.out.jsonl)",
        )

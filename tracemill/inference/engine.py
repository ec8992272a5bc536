"""The asynchronous half of the teacher: bounded workers that post requests, on one event loop in one thread."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from tracemill.core import (
    BudgetReachedError,
    ServerUnavailableError,
    TeacherMisconfiguredError,
    TeacherUnpaidError,
)
from tracemill.inference.credit import out_of_credit, unpaid
from tracemill.inference.dialects import Trouble, read_reply
from tracemill.inference.pace import Pace
from tracemill.inference.protocol import Refusal
from tracemill.inference.servers import HealthMonitor
from tracemill.inference.transport import Broken, Failure, HttpTransport
from tracemill.ledger import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracemill.inference.dialects import Dialect
    from tracemill.inference.pace import Slot
    from tracemill.inference.protocol import Record, Request
    from tracemill.inference.request_table import Job, RequestTable
    from tracemill.inference.servers import Patience, Server
    from tracemill.inference.spending import Account
    from tracemill.inference.transport import Reply

log = logging.getLogger("tracemill.teacher")

# So many refusals and not one answer: it is not the rows that are wrong, and none should be dropped for it.
_ALL_REFUSED = 100
# A request that timed out has cost request_timeout_s of a server: it is given up after two such.
_TIMEOUT_WEIGHT = 4
# How long a request waits before it looks again whether the budget pays for it.
_TILL_S = 0.02


class Engine:
    """Works jobs off. Every method runs on the event loop.

    Attributes:
        checked: whether the servers were found to serve the model.
    """

    def __init__(
        self,
        dialect: Dialect,
        ledger: Record,
        table: RequestTable,
        patience: Patience,
        account: Account | None = None,
    ) -> None:
        settings = dialect.server
        self._account, self._till = account, asyncio.Lock()
        self._settings, self._ledger, self._table, self._patience = settings, ledger, table, patience
        self._dialect = dialect
        self._transport = HttpTransport(settings, patience.connect_s)
        self.monitor = HealthMonitor(settings, self._transport, table, patience, self.fail, self._pay_look)
        self._pace = Pace(settings.max_in_flight, settings.first_in_flight)
        self._queue: deque[Job] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._n_attempts = 0
        self._ending: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()  # nothing is under way
        self.checked = self._tried = False

    async def check(self, request: Request | None = None) -> None:
        """See :meth:`HealthMonitor.check`; a good result is remembered until work fails.

        Args:
            request: one of those that are to be asked. Where the recipe adds fields of its own to them, a small one
                in its form is tried first, once: see :meth:`HealthMonitor.try_out`.
        """
        if not self.checked:
            await self.monitor.check()
            self.checked = True
        if request is not None and self._settings.adds_fields and not self._tried:
            await self.monitor.try_out(self._dialect, request)
            self._tried = True

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Put jobs in line and takes on as many workers as there is work for, up to max_in_flight."""
        self._queue.extend(jobs)
        for _ in range(min(len(self._queue), self._settings.max_in_flight - len(self._workers))):
            task = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._leave)

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Stop the work on jobs that nobody waits for."""
        for job in jobs:
            if job.task is not None:
                job.task.cancel()

    def away_since(self) -> float | None:
        """Since when no server answers; None where one does."""
        return self.monitor.pool.away_since()

    def fail(self, error: Exception) -> None:
        """End all work with ``error``; what comes next begins with a new check."""
        self._stop()  # first: whoever hears of the error may ask again at once
        self._table.fail(error)

    async def close(self) -> None:
        """Stop all work, for those who still wait too, and closes the connections."""
        what = f"the {self._settings.role} was closed"
        self._table.fail(ServerUnavailableError(what, remedy="run again: what was had is kept"))
        if self._ending is not None:
            self._ending.cancel()
        await asyncio.gather(*self._stop(), return_exceptions=True)
        await self._transport.close()

    def _end(self, error: Exception) -> None:
        """Ask nothing more, and fails once all that is under way was answered: it is paid for."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._fail_at_last(error))

    async def _fail_at_last(self, error: Exception) -> None:
        self._queue.clear()
        while self._is_busy():
            self._quiet.clear()
            await self._quiet.wait()
        self._ending = None
        self.fail(error)

    def _is_busy(self) -> bool:
        return any(server.starts for server in self.monitor.pool.servers)

    def _stop(self) -> list[asyncio.Task[Any]]:
        self.checked = False
        self._queue.clear()
        workers = [worker for worker in self._workers if worker is not asyncio.current_task()]
        for worker in workers:
            worker.cancel()
        return workers + self.monitor.stop()

    def _leave(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self.enqueue(())

    async def _work(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            if not job.batches:
                continue
            job.task = asyncio.current_task()
            try:
                result = await self._answer(job)
            except (TeacherUnpaidError, BudgetReachedError) as error:
                self._end(error)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the threads that wait must hear of it
                self.fail(error)
                return
            finally:
                job.task = None
            self._table.hand_out(job, result)

    async def _answer(self, job: Job) -> Completion | Refusal:
        """Ask until there is an answer, which is in the ledger before anybody hears of it."""
        body = self._dialect.body(job.request)
        while True:
            slot = await self._pace.turn()
            try:
                server = await self.monitor.server()
                if self._ending is not None:
                    await asyncio.shield(self._ending)
                is_well = await self._is_well(server, job)
                outcome = await self._paid_attempt(slot, server, job, body)
            finally:
                self._pace.done()
            if not isinstance(outcome, Trouble):
                return outcome
            self._table.count(n_retried=1)
            if refusal := self._weigh(job, server, outcome, is_well=is_well):
                return refusal
            if not (outcome.at_once or server.rests):
                await self._pause(server, job, outcome)

    async def _paid_attempt(self, slot: Slot, server: Server, job: Job, body: bytes) -> Completion | Refusal | Trouble:
        """Ask one server once, if the budget pays for it, and take down what came."""
        await self._afford()
        outcome: Completion | Refusal | Trouble | None = None
        try:
            outcome = await self._attempt(slot, server, job, body)
            if isinstance(outcome, Completion):
                self._record(outcome)
        finally:
            self._pay(outcome if isinstance(outcome, Completion) else None)
        return outcome

    async def _afford(self) -> None:
        """Wait until the budget pays for one more request, and reserve it; one worker at a time is at the till.

        Raises:
            BudgetReachedError: it does not, whatever those in flight will have cost.
        """
        account = self._account
        if account is None:
            return
        async with self._till:
            while (may := account.spending.may_ask(account)) == "wait":
                await asyncio.sleep(_TILL_S)
                if self._ending is not None:
                    await asyncio.shield(self._ending)
            if may == "stop":
                raise account.spending.spent_error()
            account.begin()

    def _pay(self, completion: Completion | None) -> None:
        """Take down what a request that has ended has cost, if it was answered."""
        if self._account is None:
            return
        try:
            self._account.end(completion)
        except TeacherMisconfiguredError as error:  # what is in flight is paid for all the same
            self._end(error)

    def _pay_look(self, completion: Completion) -> None:
        """Take down what a request that only tries a server out has cost."""
        if self._account is not None:
            self._account.begin()
            self._pay(completion)

    async def _attempt(self, slot: Slot, server: Server, job: Job, body: bytes) -> Completion | Refusal | Trouble:
        """Ask one server once, and notes how it did."""
        started = time.monotonic()
        self._n_attempts += 1
        number = self._n_attempts
        server.starts[number] = started
        slot = dataclasses.replace(slot, sent_at=started)
        self._table.count(n_in_flight=1)
        try:
            reply = await self._transport.post(self._dialect.url(server.url), body)
        finally:
            del server.starts[number]
            self._table.count(n_in_flight=-1)
            if not self._is_busy():
                self._quiet.set()
        if isinstance(reply, Broken):
            if reply.failure is Failure.TIMEOUT:
                self._pace.timed_out(slot, time.monotonic())
            return self._broken(server, job, reply, started)
        self._hear(slot, reply)
        return await self._replied(server, job, reply)

    def _hear(self, slot: Slot, reply: Reply) -> None:
        """Let what the server says of its limits bound the next requests; the first refusal is told."""
        is_first = self._pace.n_refused == 0
        self._pace.heard(slot, reply.status, reply.headers, time.monotonic())
        if is_first and self._pace.n_refused:
            log.warning(
                "the %s limits how much it is asked (HTTP %d); going on as fast as it grants, %d at once for now",
                self._settings.role, reply.status, int(self._pace.window),
            )  # fmt: skip

    async def _replied(self, server: Server, job: Job, reply: Reply) -> Completion | Refusal | Trouble:
        outcome = await self._read(server, job, reply)
        if isinstance(outcome, Trouble):
            server.failed(time.monotonic(), outcome.message)
        elif isinstance(outcome, Refusal):
            self.monitor.answered(server)
            self._judge_refusal(outcome)
        else:
            self.monitor.completed(server)
        return outcome

    async def _read(self, server: Server, job: Job, reply: Reply) -> Completion | Refusal | Trouble:
        """Return what a reply says; a status that would be a wrong set-up is a refusal where the server answers others.

        Raises:
            TeacherUnpaidError: the account is out of credit, also where a gateway says so with status 200.
            TeacherMisconfiguredError: no request like this is answered.
        """
        self.monitor.require_credit(server, reply)
        try:
            outcome = read_reply(job.request, self._dialect, reply.status, reply.headers, reply.raw)
        except TeacherMisconfiguredError as error:  # or this prompt only: moderation (403), legal reasons (451), …
            if reply.status == 200 or not await self.monitor.look(server, self._dialect, job.request):
                raise
            return Refusal(job.request.key, reply.status, error.got)
        if isinstance(outcome, Trouble) and reply.status == 200 and out_of_credit(200, reply.headers, reply.raw):
            raise unpaid(server.url, reply.status, reply.raw, self._settings)
        return outcome

    def _broken(self, server: Server, job: Job, broken: Broken, started: float) -> Trouble:
        if broken.failure is Failure.TIMEOUT:
            server.timed_out(started, time.monotonic(), broken.message)
            job.failed_at.setdefault(server.url, started)  # what it has answered meanwhile shows that it was well
            return Trouble(broken.message, weight=_TIMEOUT_WEIGHT)
        if broken.failure is Failure.BROKE_OFF:
            job.n_broken += 1
            if job.n_broken == 1:  # a socket that the server closed while it lay idle looks like this: it says nothing
                return Trouble(broken.message, weight=0, at_once=True)
        # The requests that a dying server takes down with it all come here; only the first makes it rest.
        self.monitor.rest(server, broken.message)
        return Trouble(broken.message, weight=int(broken.failure is Failure.BROKE_OFF))

    async def _is_well(self, server: Server, job: Job) -> bool:
        """Tell whether ``server`` has answered something since ``job`` first failed at it; in doubt it is asked.

        Else the request would be blamed for what a server does that is down, or fails at everything.
        """
        failed_at = job.failed_at.get(server.url)
        if failed_at is None:
            return False
        if server.completed_at <= failed_at and job.weight >= self._in_doubt:
            await self._look(server, job)
        return server.completed_at > failed_at

    async def _look(self, server: Server, job: Job) -> bool:
        """Ask something small; where that fails too, only half of the job's failures still speak against it."""
        answers = await self.monitor.look(server, self._dialect, job.request)
        if not answers:
            job.weight = min(job.weight, self._in_doubt)
            self.monitor.consider_giving_up(0.0)
        return answers

    @property
    def _in_doubt(self) -> int:
        return self._patience.n_attempts // 2

    def _weigh(self, job: Job, server: Server, trouble: Trouble, *, is_well: bool) -> Refusal | None:
        """Give a request up that fails again and again at a server that answers others.

        Args:
            job: the request.
            server: at which it has failed once more.
            trouble: how.
            is_well: the server had answered others, after it first failed at this one and before it was asked again.

        Raises:
            ServerUnavailableError: it breaks the connection again and again, and nothing is answered.
        """
        job.n_failures += int(not trouble.at_once)
        job.weight += trouble.weight
        if trouble.weight:
            job.failed_at.setdefault(server.url, time.monotonic())
        if is_well and job.weight >= self._patience.n_attempts:
            message = f"given up after {job.n_failures} failures, while others were answered: {trouble.message}"
            return Refusal(job.request.key, trouble.status, message)
        if not is_well and job.n_broken >= self._patience.n_attempts:
            what = f"the {self._settings.role} breaks down at every request ({self.monitor.pool.urls})"
            raise self.monitor.unavailable(what)
        return None

    async def _pause(self, server: Server, job: Job, trouble: Trouble) -> None:
        """Full jitter, or as long as the server asked for; nobody is given up for what one request may have done."""
        asked_s = min(trouble.wait_s, self._settings.give_up_after_s)
        wait_s = max(asked_s, self._patience.delay_s(job.n_failures))
        if self.monitor.is_due():
            job.failed_at.setdefault(server.url, time.monotonic())
            # Busy, for so long, and with a moment for others: OpenAI says 429 to what is larger than a minute's tokens.
            if await self._look(server, job) and trouble.weight == 0:
                job.weight += self._in_doubt
        self.monitor.consider_giving_up(wait_s)
        await asyncio.sleep(wait_s)

    def _record(self, completion: Completion) -> None:
        self._ledger.put(completion)
        self._pace.took((completion.prompt_tokens or 0) + (completion.completion_tokens or 0))
        self._table.count(
            prompt_tokens=completion.prompt_tokens or 0,
            completion_tokens=completion.completion_tokens or 0,
        )

    def _judge_refusal(self, refusal: Refusal) -> None:
        progress = self._table.progress()
        if progress.n_refused + 1 < _ALL_REFUSED or self._table.n_answered or progress.n_from_ledger:
            return
        if self._settings.refused_share == 1:
            return
        raise TeacherMisconfiguredError(
            f"the {self._settings.role} refused each of the first {_ALL_REFUSED} requests",
            got=refusal.message,
            expected="an answer to some",
            remedy=f"check {self._settings.place}: what it says of sampling, templates and the length of answers",
        )

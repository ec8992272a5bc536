"""Generation in batches: a provider's ``/v1/batches`` (half the price, within a day), or files for ``vllm run-batch``.

The other half of a teacher (beside ``engine.py``): requests that threads wait for are gathered into files, a file is
one batch, its lines are answers like any other: they enter the ledger under the keys of their requests before anybody
hears of them, so a run may go on online, or the other way round.

Covered: kill -9 at any moment loses and repeats nothing. What is going to be asked is written to ``batches/`` beside
the ledger before anything is sent; the next run finds it, adopts a batch that was made without its number having been
noted (by its metadata, among the provider's batches), and waits for its answers instead of asking again. Lines that
have failed or expired are asked again. Not covered: providers that list no batches; there a kill between making a batch
and noting its number asks for it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shlex
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from tracemill.core import (
    ServerUnavailableError,
    TeacherMisconfiguredError,
    digest,
    json_text,
)
from tracemill.core.process_identity import is_gone, process_name
from tracemill.inference.batch_notes import Line, Made, json_bytes, lines_of, noted
from tracemill.inference.credit import out_of_credit, unpaid
from tracemill.inference.dialects import Trouble, judge_models, parsed, read_reply, server_words
from tracemill.inference.protocol import Refusal, Request
from tracemill.inference.transport import Broken, HttpTransport, Reply
from tracemill.ledger import Completion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.inference.batching import Job, RequestTable
    from tracemill.inference.dialects import Dialect
    from tracemill.inference.protocol import Record
    from tracemill.inference.servers import Patience
    from tracemill.inference.spending import Account
    from tracemill.recipe.sections.server import Batch, Teacher

log = logging.getLogger("tracemill.teacher")

FOLDER: Final = "batches"  # beside the ledger's segments
ENDPOINT: Final = "/v1/chat/completions"
_MARK: Final = "tracemill"  # of our batches' metadata
_MOST_BYTES: Final = 190 << 20  # of a file; OpenAI takes 200 MB
_TRIES: Final = 4  # of a line that fails while others are answered
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_ENDS: Final = 100  # batches of a page of the provider's list
_PAGES: Final = 20


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
        self._transport = HttpTransport(settings, patience.connect_s)
        self._patience = patience
        self._queue: deque[Job] = deque()
        self._due = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, _Waiting] = {}  # by key
        self._gatherer: asyncio.Task[None] | None = None
        self._recovered = self._checked = False

    # -- what a teacher calls ------------------------------------------------------------------------------------------

    async def check(self, request: Request | None = None) -> None:  # noqa: ARG002 - a batch is its own trial
        """Ask the provider whether it serves the model; files ask nobody."""
        if self._checked or self._how.folder:
            return
        reply = await self._reached("GET", f"{self._url}/models")
        error = judge_models(self._url, reply.status, reply.raw, self._settings)
        if error is not None:
            raise error
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
        await self._transport.close()

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
        name = f"{_MARK}-{digest(keys, secrets.token_hex(8))[:16]}"
        made = Made(name, self._place, self._settings.model, keys, process_name())
        waiting = _Waiting(made, {job.request.key: job for job, _ in part}, set(keys))
        self._waiting |= dict.fromkeys(keys, waiting)
        self._table.count(n_in_flight=len(keys))
        with self._let_go(waiting):
            made.write(self._folder)
            data = b"".join(line + b"\n" for _, line in part)
            if self._how.folder:
                await self._by_files(waiting, data)
            else:
                await self._create(made, data)
                await self._follow(waiting)

    async def _go_on(self, waiting: _Waiting) -> None:
        """Wait for a batch that is under way already."""
        with self._let_go(waiting):
            if self._how.folder:
                await self._by_files(waiting, None)
            else:
                await self._follow(waiting)

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

    async def _create(self, made: Made, data: bytes) -> None:
        """Upload a file, and have a batch made of it."""
        reply = await self._reached("POST", f"{self._url}/files", *_form(f"{made.name}.jsonl", data))
        file_id = self._field(reply, "id", "the file of a batch was not taken")
        body = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": self._how.window,
            "metadata": {_MARK: made.name},
        }
        reply = await self._reached("POST", f"{self._url}/batches", json_bytes(body))
        made.batch_id = self._field(reply, "id", "no batch was made")
        made.write(self._folder)
        log.warning("batch %s of %d requests is under way at %s", made.batch_id, len(made.keys), self._url)

    async def _follow(self, waiting: _Waiting) -> None:
        """Wait for a batch's end, and take its answers down."""
        made = waiting.made
        while True:
            reply = await self._reached("GET", f"{self._url}/batches/{made.batch_id}")
            if reply.status == 404:
                log.warning(
                    "batch %s is not known at %s any more: its requests are asked again", made.batch_id, self._url
                )
                self._finish(waiting, "the batch is gone")
                return
            found = self._object(reply, "the state of a batch cannot be read")
            if found.get("status") in _ENDED:
                break
            await asyncio.sleep(self._how.poll_s)
        for name in ("output_file_id", "error_file_id"):
            if file_id := found.get(name):
                reply = await self._reached("GET", f"{self._url}/files/{file_id}/content")
                self._require_ok(reply, "the answers of a batch cannot be had")
                self._take(waiting, lines_of(reply.raw))
        self._judge(waiting, found)
        self._finish(waiting, str(found["status"]))

    def _judge(self, waiting: _Waiting, found: Mapping[str, Any]) -> None:
        """Refuse to go on with a provider that refused a whole batch.

        Raises:
            TeacherMisconfiguredError: it takes no such batch.
        """
        if found["status"] != "failed" or len(waiting.open) < len(waiting.made.keys):
            return
        errors = found.get("errors")
        told = errors.get("data") if isinstance(errors, dict) else None
        self._release(waiting)
        raise TeacherMisconfiguredError(
            f"the {self._settings.role} at {self._url} refused a batch of {len(waiting.made.keys)} requests",
            got=json_text(told)[:500] if told else "no reason",
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
            raise unpaid(self._url, line.status, line.body, self._settings)
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
        self._end_requests(waiting)
        waiting.made.forget(self._folder)
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

    def _release(self, waiting: _Waiting) -> None:
        """Forget a batch that was never worked on."""
        self._end_requests(waiting)
        waiting.made.forget(self._folder)

    # -- after a kill --------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Take over the batches of processes that are gone; none of their requests is asked again."""
        ours = [
            made
            for made in noted(self._folder)
            if made.place == self._place and made.model == self._settings.model
            and not self._waiting.keys() & set(made.keys)
            and (is_gone(made.process) or made.process == process_name())
        ]  # fmt: skip
        known = {} if self._how.folder or all(made.batch_id for made in ours) else await self._listed()
        for made in ours:
            if not self._how.folder:
                made.batch_id = made.batch_id or known.get(made.name, "")
                if not made.batch_id:  # it was never made
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

    async def _listed(self) -> dict[str, str]:
        """Return the provider's ids of our batches, by our names."""
        found: dict[str, str] = {}
        after = ""
        for _ in range(_PAGES):
            reply = await self._reached("GET", f"{self._url}/batches?limit={_ENDS}{after}")
            if reply.status != 200:
                log.warning("batches at %s cannot be listed (HTTP %d)", self._url, reply.status)
                return found
            page = self._object(reply, "batches cannot be listed")
            batches = [one for one in page.get("data") or [] if isinstance(one, dict)]
            for one in batches:
                if name := (one.get("metadata") or {}).get(_MARK):
                    found[str(name)] = str(one["id"])
            if not page.get("has_more") or not batches:
                break
            after = f"&after={batches[-1]['id']}"
        return found

    # -- files ---------------------------------------------------------------------------------------------------------

    async def _by_files(self, waiting: _Waiting, data: bytes | None) -> None:
        """Leave a file of requests, and wait for the one of answers, whoever writes it."""
        given, taken = self._files(waiting.made)
        if data is None and not given.exists():  # killed before the file was there
            self._finish(waiting, "never written")
            return
        if data is not None:
            given.parent.mkdir(parents=True, exist_ok=True)
            temporary = given.with_suffix(".tmp")
            temporary.write_bytes(data)
            temporary.replace(given)
        if self._how.command:
            await self._run(given, taken)
        else:
            log.warning("%s waits to be answered: vllm run-batch -i %s -o %s --model …", given.name, given, taken)
        while not _is_whole(taken, len(waiting.made.keys)):  # noqa: ASYNC110 - another program writes it
            await asyncio.sleep(self._how.poll_s)
        self._take(waiting, lines_of(taken.read_bytes()))
        self._finish(waiting, "answered")
        given.unlink(missing_ok=True)

    def _files(self, made: Made) -> tuple[Path, Path]:
        folder = Path(self._how.folder or ".")
        return folder / f"{made.name}.jsonl", folder / f"{made.name}.out.jsonl"

    async def _run(self, given: Path, taken: Path) -> None:
        """Run the recipe's command on a file.

        Raises:
            ServerUnavailableError: it failed.
        """
        names = {"{input}": str(given), "{output}": str(taken), "{model}": self._settings.model}
        words = [names.get(word, word) for word in shlex.split(self._how.command or "")]
        if _is_there(taken):
            return
        try:
            process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
        except OSError as error:
            raise self._failed_command(words, str(error)) from error
        try:
            _, told = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise
        if process.returncode or not _is_there(taken):
            raise self._failed_command(words, told.decode("utf-8", "replace")[-500:])

    def _failed_command(self, words: Sequence[str], told: str) -> ServerUnavailableError:
        place = self._settings.place
        return ServerUnavailableError(
            f"{place}.batch.command has not answered a batch",
            got=told.strip(),
            expected=f"answers from {shlex.join(words)}",
            remedy="run it by hand to see why, and run again: the batch is found, and what was answered is kept",
        )

    def _foreign(self, made: Made, key: str) -> TeacherMisconfiguredError:
        where = self._files(made)[1] if self._how.folder else f"batch {made.batch_id}"
        return TeacherMisconfiguredError(
            f"{where} holds answers of another run",
            got=f"custom_id {key[:80]}",
            expected=f"those of the {len(made.keys)} requests of {made.name}",
            remedy="put the answers to that very file there (vllm run-batch -i FILE.jsonl -o FILE.out.jsonl)",
        )

    # -- the provider --------------------------------------------------------------------------------------------------

    @property
    def _url(self) -> str:
        return self._settings.base_urls[0].rstrip("/")

    @property
    def _place(self) -> str:
        return str(Path(self._how.folder).absolute()) if self._how.folder else self._url

    async def _reached(self, method: str, url: str, body: bytes | None = None, kind: str = "") -> Reply:
        """Return a reply; one that is not to be had is waited for up to give_up_after_s.

        Raises:
            ServerUnavailableError: nothing answers for so long. Batches go on meanwhile.
            TeacherUnpaidError: the account is out of credit.
        """
        began, n_failures = time.monotonic(), 0
        while True:
            reply = await self._transport.send(method, url, body, self._settings.request_timeout_s, kind)
            if isinstance(reply, Reply):
                if reply.status != 200 and out_of_credit(reply.status, reply.headers, reply.raw):
                    raise unpaid(self._url, reply.status, reply.raw, self._settings)
                if reply.status < 500 and reply.status != 429:
                    return reply
            told = reply.message if isinstance(reply, Broken) else f"HTTP {reply.status}: {server_words(reply.raw)}"
            if time.monotonic() - began > self._settings.give_up_after_s:
                raise ServerUnavailableError(
                    f"no {self._settings.role} answers at {self._url}",
                    got=told,
                    remedy="run again when it does: batches go on meanwhile, and their answers are found",
                )
            await asyncio.sleep(self._patience.delay_s(n_failures))
            n_failures += 1

    def _require_ok(self, reply: Reply, what: str) -> None:
        if not 200 <= reply.status < 300:
            raise TeacherMisconfiguredError(
                f"{what} at {self._url}",
                got=f"HTTP {reply.status}: {server_words(reply.raw)}",
                expected="a server of the batch API (/v1/files and /v1/batches)",
                remedy=f"set {self._settings.place}.mode: online for servers without, as vLLM is; or batch.folder",
            )

    def _object(self, reply: Reply, what: str) -> dict[str, Any]:
        self._require_ok(reply, what)
        try:
            found = parsed(reply.raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._require_ok(Reply(0, reply.headers, reply.raw), what)
            return {}
        return found

    def _field(self, reply: Reply, name: str, what: str) -> str:
        found = self._object(reply, what).get(name)
        if not isinstance(found, str) or not found:
            self._require_ok(Reply(0, reply.headers, reply.raw), what)
        return str(found)


def _is_there(path: Path) -> bool:
    return path.exists()


def _is_whole(path: Path, n_lines: int) -> bool:
    """Tell whether a file of answers is there with all its lines; whoever writes it may be at it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return False
    return raw.count(b"\n") + (not raw.endswith(b"\n")) >= n_lines and bool(raw)


def _form(name: str, data: bytes) -> tuple[bytes, str]:
    """Return a form with the purpose and the file, and its content type."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/jsonl\r\n\r\n'
    )
    return b"".join(
        (head.encode(), data, f"\r\n--{boundary}--\r\n".encode())
    ), f"multipart/form-data; boundary={boundary}"

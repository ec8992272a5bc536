"""Which server is asked next, which ones rest, and since when none answers. Times are given, never looked up.

Watches over the servers: asks what they serve, lets dead ones rest until they are back, knows when to give up.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracemill.core import ServerUnavailableError, TeacherMisconfiguredError
from tracemill.inference.credit import out_of_credit, unpaid
from tracemill.inference.dialects import encoded, judge_models, judge_template, read_reply
from tracemill.inference.protocol import CONTINUE, Refusal, Request
from tracemill.inference.transport import Broken
from tracemill.ledger import Completion
from tracemill.recipe.sections.server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracemill.inference.dialects import Dialect
    from tracemill.inference.request_table import RequestTable
    from tracemill.inference.transport import HttpTransport, Reply
    from tracemill.recipe.sections.server import ModelServer


@dataclass(frozen=True, slots=True)
class Patience:
    """How attempts are spaced, in seconds.

    Attributes:
        base_s: upper bound of the first delay; it doubles with every failure in a row.
        cap_s: upper bound of any delay.
        connect_s: how long a server may take to accept a connection or to list its models.
        n_attempts: failures that speak against one request, after which it is given up where others are answered.
        say_every_s: shortest time between two log lines about absent servers.
        probe_s: longest time between two looks at an absent server: a look costs nothing, and one that is back and not
            seen is idle.
    """

    base_s: float = 0.5
    cap_s: float = 30.0
    connect_s: float = 10.0
    n_attempts: int = 8
    say_every_s: float = 5.0
    probe_s: float = 5.0

    def delay_s(self, n_failures: int) -> float:
        """Full jitter: uniform up to the bound, so that clients do not come back in step (Brooker, AWS, 2015)."""
        return random.uniform(0, self.bound_s(n_failures))  # noqa: S311 - spreads load, keeps no secret

    def bound_s(self, n_failures: int) -> float:
        """Return the delay's upper bound after so many failures in a row."""
        return min(self.cap_s, self.base_s * 2.0 ** min(n_failures, 30))


@dataclass(slots=True)
class Server:
    """One base URL.

    Attributes:
        starts: when the requests that it is working on were sent, by their number, oldest first.
        rests: no connection to it can be had; somebody looks after it until one can.
        failing_since: when it began to fail without a single answer since, or None.
        answered_at: when it last answered or refused a request.
        completed_at: when it last answered one.
        look: the small request that is under way to see whether it answers anything.
        trouble: its last failure, for people.
    """

    url: str
    starts: dict[int, float] = field(default_factory=dict)
    rests: bool = False
    failing_since: float | None = None
    answered_at: float = field(default=float("-inf"))
    completed_at: float = field(default=float("-inf"))
    look: asyncio.Task[bool] | None = None
    trouble: str = ""
    turn: int = 0

    def answered(self, now: float) -> None:
        """A request was answered or refused: it is alive."""
        self.answered_at, self.failing_since = now, None

    def completed(self, now: float) -> None:
        """A request was answered: it does what it is there for."""
        self.answered(now)
        self.completed_at = now

    def failed(self, now: float, trouble: str) -> None:
        """A request failed."""
        self.trouble = trouble
        if self.failing_since is None:
            self.failing_since = now

    def timed_out(self, started: float, now: float, trouble: str) -> None:
        """A request ran out of time; if nothing else was answered meanwhile, the server has been failing all along."""
        self.failed(started if self.answered_at < started else now, trouble)

    def away_since(self) -> float | None:
        """Since when it fails, or None if it does not, or still works on what it took on before: that may take long."""
        if self.failing_since is None:
            return None
        works = any(started < self.failing_since for started in self.starts.values())
        return None if works else self.failing_since


class ServerPool:
    """The servers of one teacher."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self.servers = [Server(url.rstrip("/")) for url in urls]
        self._turn = 0

    @property
    def urls(self) -> str:
        """All URLs, for messages."""
        return ", ".join(server.url for server in self.servers)

    @property
    def last_trouble(self) -> str:
        """What the servers failed with last, for messages."""
        return "; ".join(f"{server.url}: {server.trouble}" for server in self.servers if server.trouble)

    def choose(self) -> Server | None:
        """Return the server with the fewest requests in flight, in turn among equals; None when all rest."""
        awake = [server for server in self.servers if not server.rests]
        if not awake:
            return None
        server = min(awake, key=lambda server: (len(server.starts), server.turn))
        self._turn += 1
        server.turn = self._turn
        return server

    def away_since(self) -> float | None:
        """Since when every server is away, or None while at least one is not."""
        times = [server.away_since() for server in self.servers]
        known = [time for time in times if time is not None]
        return max(known) if len(known) == len(times) else None

    def forget(self) -> None:
        """Forget failures of the past, before new work begins."""
        for server in self.servers:
            server.failing_since, server.rests = None, False


log = logging.getLogger("tracemill.teacher")

# Enough for any server to begin, and cheap at any: it is asked once for each request that a server fails at.
_LOOK_TOKENS = 16
# Of a model that reasons first: OpenAI's answer 400 to a limit that their reasoning alone uses up.
_REASONED_TOKENS = 1024


class HealthMonitor:
    """The servers' state; every method runs on the event loop.

    Args:
        on_lost: told when no server has answered for give_up_after_s.
        on_look: told of an answer to a small request of our own: it was paid for, and is kept nowhere.
    """

    def __init__(
        self,
        settings: ModelServer,
        transport: HttpTransport,
        table: RequestTable,
        patience: Patience,
        on_lost: Callable[[Exception], None],
        on_look: Callable[[Completion], None],
    ) -> None:
        self._settings, self._transport, self._table, self._patience = settings, transport, table, patience
        self._on_lost, self._on_look = on_lost, on_look
        self.pool = ServerPool(settings.base_urls)
        self._awake = asyncio.Event()
        self._nurses: set[asyncio.Task[Any]] = set()
        self._said_at = float("-inf")
        self._said = False

    async def check(self) -> None:
        """Ask every server for its models, and whether it can chat; those that do not answer rest, if others do.

        A server that accepts the connection may be starting behind a proxy: it has give_up_after_s to answer.

        Raises:
            ServerUnavailableError: none answers.
            TeacherMisconfiguredError: one answers, but not for this model, or the model has no usable chat template.
        """
        servers = self.pool.servers
        troubles = await asyncio.gather(*(self._probe(server, self._settings.give_up_after_s) for server in servers))
        if all(troubles):
            raise ServerUnavailableError(
                f"nothing answers at {self.pool.urls}",
                got="; ".join(troubles),
                expected=f"an OpenAI-compatible server of {self._settings.model}",
                remedy=f"start vLLM there, or set {self._settings.place}.base_urls; answers had before are kept",
            )
        for server, trouble in zip(servers, troubles, strict=True):
            if trouble:
                log.warning("nothing answers at %s (%s); going on with the other servers", server.url, trouble)
                self.rest(server, trouble)

    async def _probe(self, server: Server, total_s: float | None = None) -> str:
        """Return why ``server`` cannot be asked just now, or ""; raises TeacherMisconfiguredError."""
        trouble = await self._probe_models(server, total_s)
        if not trouble and isinstance(self._settings, ChatServer):
            await self._probe_template(server)
        return trouble

    async def _probe_template(self, server: Server) -> None:
        """Nothing is generated; only vLLM answers, and it answers nothing else this early about templates."""
        body = encoded({"model": self._settings.model, "messages": [{"role": "user", "content": "Hello"}]})
        reply = await self._transport.ask(server.url.removesuffix("/v1") + "/tokenize", body)
        if isinstance(reply, Broken):
            return
        error = judge_template(server.url, reply.status, reply.raw, self._settings)
        if error is not None:
            raise error

    async def _probe_models(self, server: Server, total_s: float | None) -> str:
        reply = await self._transport.get(server.url + "/models", total_s)
        if isinstance(reply, Broken):
            return reply.message
        self.require_credit(server, reply)
        if reply.status == 429 or reply.status >= 500:
            return f"HTTP {reply.status}"
        error = judge_models(server.url, reply.status, reply.raw, self._settings)
        if error is not None:
            raise error
        return ""

    async def server(self) -> Server:
        """Return the server to ask next; waits while all rest."""
        while (server := self.pool.choose()) is None:
            self._awake.clear()
            await self._awake.wait()
        return server

    async def look(self, server: Server, dialect: Dialect, request: Request) -> bool:
        """Whether ``server`` answers a small request in the form of ``request``; whoever asks meanwhile hears the same.

        That it lists its models is no sign: a proxy, or vLLM with a dead engine, still does.
        """
        if server.look is None:
            server.look = asyncio.get_running_loop().create_task(self._look(server, dialect, self._small(request)))
            self._nurses.add(server.look)
            server.look.add_done_callback(self._nurses.discard)
        return await asyncio.shield(server.look)

    async def try_out(self, dialect: Dialect, request: Request) -> None:
        """Ask one small request in the form of ``request``, before any other: does the server know its fields?

        What else may happen to it says nothing of the fields, and shows again when the real requests are asked.

        Raises:
            TeacherMisconfiguredError: the server refuses it.
            TeacherUnpaidError: the account is out of credit.
        """
        server = await self.server()
        asked = small(request, _REASONED_TOKENS)
        reply = await self._transport.post(dialect.url(server.url), dialect.body(asked))
        if isinstance(reply, Broken):
            return
        self.require_credit(server, reply)
        outcome = read_reply(asked, dialect, reply.status, reply.headers, reply.raw)
        if isinstance(outcome, Completion):
            self._on_look(outcome)
        if isinstance(outcome, Refusal):
            place = self._settings.place
            raise TeacherMisconfiguredError(
                f"the {self._settings.role} refuses a small request with this recipe's fields; nothing else was asked",
                got=outcome.message,
                expected="an answer",
                remedy=f"see to {place}.extra_body, {place}.max_tokens_field, {place}.temperature and {place}.top_p "
                "(null: not sent)",
            )

    async def _look(self, server: Server, dialect: Dialect, request: Request) -> bool:
        try:
            reply = await self._transport.post(dialect.url(server.url), dialect.body(request))
        finally:
            server.look = None
        if isinstance(reply, Broken):
            return False
        self.require_credit(server, reply)
        outcome = read_reply(request, dialect, reply.status, reply.headers, reply.raw)
        if isinstance(outcome, Completion):
            self._on_look(outcome)
            self.completed(server)
        return isinstance(outcome, Completion)

    def require_credit(self, server: Server, reply: Reply) -> None:
        """Raise TeacherUnpaidError where a reply other than 200 says that the account is out of credit."""
        if reply.status != 200 and out_of_credit(reply.status, reply.headers, reply.raw):
            raise unpaid(server.url, reply.status, reply.raw, self._settings)

    def rest(self, server: Server, trouble: str) -> None:
        """Take ``server`` out of turn until it lists its models again."""
        server.failed(time.monotonic(), trouble)
        if server.rests:
            return
        server.rests = True
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(self._probe_until_it_answers(server))
        self._nurses.add(task)
        task.add_done_callback(self._nurses.discard)

    async def _probe_until_it_answers(self, server: Server) -> None:
        """Probes with cheap requests, so that no generation is spent on finding out."""
        n_probes = 0
        trouble = server.trouble
        while trouble and not self._table.is_idle():
            longest_s = min(self._patience.probe_s, self._settings.give_up_after_s)
            wait_s = min(self._patience.delay_s(n_probes), longest_s)
            try:
                self.consider_giving_up(wait_s)
                await asyncio.sleep(wait_s)
                trouble = await self._probe(server)
            except Exception as error:  # noqa: BLE001 - whatever it is, the threads that wait must hear of it
                self._on_lost(error)
                return
            n_probes += 1
            if trouble:  # again: a request that the server was still working on may have cleared its record
                server.failed(time.monotonic(), trouble)
        # The clock starts anew: a generation may take longer than give_up_after_s.
        server.rests, server.failing_since = False, None
        self._awake.set()

    def is_due(self) -> bool:
        """Tell whether it is time to give up: nobody has answered for give_up_after_s."""
        since = self.pool.away_since()
        return since is not None and time.monotonic() - since >= self._settings.give_up_after_s

    def consider_giving_up(self, wait_s: float) -> None:
        """Says that nobody answers, if so, and that ``wait_s`` seconds from now it is tried again.

        Raises:
            ServerUnavailableError: nobody has answered for give_up_after_s.
        """
        since = self.pool.away_since()
        if since is None:
            return
        now = time.monotonic()
        if self.is_due():
            raise self.unavailable(f"no {self._settings.role} has answered for {now - since:.0f} s at {self.pool.urls}")
        if now - max(since, self._said_at) >= self._patience.say_every_s:
            self._said_at, self._said = now, True
            log.warning(
                "no %s answers at %s since %.0f s; trying again in %.0f s; %s (%s)",
                self._settings.role, self.pool.urls, now - since, wait_s, self._kept(), self.pool.last_trouble,
            )  # fmt: skip

    def answered(self, server: Server) -> None:
        """A request was answered or refused."""
        server.answered(time.monotonic())
        if self._said:
            self._said = False
            log.warning("the %s at %s answers again; %s", self._settings.role, server.url, self._kept())

    def completed(self, server: Server) -> None:
        """A request was answered."""
        self.answered(server)
        server.completed(time.monotonic())

    def unavailable(self, what: str) -> ServerUnavailableError:
        """Return the error that ends the wait."""
        return ServerUnavailableError(
            what,
            got=self.pool.last_trouble,
            expected=f"an answer within give_up_after_s = {self._settings.give_up_after_s:g} s",
            remedy=f"see to the servers and run again: {self._kept()} and will not be asked again",
        )

    def stop(self) -> list[asyncio.Task[Any]]:
        """End all probing and forgets what failed; the tasks that are ending."""
        nurses = [nurse for nurse in self._nurses if nurse is not asyncio.current_task()]
        for nurse in nurses:
            nurse.cancel()
        self.pool.forget()
        self._awake.set()
        return nurses

    def _small(self, request: Request) -> Request:
        reasons = isinstance(self._settings, ChatServer) and self._settings.max_tokens_field != "max_tokens"
        return small(request, _REASONED_TOKENS if reasons else _LOOK_TOKENS)

    def _kept(self) -> str:
        progress = self._table.progress()
        return f"{progress.n_done} of {progress.n_asked} done are kept"


def small(request: Request, max_tokens: int = _LOOK_TOKENS) -> Request:
    """Another request in the form of one, which a server that is well answers at once."""
    sampling = {name: value for name, value in request.sampling.items() if name not in CONTINUE}
    if "max_tokens" in sampling:
        sampling["max_tokens"] = min(sampling["max_tokens"], max_tokens)
    return Request(request.key, [{"role": "user", "content": "Say hello."}], sampling)

"""Which server is asked next, which ones rest, and since when none answers. Times are given, never looked up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


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
        """The delay's upper bound after so many failures in a row."""
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
        """The server with the fewest requests in flight, in turn among equals; None when all rest."""
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
        """Forgets failures of the past, before new work begins."""
        for server in self.servers:
            server.failing_since, server.rests = None, False

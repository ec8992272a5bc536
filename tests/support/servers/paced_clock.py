"""A client's pace against a server's limits in reckoned time: what a machine's load does to neither.

Each request takes a latency of its own; between the moment in which it is sent and that in which the server lets it in
lies a lag, as on a busy machine. The server grants a bucket, windows, or requests at once.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from tracemill.inference.pace import Pace, Slot

Manner = Literal["told bucket", "windows", "at once", "untold bucket"]
BURST = 10
_EPOCH = 1.7e9  # of the server's clock, where ours is 0


class Outcome(NamedTuple):
    """Answers a second : granted; requests refused : sent."""

    granted: float
    refused: float


class ReckonedServer:
    """What it lets in, by time."""

    def __init__(self, manner: Manner, rate: float, at_once: int) -> None:
        self.manner, self.rate, self.at_once = manner, rate, at_once
        self.level, self.seen_at, self.n_busy = float(BURST), 0.0, 0
        self.window, self.n_in_window = -1, 0

    def let_in(self, now: float) -> tuple[bool, dict[str, str]]:
        """Whether a request is let in, and what the reply says of limits."""
        if self.manner == "at once":
            is_in = self.n_busy < self.at_once
            self.n_busy += is_in
            return is_in, {}
        if self.manner == "windows":
            if int(now) != self.window:
                self.window, self.n_in_window = int(now), 0
            self.n_in_window += 1
            told = {"Limit": f"{self.rate:g}", "Remaining": "0", "Reset": str(int(1000 * (_EPOCH + int(now) + 1)))}
            is_in = self.n_in_window <= self.rate
            return is_in, {} if is_in else {f"X-RateLimit-{name}": value for name, value in told.items()}
        self.level = min(BURST, self.level + self.rate * (now - self.seen_at))
        self.seen_at = now
        is_in = self.level >= 1
        self.level -= is_in
        if self.manner == "untold bucket":
            return is_in, {}
        full_in_ms = int(1000 * (BURST - self.level) / self.rate)
        told = {"limit": str(BURST), "remaining": str(int(self.level)), "reset": f"{full_in_ms}ms"}
        return is_in, {f"x-ratelimit-{name}-requests": value for name, value in told.items()}


def reckon(
    pace: Pace, manner: Manner, *, rate: float, latency_s: float, lag_s: float, n: int, seed: int = 1
) -> Outcome:
    """Ask so much; refused requests are asked again."""
    chance = random.Random(seed)  # noqa: S311 - spreads times, keeps no secret
    server = ReckonedServer(manner, rate, round(rate * latency_s))
    events: list[tuple[float, int, str, Any]] = []
    order = itertools.count()
    pace.wall = lambda: _EPOCH + now
    now, n_left, n_done, n_refused, look_at = 0.0, n, 0, 0, math.inf

    def later(at: float, kind: str, what: Any) -> None:
        heapq.heappush(events, (at, next(order), kind, what))

    while n_done < n:
        while n_left and (wait_s := pace.wait_s(now)) <= 0:
            slot: Slot = pace._send(now)
            n_left -= 1
            later(now + chance.uniform(0, lag_s), "arrives", slot)
        if n_left and wait_s < 1e6 and now + wait_s < look_at:
            look_at = now + max(wait_s, 1e-4)
            later(look_at, "look", None)
        now, _, kind, what = heapq.heappop(events)
        if kind == "look" and now == look_at:  # else an earlier look has taken its place
            look_at = math.inf
        elif kind == "arrives":
            is_in, headers = server.let_in(now)
            took = latency_s * chance.uniform(0.8, 1.2) if is_in else 0.001
            later(now + took + chance.uniform(0, lag_s), "heard", (what, is_in, headers))
        elif kind == "heard":
            slot, is_in, headers = what
            server.n_busy -= is_in and manner == "at once"
            pace.heard(slot, 200 if is_in else 429, headers, now)
            pace.done()
            n_done += is_in
            n_refused += not is_in
            n_left += not is_in
    return Outcome(n / (rate * now), n_refused / (n + n_refused))

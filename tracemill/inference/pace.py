"""How many requests a server is sent at once, and how fast: as many as it grants, found by asking.

Three things bound the next request, for all threads of the process and all servers of one model together:

- a window of requests under way. It grows by one for each round of answers (and for each answer before the first
  refusal, where the server is one that limits), is cut by a factor at a refusal (429, 503) and at a time-out, and near
  the size that was refused it tries one more only every few hundred answers (as CUBIC does, RFC 9438);
- what the server says of its limits: ``x-ratelimit-…`` with a remainder that refills all the time (OpenAI and those
  that follow it), or ``X-RateLimit-…`` with a window that begins anew at a time (OpenRouter);
- ``Retry-After`` (or ``retry-after-ms``) of a refusal, which holds everybody.

Other processes that ask the same account, as those of a cluster, meet the same refusals and cut their own windows: they
share the limit as TCP connections share a line. Times are given in seconds of ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracemill.inference.dialects import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED: Final = frozenset({429, 503})
_CUT: Final = 0.7  # of the window, after a refusal; CUBIC's factor
_CUT_TOLD: Final = 0.9  # where the server names its limits
_TIMED_OUT: Final = 0.5  # of the window, after a time-out: what is lost is a whole generation
_PROBE_AFTER: Final = 300  # answers, before one more than what was refused is tried: 0.3 % of requests
_SPARE: Final = 1.0  # requests that are left in a bucket: when it was looked into is not known exactly
_SAME_S: Final = 0.05  # two ends of windows that are told so near to each other are one
_SPREAD: Final = 0.5  # of the time between two requests at a steady rate; so a round is no burst
_LONGEST_S: Final = 1.0  # between two looks
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_S, _EPOCH_MS = 1e9, 1e11  # numbers above are times since 1970, in seconds or milliseconds
_NAMES: Final = ("requests", "tokens")


@dataclass(frozen=True, slots=True)
class Slot:
    """One request under way: when it was sent, and how many had been by then."""

    sent_at: float
    number: int


@dataclass(slots=True)
class Allowance:
    """What is left of one limit, by what the server said last.

    Attributes:
        limit: that the server names.
        level: units left when the request ``number`` was sent at ``seen_at``.
        rate: units a second that come back; 0 where a window begins anew instead.
        renewed_at: when the window begins anew.
        period: of windows, once two of their ends are known.
        told_at: the latest end of a window that was told; others are reckoned.
        checked: requests that had been sent when the end of a window was last asked for.
    """

    limit: float = math.inf
    level: float = math.inf
    seen_at: float = 0.0
    number: int = 0
    rate: float = 0.0
    renewed_at: float = math.inf
    period: float = math.inf
    told_at: float = -math.inf
    checked: int = -(10**9)

    def left(self, now: float, n_sent: int, unit: float) -> float:
        """Return what is left for the next request, in requests of so many units each."""
        self._renew(now, n_sent)
        now_left = self.level + self.rate * (now - self.seen_at) - (n_sent - self.number) * unit
        return min(self.limit, now_left) / unit

    def wait_s(self, now: float, n_sent: int, unit: float) -> float:
        """Return how long to wait until there is one."""
        needed = 1 + min(_SPARE, self.limit / 10 / unit) if self.rate > 0 else 1.0
        missing = needed - self.left(now, n_sent, unit)
        if missing <= 0:
            return 0.0
        if self.rate > 0:
            return missing * unit / self.rate
        return max(0.0, self.renewed_at - now) if self.renewed_at < math.inf else 0.0

    def refilling(self, limit: float, remaining: float, full_in_s: float, slot: Slot) -> None:
        """Take down a limit that refills all the time; a refusal or an answer to an older request says nothing new."""
        if slot.number < self.number:
            return
        used = limit - remaining
        if full_in_s > 0 and used > 0:
            # What remains is told in whole requests, so that half of one is gone on average.
            measured = max(used - 0.5, 0.5 * used) / full_in_s
            trust = used / limit
            self.rate = measured if self.rate == 0 else (1 - trust) * self.rate + trust * measured
        self.limit, self.level, self.seen_at, self.number = limit, remaining, slot.sent_at, slot.number

    def renewing(self, limit: float, renewed_at: float, n_sent: int) -> None:
        """Take down a limit of windows, of which this one is used up."""
        if renewed_at > self.told_at + _SAME_S > -math.inf:
            self.period = min(self.period, renewed_at - self.told_at)
        self.limit, self.level, self.number, self.rate = limit, 0.0, n_sent, 0.0
        self.renewed_at = self.told_at = renewed_at

    def _renew(self, now: float, n_sent: int) -> None:
        if self.rate > 0 or self.renewed_at == math.inf:
            return
        if now < self.renewed_at:
            # The windows between two refusals may have been several: ask for the end of this one now and then.
            used_up = self.period < math.inf and self.level - (n_sent - self.number) < 1
            if used_up and n_sent - self.checked >= _PROBE_AFTER:
                self.level, self.number, self.checked = math.inf, n_sent, n_sent
            return
        if self.period == math.inf:  # how long the new window is is not known yet: ask, and be refused once more
            self.level, self.number = math.inf, n_sent
            return
        self.renewed_at += self.period * math.floor((now - self.renewed_at) / self.period + 1)
        self.level, self.number = self.limit - 1, n_sent  # one less: clocks differ


@dataclass
class Pace:
    """The bound of one model's requests; every method runs on the event loop.

    Attributes:
        most: requests under way, whatever the server grants.
        start: to begin with; below ``most`` for a server that is likely to limit.
        window: requests under way just now.
        n_in_flight: those that are.
        n_refused: refusals for limits so far.
    """

    most: int
    start: int
    window: float = 0.0
    n_in_flight: int = 0
    n_refused: int = 0
    _is_slow_start: bool = False
    _ceiling: float = math.inf  # what was well
    _peak: int = 0  # under way at once, since the last cut
    _n_since_probe: int = 0
    _n_since_cut: int = 0
    _cut_at: float = -math.inf
    _held_until: float = -math.inf
    _n_sent: int = 0
    _full_at: int = -1  # the request with which the window was last full
    _next_at: float = -math.inf
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    _tokens: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    _allowances: dict[str, Allowance] = field(default_factory=dict)
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.start = min(self.start, self.most)
        self.window = float(self.start)
        self._is_slow_start = self.start < self.most

    @property
    def is_bounded(self) -> bool:
        """Whether anything but ``most`` has ever bounded it."""
        return self.window < self.most or bool(self._allowances) or self.n_refused > 0

    async def turn(self) -> Slot:
        """Wait for the turn of one more request, in the order of calls; its slot is to be given back by ``done``."""
        if self.is_bounded:
            async with self._line:
                while (wait_s := self.wait_s(time.monotonic())) > 0:
                    self._changed.clear()
                    try:
                        await asyncio.wait_for(self._changed.wait(), min(wait_s, _LONGEST_S))
                    except TimeoutError:
                        continue
                return self._send(time.monotonic())
        return self._send(time.monotonic())

    def wait_s(self, now: float) -> float:
        """Return how long the next request has to wait; as long as one is answered: infinity."""
        if self.n_in_flight >= max(1, int(self.window)):
            return math.inf
        waits = [self._held_until - now, self._next_at - now]
        units = {"requests": 1.0, "tokens": self._mean(self._tokens) or 1.0}
        waits += [one.wait_s(now, self._n_sent, units[name]) for name, one in self._allowances.items()]
        return max(0.0, *waits)

    def _send(self, now: float) -> Slot:
        self.n_in_flight += 1
        slot = Slot(now, self._n_sent)
        self._n_sent += 1
        self._peak = max(self._peak, self.n_in_flight)
        if self.n_in_flight >= int(self.window):
            self._full_at = slot.number
        if self.is_bounded and (latency := self._mean(self._latencies)):
            self._next_at = max(now, self._next_at) + _SPREAD * latency / self.window
            self._next_at = min(self._next_at, now + _SPREAD * latency)
        return slot

    def done(self) -> None:
        """A request has ended, however."""
        self.n_in_flight -= 1
        self._changed.set()

    def heard(self, slot: Slot, status: int, headers: Mapping[str, str], now: float) -> None:
        """A reply has come."""
        is_told = self._take_limits(slot, status, headers, now)
        if status in REFUSED:
            self._refused(slot, headers, now, is_told=is_told)
        if status == 200:
            self._answered(slot, now)

    def took(self, n_tokens: int) -> None:
        """An answer, with its prompt, had so many tokens."""
        self._tokens.append(n_tokens)

    def timed_out(self, slot: Slot, now: float) -> None:
        """No reply has come in time."""
        self._cut(slot, _TIMED_OUT, now)

    def _answered(self, slot: Slot, now: float) -> None:
        self._latencies.append(now - slot.sent_at)
        self._n_since_probe += 1
        self._n_since_cut += 1
        if self.window >= self.most or slot.number > self._full_at:
            return  # the window is not what bounds it
        if self._is_slow_start:
            self._grow(1.0)
        elif self.window < self._ceiling:
            self._grow(min(1.0 / self.window, self._ceiling - self.window))
        elif self._n_since_probe >= _PROBE_AFTER:
            self._n_since_probe, self._ceiling = 0, self.window  # it was well for so long
            self._grow(1.0)

    def _grow(self, more: float) -> None:
        self.window = min(self.most, self.window + more)
        self._changed.set()

    def _refused(self, slot: Slot, headers: Mapping[str, str], now: float, *, is_told: bool) -> None:
        self.n_refused += 1
        hold_s = _asked_s(headers)
        self._held_until = max(self._held_until, now + hold_s)
        if is_told:  # it is a rate, which is known now, and says little of how many may be under way
            if slot.sent_at >= self._cut_at:
                self.window, self._cut_at = max(1.0, self.window * _CUT_TOLD), now
            return
        # Where it was well for long, what was refused is the one more that was tried.
        is_probe = self._n_since_cut >= _PROBE_AFTER and not self._is_slow_start
        self._cut(slot, max(_CUT, 1 - 1 / self.window) if is_probe else _CUT, now)

    def _cut(self, slot: Slot, factor: float, now: float) -> None:
        if slot.sent_at < self._cut_at:
            return  # of the round that was cut already
        self._ceiling = max(1.0, min(int(self.window), self._peak) - 1.0)  # those that were let in
        self.window, self._peak = max(1.0, (self._ceiling + 1) * factor), 0
        self._is_slow_start = False
        self._cut_at, self._n_since_cut, self._n_since_probe = now, 0, 0

    def _take_limits(self, slot: Slot, status: int, headers: Mapping[str, str], now: float) -> bool:
        """Take down what a server says of its limits; says whether it names one that is used up."""
        is_used_up = False
        for name in _NAMES:
            limit = _number(headers.get(f"x-ratelimit-limit-{name}"))
            remaining = _number(headers.get(f"x-ratelimit-remaining-{name}"))
            reset_s = _duration(headers.get(f"x-ratelimit-reset-{name}"), time.time())
            if limit and remaining is not None and reset_s is not None:
                self._allowances.setdefault(name, Allowance()).refilling(limit, remaining, reset_s, slot)
                is_used_up |= remaining < 1
        limit = _number(headers.get("X-RateLimit-Limit"))
        reset_s = _duration(headers.get("X-RateLimit-Reset"), time.time())
        if status in REFUSED and limit and reset_s is not None and _number(headers.get("X-RateLimit-Remaining")) == 0:
            self._allowances.setdefault("requests", Allowance()).renewing(limit, now + reset_s, self._n_sent)
            is_used_up = True
        return is_used_up

    @staticmethod
    def _mean(values: deque[float] | deque[int]) -> float:
        return sum(values) / len(values) if values else 0.0


def _asked_s(headers: Mapping[str, str]) -> float:
    """Return how long a refusal asks everybody to wait; milliseconds are the more exact."""
    exact = _number(headers.get("retry-after-ms"))
    return exact / 1000 if exact is not None else retry_after(headers.get("Retry-After"), time.time())


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text is not None else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found < math.inf else None


def _duration(text: str | None, now: float) -> float | None:
    """Return seconds: of "6m0s" or "20ms", of a number of seconds, or until a time since 1970 in seconds or ms."""
    number = _number(text)
    if number is not None:
        if number >= _EPOCH_S:
            number = (number / 1000 if number >= _EPOCH_MS else number) - now
        return max(0.0, number)
    parts = _DURATION.findall(text or "")
    if not parts or "".join(value + unit for value, unit in parts) != text:
        return None
    return sum(float(value) * _UNITS[unit] for value, unit in parts)

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
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.inference.dialects import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REFUSED: Final = frozenset({429, 503})
_CUT: Final = 0.7  # of the window, after a refusal; CUBIC's factor
_CUT_TOLD: Final = 0.9  # where the server names its limits
_TIMED_OUT: Final = 0.5  # of the window, after a time-out: what is lost is a whole generation
_SLOW_START: Final = 0.5  # for each answer before the first refusal: half as many more a round
_PROBE_AFTER: Final = 300  # answers, before one more than what was refused is tried: 0.3 % of requests
_TRUST: Final = 0.1  # in a reckoning that says that there is more left than the ones before
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


class Told(NamedTuple):
    """A limit that refills: its size, what remains, and in how many seconds it is full again."""

    limit: float
    remaining: float
    full_in_s: float


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
        checked: requests that had been sent when the end of a window was last asked for, by one too many.
        check: the number of that request, while it is under way.
        is_opened: a window has begun whose end is not known.
    """

    limit: float = math.inf
    level: float = math.inf
    seen_at: float = 0.0
    number: int = 0
    rate: float = 0.0
    renewed_at: float = math.inf
    period: float = math.inf
    told_at: float = -math.inf
    checked: int = -_PROBE_AFTER
    check: int | None = None
    is_opened: bool = False

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
        if self.renewed_at == math.inf or self.may_check(n_sent):
            return 0.0
        return max(0.0, self.renewed_at - now) or _LONGEST_S

    def refilling(self, told: Told, slot: Slot, now: float, n_sent: int, unit: float) -> None:
        """Take down a limit that refills all the time.

        When the server looked is not known: after the request was sent. So what is reckoned from then is at least what
        is left, and the least of several such reckonings the best.
        """
        limit, remaining, full_in_s = told
        used = limit - remaining
        if full_in_s > 0 and used > 0:
            # What remains is told in whole requests, so that half of one is gone on average.
            measured = max(used - 0.5, 0.5 * used) / full_in_s
            trust = used / limit
            self.rate = measured if self.rate == 0 else (1 - trust) * self.rate + trust * measured
        reckoned = remaining + self.rate * (now - slot.sent_at) - (n_sent - slot.number) * unit
        before = self.left(now, n_sent, unit) * unit
        level = reckoned if reckoned < before or before == math.inf else before + _TRUST * (reckoned - before)
        self.limit, self.level, self.seen_at, self.number = limit, min(limit, level), now, n_sent

    def renewing(self, limit: float, renewed_at: float, n_sent: int) -> None:
        """Take down a limit of windows, of which this one is used up."""
        if renewed_at > self.told_at + _SAME_S > -math.inf:
            self.period = min(self.period, renewed_at - self.told_at)
        self.limit, self.level, self.number, self.rate = limit, 0.0, n_sent, 0.0
        self.renewed_at = self.told_at = renewed_at
        self.is_opened, self.checked = False, n_sent

    def _renew(self, now: float, n_sent: int) -> None:
        """Begin a new window where its time has come; how long it is may not be known yet, as before two were told."""
        if self.rate > 0 or now < self.renewed_at or self.is_opened:
            return
        if self.period < math.inf:
            self.renewed_at += self.period * math.floor((now - self.renewed_at) / self.period + 1)
        self.is_opened = self.period == math.inf
        self.level, self.number = self.limit - 1, n_sent  # one less: clocks differ

    def may_check(self, n_sent: int) -> bool:
        """Tell whether to send one request too many, which tells when the window ends, and note that it is sent next.

        It is not known while the length of windows is not; and what was taken for one window may have been several, so
        that it is asked now and then later too.
        """
        if self.check is not None and self.check != n_sent:
            return False  # one is under way
        due = self.is_opened or n_sent - self.checked >= _PROBE_AFTER
        if due:
            self.check = self.checked = n_sent
        return due

    def heard(self, slot: Slot, *, let_in: bool) -> None:
        """Take down what became of the request too many: let in, the window had been renewed, and the next one asks."""
        if slot.number == self.check:
            self.check = None
            if let_in:
                self.checked = -_PROBE_AFTER


@dataclass
class Pace:
    """The bound of one model's requests; every method runs on the event loop.

    Attributes:
        most: requests under way, whatever the server grants.
        start: to begin with; below ``most`` for a server that is likely to limit.
        wall: seconds since 1970, by which servers name times.
        window: requests under way just now.
        n_in_flight: those that are.
        n_refused: refusals for limits so far.
    """

    most: int
    start: int
    wall: Callable[[], float] = time.time
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
        waits += [one.wait_s(now, self._n_sent, self._unit(name)) for name, one in self._allowances.items()]
        return max(0.0, *waits)

    def _unit(self, name: str) -> float:
        """Of what is limited, what one request takes."""
        return (self._mean(self._tokens) or 1.0) if name == "tokens" else 1.0

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
        for allowance in self._allowances.values():
            allowance.heard(slot, let_in=status not in REFUSED)
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
            self._grow(_SLOW_START)
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
        hold_s = _asked_s(headers, self.wall())
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
            reset_s = _duration(headers.get(f"x-ratelimit-reset-{name}"), self.wall())
            if limit and remaining is not None and reset_s is not None:
                self._allowances.setdefault(name, Allowance()).refilling(
                    Told(limit, remaining, reset_s), slot, now, self._n_sent, self._unit(name)
                )
                is_used_up |= remaining < 1
        limit = _number(headers.get("X-RateLimit-Limit"))
        reset_s = _duration(headers.get("X-RateLimit-Reset"), self.wall())
        if status in REFUSED and limit and reset_s is not None and _number(headers.get("X-RateLimit-Remaining")) == 0:
            self._allowances.setdefault("requests", Allowance()).renewing(limit, now + reset_s, self._n_sent)
            is_used_up = True
        return is_used_up

    @staticmethod
    def _mean(values: deque[float] | deque[int]) -> float:
        return sum(values) / len(values) if values else 0.0


def _asked_s(headers: Mapping[str, str], now: float) -> float:
    """Return how long a refusal asks everybody to wait; milliseconds are the more exact."""
    exact = _number(headers.get("retry-after-ms"))
    return exact / 1000 if exact is not None else retry_after(headers.get("Retry-After"), now)


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

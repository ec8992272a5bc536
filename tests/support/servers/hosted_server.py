"""A chat server on loopback that speaks as hosted ones do: their fields, headers, limits and errors.

As their public pages say (2026): OpenAI's ``x-ratelimit-…`` headers and ``insufficient_quota``; DeepSeek's
``prompt_cache_hit_tokens``, its 402 and a 429 that names no time; OpenRouter's ``provider``, ``usage.cost`` and
``X-RateLimit-…`` on a refusal alone. What they charge is ``price``, so that tests know what was spent.

``python -m tests.support.servers.hosted_server --port P --kind openai`` with ``--per-s``, ``--burst``, ``--at-once``,
``--latency-ms``; ``GET /count`` adds ``refused`` and ``spent``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from tests.support.servers.chat_server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["openai", "deepseek", "openrouter"]
_MILLION = 1e6
_WINDOW_S = 1.0  # OpenRouter's fixed window here; theirs is longer


@dataclass
class Limits:
    """What a server grants.

    Attributes:
        per_s: requests a second, refilled all the time (OpenAI's minute is such a bucket), or by windows (OpenRouter).
        burst: that the bucket holds.
        at_once: requests at one time.
    """

    per_s: float | None = None
    burst: int = 10
    at_once: int | None = None
    level: float = field(default=0.0, init=False)
    seen_at: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self.level = float(self.burst)

    def refill(self, *, by_windows: bool) -> None:
        now = time.monotonic()
        if self.per_s is None:
            return
        if by_windows:
            if int(now / _WINDOW_S) != int(self.seen_at / _WINDOW_S):
                self.level = self.per_s * _WINDOW_S
        else:
            self.level = min(float(self.burst), self.level + (now - self.seen_at) * self.per_s)
        self.seen_at = now


class HostedServer(ChatServer):
    """The server in a thread, as :class:`ChatServer`.

    Attributes:
        kind: whose manners it has.
        limits: what it grants.
        balance: money of the account; below what was spent nothing is answered. None: no end.
        price: (input, cached input, output) of a million tokens.
        cached: of each prompt's tokens.
        spent: what its answers have cost.
        n_refused: for limits.
        busy_s: seconds of answering, over all requests.
        tells: whether OpenAI's headers are sent.
    """

    def __init__(
        self,
        kind: Kind = "openai",
        *,
        limits: Limits | None = None,
        balance: float | None = None,
        price: tuple[float, float, float] = (1.0, 0.5, 2.0),
        cached: int = 4,
        tells: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**{"reasoning_field": "reasoning_content" if kind == "deepseek" else "reasoning", **settings})
        self.kind, self.limits, self.balance, self.price = kind, limits or Limits(), balance, price
        self.cached, self.tells = cached, tells
        self.spent, self.n_refused, self.busy_s = 0.0, 0, 0.0

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self.balance is not None and self.spent >= self.balance:
            return self._unpaid()
        limits = self.limits
        limits.refill(by_windows=self.kind == "openrouter")
        over_rate = limits.per_s is not None and limits.level < 1
        if over_rate or (limits.at_once is not None and self.n_busy >= limits.at_once):
            self.received += 1
            self.n_refused += 1
            return self._too_many()
        if limits.per_s is not None:
            limits.level -= 1
        told = self._told() if self.tells and self.kind == "openai" and limits.per_s is not None else {}
        began = time.monotonic()
        response = await super()._chat(request)
        self.busy_s += time.monotonic() - began
        response.headers.update(told)  # of the time at which it was let in
        return response

    def _told(self) -> dict[str, str]:
        limits = self.limits
        limits.refill(by_windows=False)
        assert limits.per_s is not None
        return {
            "x-ratelimit-limit-requests": str(limits.burst),
            "x-ratelimit-remaining-requests": str(int(limits.level)),
            "x-ratelimit-reset-requests": _clock((limits.burst - limits.level) / limits.per_s),
        }

    def _too_many(self) -> web.Response:
        per_s = self.limits.per_s or 1.0
        if self.kind == "openai":
            error = {"message": "Rate limit reached for demo on requests.", "type": "requests", "code": _LIMITED}
            headers = {"retry-after-ms": str(int(1000 / per_s)), "Retry-After": "1"} | (
                self._told() if self.tells and self.limits.per_s else {}
            )
            return web.json_response({"error": error | {"param": None}}, status=429, headers=headers)
        if self.kind == "openrouter":
            reset = (int(time.monotonic() / _WINDOW_S) + 1) * _WINDOW_S - time.monotonic() + time.time()
            headers = {
                "X-RateLimit-Limit": f"{per_s:g}",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(reset * 1000)),
            }
            error = {"code": 429, "message": "Rate limit exceeded", "metadata": {"headers": headers}}
            return web.json_response({"error": error}, status=429, headers=headers)
        error = {"message": "Rate limit reached", "type": "rate_limit_reached_error", "param": None, "code": _LIMITED}
        return web.json_response({"error": error}, status=429)

    def _unpaid(self) -> web.Response:
        self.received += 1
        if self.kind == "openai":
            words = "You exceeded your current quota, please check your plan and billing details."
            error = {"message": words, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
            return web.json_response({"error": error}, status=429)
        if self.kind == "openrouter":
            words = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
            return web.json_response({"error": {"code": 402, "message": words}}, status=402)
        error = {"message": "Insufficient Balance", "type": "unknown_error", "param": None}
        return web.json_response({"error": error | {"code": "invalid_request_error"}}, status=402)

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        reply = super()._reply(body, prompt)
        usage, (dear, cheap, out) = reply["usage"], self.price
        n_prompt, n_answer = usage["prompt_tokens"], usage["completion_tokens"]
        cached = min(self.cached, n_prompt)
        cost = ((n_prompt - cached) * dear + cached * cheap + n_answer * out) / _MILLION
        self.spent += cost
        usage["completion_tokens_details"] = {"reasoning_tokens": 4}
        if self.kind == "deepseek":
            usage |= {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": n_prompt - cached}
        else:
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        if self.kind == "openrouter":
            usage["cost"] = cost
            return reply | {"provider": "DeepInfra"}
        return reply | {"system_fingerprint": "fp_3a5770e1b4"}

    async def _count(self, request: web.Request) -> web.Response:
        more = {"refused": self.n_refused, "spent": self.spent, "busy_s": self.busy_s}
        figures = {"completed": self.completed, "received": self.received, "distinct": len(self._digests)}
        del request
        return web.json_response(figures | more)


_LIMITED = "rate_limit_exceeded"


def _clock(seconds: float) -> str:
    """As OpenAI writes a time: 6m0s, 1.5s, 20ms."""
    if seconds < 1:
        return f"{int(1000 * seconds)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.4g}s"


def main(given: Sequence[str] | None = None) -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kind", choices=["openai", "deepseek", "openrouter"], default="openai")
    parser.add_argument("--per-s", type=float)
    parser.add_argument("--burst", type=int, default=10)
    parser.add_argument("--at-once", type=int)
    parser.add_argument("--balance", type=float)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--wrong", type=int, default=20)
    parser.add_argument("--model", default="demo")
    found = parser.parse_args(given)
    server = HostedServer(
        found.kind,
        limits=Limits(found.per_s, found.burst, found.at_once),
        balance=found.balance,
        port=found.port,
        latency_s=found.latency_ms / 1000,
        wrong_percent=found.wrong,
        models=(found.model,),
    )
    asyncio.run(server.serve_forever())


if __name__ == "__main__":
    main()

"""What the order of requests is worth: python -m benchmarks.teacher.asking_order.

A fake server holds every answer back for as long as it is long: lengths are log-normal (median 0.2 s, sigma 0.8), so
that a few take ten times the median, as reasoning traces do. One shard's requests are asked, 64 at once: as given,
where the source is sorted by difficulty; shuffled; longest first by what one earlier sample of the same problem says
(its length differs by a factor of e^0.4 up or down); and longest first by the true length, which nobody knows.
Ratios are to the least time that any order could take: all seconds of answers / 64, or the longest answer. In
brackets: what a client without overhead would take, reckoned.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import math
import random
import statistics
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks.teacher.chat_endpoint import listen
from tracemill.generate import asking_order
from tracemill.generate.order import Expected
from tracemill.inference import ModelClient, Request
from tracemill.ledger import Ledger, request_key
from tracemill.recipe.sections.server import Teacher

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL = "fake"
MEDIAN_S, SIGMA, WITHIN = 0.2, 0.8, 0.4


class Server(threading.Thread):
    """Answers after as many seconds as the prompt says."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.port = 0

    def run(self) -> None:
        """Serves until the process ends."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async def chat(request: web.Request) -> web.Response:
            await asyncio.sleep(float((await request.json())["messages"][0]["content"].split()[0]))
            message = {"role": "assistant", "content": "done"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({"model": MODEL, "choices": [choice], "usage": {"completion_tokens": 1}})

        self.port = await listen(MODEL, chat)
        self.ready.set()
        await asyncio.Event().wait()


def seconds(port: int, lengths: Sequence[float], order: Sequence[int], in_flight: int) -> float:
    """Time for all answers, asked in that order."""
    sampling = {"max_tokens": 8}
    chats = [[{"role": "user", "content": f"{lengths[place]:.4f} seconds, number {place}"}] for place in order]
    requests = [Request(request_key(chat, MODEL, "", "", sampling, 0), chat, sampling) for chat in chats]
    settings = Teacher(base_urls=(f"http://127.0.0.1:{port}/v1",), model=MODEL, max_tokens=8, max_in_flight=in_flight)
    with tempfile.TemporaryDirectory() as directory:
        teacher = ModelClient(settings, Ledger(directory))
        teacher.check()
        began = time.perf_counter()
        teacher.complete(requests)
        took = time.perf_counter() - began
        teacher.close()
    return took


def reckoned(lengths: Sequence[float], order: Sequence[int], in_flight: int) -> float:
    """Return the time that a client without any overhead would take: the next request is sent when one is answered."""
    ends = [0.0] * in_flight
    for place in order:
        heapq.heapreplace(ends, ends[0] + lengths[place])
    return max(ends)


def orders(typical: Sequence[float], true: Sequence[float], earlier: Sequence[float]) -> dict[str, list[int]]:
    """Return the orders to compare; places by increasing ``typical`` length are what a sorted source gives."""
    keys = [f"{place}" for place in range(len(true))]

    def longest(known: Sequence[float]) -> list[int]:
        return asking_order(keys, [Expected(each, 2, 0) for each in known], "longest_first")

    return {
        "sorted source": sorted(range(len(true)), key=lambda place: typical[place]),
        "shuffled": asking_order(keys, [Expected(None, 2, 0)] * len(true), "shuffled"),
        "longest first": longest(earlier),
        "true length": longest(true),
    }


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    server = Server()
    server.start()
    server.ready.wait()
    found: dict[str, list[tuple[float, float]]] = {}
    for round_ in range(given.rounds):
        draw = random.Random(round_)  # noqa: S311 - reproducible lengths
        typical = [MEDIAN_S * math.exp(draw.gauss(0, SIGMA)) for _ in range(given.requests)]
        true = [each * math.exp(draw.gauss(0, WITHIN)) for each in typical]
        earlier = [each * math.exp(draw.gauss(0, WITHIN)) for each in typical]
        for name, order in orders(typical, true, earlier).items():
            least_s = max(sum(true) / given.in_flight, *true)
            took_s = seconds(server.port, true, order, given.in_flight)
            found.setdefault(name, []).append((took_s / least_s, reckoned(true, order, given.in_flight) / least_s))
    told = []
    for name, ratios in found.items():
        took, ideal = (statistics.median(each) for each in zip(*ratios, strict=True))
        told.append(f"{name} {took:.2f} ({ideal:.2f})")
    how = f"{given.requests} requests, {given.in_flight} in flight; medians of {given.rounds}"
    print(f"x the least time, and as reckoned: {', '.join(told)}; {how}")


if __name__ == "__main__":
    main()

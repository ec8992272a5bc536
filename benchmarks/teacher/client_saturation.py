"""How much our client costs when the server is fast: python -m benchmarks.teacher.client_saturation.

A process of its own answers every chat request with a fixed reply of 8 kB after 50 to 500 ms; it does nothing else, so
that what is measured is the client: requests a second, its processor seconds a request (connection, JSON, ledger with
checksum and flush) and its resident memory with 2,000 requests in flight. In the same run the same number of requests
is asked for one shard of 200 at a time, as a plain loop over shards would: the ratio is ten shards at once : one.
Rounds alternate. On two cores client and server have one each, which bounds the requests a second. Last, one shard is
asked for while two threads compute, as shard tasks do: with the client's switch interval and with Python's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from aiohttp import web

from benchmarks.teacher.chat_endpoint import listen
from tracemill.inference import ModelClient, Request
from tracemill.ledger import Completion, Ledger, request_key
from tracemill.recipe.sections.server import Teacher as TeacherSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MODEL = "fake"
AT_ONCE = 10  # shards
LATENCY_S = 0.05, 0.5
COMPUTING, PYTHONS_INTERVAL_S = 2, 0.005  # threads beside the client; how long one computes before another may
_ANSWER = {
    "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "think " * 1365}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 60, "completion_tokens": 1365},
}


async def serve() -> None:
    """Answer for ever; prints its port first."""
    reply, draw = json.dumps(_ANSWER).encode(), random.Random(0)  # noqa: S311 - latencies, no secrets

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(draw.uniform(*LATENCY_S))
        return web.Response(body=reply, content_type="application/json")

    print(await listen(MODEL, chat), flush=True)
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Sizes:
    """How much is asked.

    Attributes:
        shards, shard_rows: requests of a round, and how they are dealt out.
        rounds: of each way.
    """

    shards: int = 20
    shard_rows: int = 200
    rounds: int = 3

    @property
    def in_flight(self) -> int:
        """Requests at once."""
        return AT_ONCE * self.shard_rows


@dataclass(frozen=True)
class Round:
    """One way to ask for all shards, once.

    Attributes:
        wall_s, cpu_s: of our process, in seconds.
        peak_mb: its largest resident memory while as many as may be were in flight; 0 if they never were.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


class Watcher(threading.Thread):
    """Looks at memory and at how much is in flight, 20 times a second."""

    def __init__(self, teacher: ModelClient, in_flight: int) -> None:
        super().__init__(daemon=True)
        self._teacher, self._in_flight, self._over = teacher, in_flight, threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        """Look until told to stop."""
        own = psutil.Process()
        while not self._over.wait(0.05):
            if self._teacher.progress().n_in_flight == self._in_flight:
                self.peak_bytes = max(self.peak_bytes, own.memory_info().rss)

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self.join()


def shards_of(sizes: Sizes, round_: int) -> list[list[Request]]:
    """Requests that no round before has had."""
    sampling = {"temperature": 0.6, "max_tokens": 2048}
    numbers = range(sizes.shards * sizes.shard_rows)
    prompts = [f"Round {round_}: what is 7 x {n}? Let's think step by step." for n in numbers]
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    requests = [Request(request_key(chat, MODEL, "", "", sampling, 0), chat, sampling) for chat in chats]
    return [requests[start : start + sizes.shard_rows] for start in range(0, len(requests), sizes.shard_rows)]


def at_once(teacher: ModelClient, shards: list[list[Request]]) -> None:
    """As the pipeline does: a thread a shard, one client."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for results in pool.map(teacher.complete, shards):
            _expect(results)


def one_by_one(teacher: ModelClient, shards: list[list[Request]]) -> None:
    """A plain loop: the next shard begins when the last answer of the one before is there."""
    for shard in shards:
        _expect(teacher.complete(shard))


def as_one(teacher: ModelClient, shards: list[list[Request]]) -> None:
    """All in one call: as much in flight as is allowed, from the start."""
    _expect(teacher.complete([request for shard in shards for request in shard]))


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Threads that never wait for anything, as shard tasks are that count words and guess languages."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=compute, daemon=True) for _ in range(COMPUTING)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def beside_computing(teacher: ModelClient, shards: list[list[Request]]) -> None:
    """One shard, while threads compute."""
    with computing():
        _expect(teacher.complete(shards[0]))


def beside_computing_by_default(teacher: ModelClient, shards: list[list[Request]]) -> None:
    """The same with Python's own switch interval."""
    ours = sys.getswitchinterval()
    sys.setswitchinterval(PYTHONS_INTERVAL_S)
    beside_computing(teacher, shards)
    sys.setswitchinterval(ours)


def _expect(results: Iterable[object]) -> None:
    if not all(isinstance(result, Completion) for result in results):
        sys.exit("a request was not answered; nothing is compared")


def measured(url: str, sizes: Sizes, ask: Callable[[ModelClient, list[list[Request]]], None], round_: int) -> Round:
    """Ask for all shards with a client and a ledger of its own."""
    settings = TeacherSettings(base_urls=(url,), model=MODEL, max_tokens=2048, max_in_flight=sizes.in_flight)
    shards = shards_of(sizes, round_)
    with tempfile.TemporaryDirectory() as directory:
        teacher = ModelClient(settings, Ledger(directory))
        teacher.check()
        watcher = Watcher(teacher, sizes.in_flight)
        watcher.start()
        wall, cpu = time.perf_counter(), time.process_time()
        ask(teacher, shards)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        watcher.stop()
        teacher.close()
    return Round(wall, cpu, watcher.peak_bytes / 1e6)


def allow_connections() -> None:
    """Both sides need a descriptor for every request in flight."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def summary(sizes: Sizes, many: list[Round], one: list[Round]) -> str:
    """Return the line that is printed."""
    n = sizes.shards * sizes.shard_rows
    many_s, one_s = (statistics.median(each.wall_s for each in rounds) for rounds in (many, one))
    cpu_s = statistics.median(each.cpu_s for each in many)
    rates = f"{n / many_s:.0f} requests/s : {n / one_s:.0f}"
    return (
        f"{AT_ONCE} shards at once {one_s / many_s:.2f} x one at a time ({rates}; "
        f"shards of {sizes.shard_rows}, medians of {len(many)} rounds); {1e6 * cpu_s / n:.0f} us of processor a request"
    )


def told_of_computing(sizes: Sizes, ours: list[Round], default: list[Round]) -> str:
    """Return the second line."""
    ours_s, default_s = (statistics.median(each.wall_s for each in rounds) for rounds in (ours, default))
    rates = f"{sizes.shard_rows / ours_s:.0f} requests/s : {sizes.shard_rows / default_s:.0f}"
    return f"beside {COMPUTING} threads that compute {default_s / ours_s:.1f} x Python's switch interval ({rates})"


def main() -> None:
    """Start the server, measures, prints two lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shards", type=int, default=Sizes.shards)
    parser.add_argument("--shard-rows", type=int, default=Sizes.shard_rows)
    parser.add_argument("--rounds", type=int, default=Sizes.rounds, help="of each way")
    given = parser.parse_args()
    allow_connections()
    if given.serve:
        asyncio.run(serve())
    sizes = Sizes(given.shards, given.shard_rows, given.rounds)
    command = [sys.executable, "-m", "benchmarks.teacher.client_saturation", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline() if server.stdout else 0)}/v1"
            before_mb = psutil.Process().memory_info().rss / 1e6
            peak_mb = measured(url, sizes, as_one, 0).peak_mb  # and warms both sides up
            ways = at_once, one_by_one, beside_computing, beside_computing_by_default
            rounds: list[list[Round]] = [[] for _ in ways]
            for number in range(sizes.rounds * len(ways)):
                way = number % len(ways)
                rounds[way].append(measured(url, sizes, ways[way], number + 1))
        finally:
            server.kill()
    memory = f"{peak_mb:.0f} MB resident with {sizes.in_flight} in flight, {before_mb:.0f} MB before"
    print(f"{summary(sizes, *rounds[:2])}; {memory}")
    print(told_of_computing(sizes, *rounds[2:]))


if __name__ == "__main__":
    main()

"""How near the client comes to what a server grants: python -m benchmarks.teacher.rate_limits.

A server on loopback (``tests/support/servers/hosted_server.py``) grants a rate or a number of requests at once, and
says so in four manners: OpenAI's (a bucket, told in every reply), OpenRouter's (windows, told with a refusal alone),
DeepSeek's (requests at once, nothing told), and a bucket of which nothing is told. The client knows none of it, and may
have 256 requests under way. Of each: answers (of requests at once: places that were taken) : what was granted in that
time, and the share of requests refused.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import NamedTuple

from pydantic import SecretStr

from demo.free_port import free_port
from tracemill.inference import ModelClient, Request
from tracemill.inference.servers import Patience
from tracemill.ledger import Ledger, request_key
from tracemill.recipe.sections.server import Teacher

MODEL = "demo"
LATENCY_S = 0.2
BURST = 10


class Manner(NamedTuple):
    """How a server limits, and how it says so."""

    name: str
    kind: str
    options: tuple[str, ...]


def manners(rate: float) -> list[Manner]:
    """Four servers that grant ``rate`` answers a second."""
    at_once = str(max(1, round(rate * LATENCY_S)))
    bucket = ("--per-s", f"{rate:g}", "--burst", str(BURST))
    return [
        Manner("told bucket", "openai", bucket),
        Manner("windows", "openrouter", ("--per-s", f"{rate:g}")),
        Manner("at once", "deepseek", ("--at-once", at_once)),
        Manner("untold bucket", "deepseek", bucket),
    ]


class Measured(NamedTuple):
    """Of one run: answers a second : granted; requests refused : sent."""

    granted: float
    refused: float
    seconds: float


def measure(manner: Manner, rate: float, seconds: float) -> Measured:
    """Ask as much as takes so long at the rate that is granted."""
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.servers.hosted_server", "--port", str(port), "--wrong", "0"),
            *("--kind", manner.kind, "--latency-ms", str(1000 * LATENCY_S), *manner.options),
        ]
    )
    try:
        _until_up(port)
        n = round(rate * seconds)
        took = _ask(port, n)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as reply:
            counts = json.load(reply)
    finally:
        server.kill()
        server.wait()
    # Of requests at once places are granted; how long an answer takes is the machine's.
    places = counts["busy_s"] / (round(rate * LATENCY_S) * took)
    granted = places if manner.name == "at once" else n / (rate * took)
    return Measured(granted, counts["refused"] / counts["received"], took)


def _ask(port: int, n: int) -> float:
    sampling = {"max_tokens": 64}
    chats = [[{"role": "user", "content": f"What is {number} + 1?"}] for number in range(n)]
    requests = [Request(request_key(chat, MODEL, "", "", sampling, 0), chat, sampling) for chat in chats]
    settings = Teacher(
        base_urls=(f"http://127.0.0.1:{port}/v1",), model=MODEL, max_tokens=64, api_key=SecretStr("a-key-of-mine")
    )
    with tempfile.TemporaryDirectory() as directory:
        teacher = ModelClient(settings, Ledger(directory), patience=Patience(base_s=0.1))
        teacher.check()
        began = time.perf_counter()
        teacher.complete(requests)
        took = time.perf_counter() - began
        teacher.close()
    return took


def _until_up(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not start")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=100.0, help="answers a second that are granted")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each server, at that rate")
    given = parser.parse_args()
    for manner in manners(given.rate):
        found = measure(manner, given.rate, given.seconds)
        figures = f"{found.granted:.3f} of {given.rate:g}/s, {found.refused:.2%} refused"
        print(f"{manner.name}: {figures}, {found.seconds:.1f} s")


if __name__ == "__main__":
    main()

"""Claim: our client takes at least 0.97 of what the server can give. Prints one line with the ratio client/server.

In the same rounds the prompts are asked as a plain loop would ask them, one shard at a time; its ratio is printed too.

The server's own maximum is what ``vllm bench serve`` gets from it, with the same prompts, concurrency and output
lengths (``ignore_eos`` on both sides). Rounds alternate, so that a machine that gets slower or faster in between
touches both sides alike; each side's figure is its median in output tokens per second. Our side includes everything
the pipeline does for a response, the ledger with its checksums and flushes too. Interrupted, it prints the line of the
rounds that are done.

``python -m benchmarks.teacher.client_throughput`` serves the demo teacher itself (``make teacher`` before), on half of
the processors; all that asks it has the other half. For another server, with DIR the model's folder::

    python -m benchmarks.teacher.client_throughput --url http://127.0.0.1:8000/v1 --model NAME --tokenizer DIR
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.teacher.cores import on_cores, split_cores
from benchmarks.teacher.server_maximum import BenchServe
from demo.teacher.serve import MODEL_DIR, serving
from tracemill.inference import ModelClient, Request
from tracemill.ledger import Completion, Ledger, request_key
from tracemill.recipe.sections.server import Teacher as TeacherSettings


def _prompts(n: int) -> list[str]:
    return [f"What is {7 * number} + {number % 89}? Let's think step by step." for number in range(n)]


def client_round(given: argparse.Namespace, prompts: list[str]) -> float:
    """Output tokens per second of ``ModelClient.complete`` over all prompts, with a ledger of its own."""
    return _asked(given, prompts, len(prompts))


def shard_by_shard_round(given: argparse.Namespace, prompts: list[str]) -> float:
    """Return the same, where the next shard is asked when the last answer of the one before is there."""
    return _asked(given, prompts, given.shard_rows)


def _asked(given: argparse.Namespace, prompts: list[str], shard_rows: int) -> float:
    settings = TeacherSettings(
        base_urls=(given.url,), model=given.model, max_tokens=given.output_len, max_in_flight=given.concurrency
    )
    sampling = {"temperature": 0.0, "top_p": 1.0, "max_tokens": given.output_len}
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    requests = [Request(request_key(chat, given.model, "", "", sampling, 0), chat, sampling) for chat in chats]
    results: list[object] = []
    with tempfile.TemporaryDirectory() as directory:
        teacher = ModelClient(settings, Ledger(directory), extra_body={"ignore_eos": True})
        teacher.check()
        started = time.perf_counter()
        for start in range(0, len(requests), shard_rows):
            results += teacher.complete(requests[start : start + shard_rows])
        elapsed = time.perf_counter() - started
        teacher.close()
    n_tokens = sum(result.completion_tokens or 0 for result in results if isinstance(result, Completion))
    _expect(n_tokens, len(prompts) * given.output_len, "our client")
    return n_tokens / elapsed


def server_round(given: argparse.Namespace, prompts: list[str]) -> float:
    """Output tokens per second that ``vllm bench serve`` measures over all prompts."""
    bench = BenchServe(given.vllm_python, given.url, given.model, given.tokenizer, given.output_len, given.concurrency)
    result = bench(prompts)
    _expect(result["total_output_tokens"], len(prompts) * given.output_len, "vllm bench serve")
    return float(result["output_throughput"])


def _expect(got: int, expected: int, who: str) -> None:
    """Both sides must have had the same work; anything else is no comparison."""
    if got != expected:
        sys.exit(f"{who}: {got} output tokens instead of {expected}; nothing is compared")


def options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", help="of a running server; the demo teacher is served unless given")
    parser.add_argument("--model", default="demo-teacher")
    parser.add_argument("--tokenizer", default=str(MODEL_DIR), help="folder of the model")
    parser.add_argument("--vllm-python", default=".venv-vllm/bin/python", help="of the environment with vLLM")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--output-len", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--shard-rows", type=int, default=50, help="of the plain loop")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def measure(given: argparse.Namespace) -> None:
    """Warms the server up with one round of each, then measures; prints the line, also when it is interrupted."""
    prompts = _prompts(given.prompts)
    ways: tuple[Callable[[argparse.Namespace, list[str]], float], ...]
    ways = server_round, client_round, shard_by_shard_round
    sides: dict[Callable[[argparse.Namespace, list[str]], float], list[float]] = {way: [] for way in ways}
    try:
        for number in range(given.rounds + 1):
            for side in sides if number % 2 else reversed(sides):
                rate = side(given, prompts)
                print(f"round {number}: {side.__name__} {rate:.0f} output tokens/s", file=sys.stderr, flush=True)
                if number > 0:
                    sides[side].append(rate)
    finally:
        if all(sides.values()):
            server, client, plain = (statistics.median(sides[way]) for way in ways)
            print(
                f"client/server {client / server:.3f}, one shard at a time {plain / server:.3f}  (server {server:.0f}, "
                f"client {client:.0f}, shards of {given.shard_rows} {plain:.0f} output tokens/s; medians of "
                f"{len(sides[client_round])} interleaved rounds; {given.prompts} prompts x {given.output_len} tokens, "
                f"{given.concurrency} in flight)",
                flush=True,
            )


def main() -> None:
    """Serves the demo teacher unless there is a server, and measures."""
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with contextlib.ExitStack() as stack:
        if given.url is None:
            server_cores, own_cores = split_cores()
            with on_cores(server_cores):
                given.url = stack.enter_context(serving(Path(given.vllm_python))).base_url
            stack.enter_context(on_cores(own_cores))
        measure(given)


if __name__ == "__main__":
    main()

"""Claim: our client takes at least 0.97 of what the server can give. Prints one line with the ratio client/server.

The server's own maximum is what ``vllm bench serve`` gets from it, with the same prompts, concurrency and output
lengths (``ignore_eos`` on both sides). Rounds alternate, so that a machine that gets slower or faster in between
touches both sides alike; each side's figure is its median in output tokens per second. Our side includes everything
the pipeline does for a response, the ledger with its checksums and flushes too. Interrupted, it prints the line of the
rounds that are done.

``python -m benchmarks.client_throughput`` serves the demo teacher itself (``make teacher`` before). For another
server, with DIR the model's folder::

    python -m benchmarks.client_throughput --url http://127.0.0.1:8000/v1 --model NAME --tokenizer DIR
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

from benchmarks.server_maximum import BenchServe
from demo.teacher.serve import MODEL_DIR, serving
from tracemill.ledger import Completion, Ledger, request_key
from tracemill.recipe import Teacher as TeacherSettings
from tracemill.teacher import ChatTeacher, Request


def _prompts(n: int) -> list[str]:
    return [f"What is {7 * number} + {number % 89}? Let's think step by step." for number in range(n)]


def client_round(given: argparse.Namespace, prompts: list[str]) -> float:
    """Output tokens per second of ``ChatTeacher.complete`` over all prompts, with a ledger of its own."""
    settings = TeacherSettings(
        base_urls=(given.url,), model=given.model, max_tokens=given.output_len, max_in_flight=given.concurrency
    )
    sampling = {"temperature": 0.0, "top_p": 1.0, "max_tokens": given.output_len}
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    requests = [Request(request_key(chat, given.model, "", "", sampling, 0), chat, sampling) for chat in chats]
    with tempfile.TemporaryDirectory() as directory:
        teacher = ChatTeacher(settings, Ledger(directory), extra_body={"ignore_eos": True})
        teacher.check()
        started = time.perf_counter()
        results = teacher.complete(requests)
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
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", help="of a running server; the demo teacher is served unless given")
    parser.add_argument("--model", default="demo-teacher")
    parser.add_argument("--tokenizer", default=str(MODEL_DIR), help="folder of the model")
    parser.add_argument("--vllm-python", default=".venv-vllm/bin/python", help="of the environment with vLLM")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--output-len", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def measure(given: argparse.Namespace) -> None:
    """Warms the server up with one round of each, then measures; prints the line, also when it is interrupted."""
    prompts = _prompts(given.prompts)
    sides: dict[Callable[[argparse.Namespace, list[str]], float], list[float]] = {server_round: [], client_round: []}
    try:
        for number in range(given.rounds + 1):
            for side in sides if number % 2 else reversed(sides):
                rate = side(given, prompts)
                print(f"round {number}: {side.__name__} {rate:.0f} output tokens/s", file=sys.stderr, flush=True)
                if number > 0:
                    sides[side].append(rate)
    finally:
        if all(sides.values()):
            client, server = statistics.median(sides[client_round]), statistics.median(sides[server_round])
            print(
                f"client/server {client / server:.3f}  (client {client:.0f}, server {server:.0f} output tokens/s; "
                f"medians of {len(sides[client_round])} interleaved rounds; {given.prompts} prompts x "
                f"{given.output_len} tokens, {given.concurrency} in flight)",
                flush=True,
            )


def main() -> None:
    """Serves the demo teacher unless there is a server, and measures."""
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with contextlib.ExitStack() as stack:
        if given.url is None:
            given.url = stack.enter_context(serving(Path(given.vllm_python))).base_url
        measure(given)


if __name__ == "__main__":
    main()

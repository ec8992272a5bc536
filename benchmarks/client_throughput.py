"""Claim: our client takes at least 0.97 of what the server can give. Prints one line with the ratio client/server.

The server's own maximum is what ``vllm bench serve`` gets from it, with the same prompts, concurrency and output
lengths (``ignore_eos`` on both sides). Rounds alternate, so that a machine that gets slower or faster in between
touches both sides alike; each side's figure is its median in output tokens per second. Our side includes everything
the pipeline does for a response, the ledger with its checksums and flushes too.

Usage, with vLLM serving NAME at the URL (DIR is the model's folder, for the bench's tokenizer)::

    python -m benchmarks.client_throughput --url http://127.0.0.1:8000/v1 --model NAME --tokenizer DIR \
        --vllm-python .venv-vllm/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tracemill.ledger import Completion, Ledger, request_key
from tracemill.recipe import Teacher as TeacherSettings
from tracemill.teacher import ChatTeacher, Request

# What the command `vllm bench serve` runs. The command itself needs package metadata that source builds lack, and
# reads prompts with pandas; so its main function is called here, with the prompts in hand.
_BENCH_SERVE = """
import argparse, json
from vllm.benchmarks import serve
from vllm.benchmarks.datasets import SampleRequest

def samples(given, tokenizer):
    lines = [json.loads(line) for line in open(given.dataset_path)]
    return [SampleRequest(one["prompt"], len(one["prompt"]), given.custom_output_len) for one in lines]

serve.get_samples = samples
parser = argparse.ArgumentParser()
serve.add_cli_args(parser)
serve.main(parser.parse_args())
"""


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
    with tempfile.TemporaryDirectory() as directory:
        dataset = Path(directory) / "prompts.jsonl"
        dataset.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        command = [
            given.vllm_python, "-c", _BENCH_SERVE,
            "--backend", "openai-chat", "--base-url", given.url.removesuffix("/v1"),
            "--endpoint", "/v1/chat/completions", "--model", given.model, "--tokenizer", given.tokenizer,
            "--dataset-name", "custom", "--dataset-path", str(dataset), "--skip-chat-template", "--disable-shuffle",
            "--custom-output-len", str(given.output_len), "--num-prompts", str(len(prompts)), "--ignore-eos",
            "--max-concurrency", str(given.concurrency), "--temperature", "0", "--disable-tqdm",
            "--save-result", "--result-dir", directory, "--result-filename", "result.json",
        ]  # fmt: skip
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"vllm bench serve failed:\n{done.stderr[-3000:]}")
        result = json.loads((Path(directory) / "result.json").read_text())
    _expect(result["total_output_tokens"], len(prompts) * given.output_len, "vllm bench serve")
    return float(result["output_throughput"])


def _expect(got: int, expected: int, who: str) -> None:
    """Both sides must have had the same work; anything else is no comparison."""
    if got != expected:
        sys.exit(f"{who}: {got} output tokens instead of {expected}; nothing is compared")


def main() -> None:
    """Warms the server up with one round of each, then measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True, help="folder of the model")
    parser.add_argument("--vllm-python", required=True, help="interpreter of the environment with vLLM")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--output-len", type=int, default=128)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    prompts = _prompts(given.prompts)
    client: list[float] = []
    server: list[float] = []
    for number in range(given.rounds + 1):
        sides = {server_round: server, client_round: client}
        for measure in sides if number % 2 else reversed(sides):
            rate = measure(given, prompts)
            sys.stderr.write(f"round {number}: {measure.__name__} {rate:.0f} output tokens/s\n")
            if number > 0:
                sides[measure].append(rate)
    ratio = statistics.median(client) / statistics.median(server)
    sys.stdout.write(
        f"client/server {ratio:.3f}  (client {statistics.median(client):.0f}, server {statistics.median(server):.0f} "
        f"output tokens/s; medians of {given.rounds} interleaved rounds; {given.prompts} prompts x {given.output_len} "
        f"tokens, {given.concurrency} in flight)\n"
    )


if __name__ == "__main__":
    main()

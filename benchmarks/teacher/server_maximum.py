"""What a vLLM server can give at most: ``vllm bench serve`` on it, and its own counters while anybody uses it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class BenchServe:
    """How ``vllm bench serve`` asks.

    Attributes:
        tokenizer: folder of the model.
        output_len: most tokens of an answer.
        ignore_eos: every answer has exactly so many; else as many as the model says.
    """

    vllm_python: str
    url: str
    model: str
    tokenizer: str
    output_len: int
    concurrency: int
    temperature: float = 0.0
    ignore_eos: bool = True

    def __call__(self, prompts: list[str]) -> dict[str, Any]:
        """Ask all prompts as chats; what the tool says of it (``output_throughput`` in tokens/s).

        Raises:
            SystemExit: the tool failed, with the end of its words.
        """
        with tempfile.TemporaryDirectory() as directory:
            dataset = Path(directory) / "prompts.jsonl"
            dataset.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
            environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
            command = self._command(dataset, len(prompts))
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"vllm bench serve failed:\n{done.stderr[-3000:]}")
            result: dict[str, Any] = json.loads((Path(directory) / "result.json").read_text())
        return result

    def _command(self, dataset: Path, n_prompts: int) -> list[str]:
        return [
            self.vllm_python, "-c", _BENCH_SERVE,
            "--backend", "openai-chat", "--base-url", self.url.removesuffix("/v1"),
            "--endpoint", "/v1/chat/completions", "--model", self.model, "--tokenizer", self.tokenizer,
            "--dataset-name", "custom", "--dataset-path", str(dataset), "--skip-chat-template", "--disable-shuffle",
            "--custom-output-len", str(self.output_len), "--num-prompts", str(n_prompts),
            "--max-concurrency", str(self.concurrency), "--temperature", f"{self.temperature:g}", "--disable-tqdm",
            "--save-result", "--result-dir", str(dataset.parent), "--result-filename", "result.json",
            *(["--ignore-eos"] if self.ignore_eos else []),
        ]  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """The server's counters at one moment.

    Attributes:
        at: monotonic seconds.
        n_completed: requests that it has answered since it began; aborted ones are not.
        n_tokens: tokens that it has generated since it began.
        n_running: requests that it is working on or has in line.
    """

    at: float
    n_completed: int
    n_tokens: int
    n_running: int


def read_server(url: str) -> Reading | None:
    """Return the counters, or None where no server answers."""
    try:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=10) as reply:  # noqa: S310 - loopback
            text = reply.read().decode()
    except (OSError, HTTPException):
        return None
    answered = re.findall(r'^vllm:request_success_total\{.*finished_reason="(\w+)".*\} (\S+)$', text, re.MULTILINE)
    return Reading(
        at=time.monotonic(),
        n_completed=round(sum(float(count) for reason, count in answered if reason != "abort")),
        n_tokens=_total(text, "generation_tokens_total"),
        n_running=_total(text, "num_requests_running") + _total(text, "num_requests_waiting"),
    )


def _total(text: str, name: str) -> int:
    return round(sum(float(value) for value in re.findall(rf"^vllm:{name}\{{.*\}} (\S+)$", text, re.MULTILINE)))


class Meter(threading.Thread):
    """Reads a server's counters twice a second.

    Attributes:
        readings: so far; those of a server that was started again begin anew.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True, name="meter")
        self._url, self._over = url, threading.Event()
        self.readings: list[Reading] = []

    def run(self) -> None:
        """Read until stopped."""
        while not self._over.wait(0.5):
            reading = read_server(self._url)
            if reading is not None:
                self.readings.append(reading)

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self.join()

    def since(self, began: float) -> list[Reading]:
        """Return the readings from a moment on."""
        return [reading for reading in self.readings if reading.at >= began]


def rates(readings: list[Reading], in_flight: int) -> list[tuple[int, float]]:
    """(tokens, seconds) of each server's life, from the first to the last moment with ``in_flight`` requests at it.

    Ramp and tail are left out on all sides; what lies in between is not, also where the server had less to do.
    """
    lives: list[list[Reading]] = []
    for reading in readings:
        if not lives or reading.n_tokens < lives[-1][-1].n_tokens:
            lives.append([])
        lives[-1].append(reading)
    found = []
    for life in lives:
        full = [reading for reading in life if reading.n_running >= 0.9 * in_flight]
        if len(full) > 1 and full[-1].at - full[0].at > 1:
            found.append((full[-1].n_tokens - full[0].n_tokens, full[-1].at - full[0].at))
    return found

"""Asks the served demo teacher held-out problems (python -m demo.teacher.measure).

Standard library only. Prints exact match per family at temperatures 0 and 0.8, and requests per second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from demo.problems import Problem
from demo.teacher.evaluate import held_out, is_right
from demo.teacher.lessons import ask
from demo.teacher.serve import MODEL_DIR, DemoServer, serving

MAX_TOKENS = 400


def reply(server: DemoServer, problem: Problem, temperature: float) -> str:
    """Return the served teacher's reply to one problem. No seed is sent: vLLM's CPU build refuses one per request."""
    body = {
        "model": server.model,
        "messages": ask(problem.prompt),
        "max_tokens": MAX_TOKENS,
        "temperature": temperature,
    }
    address = urlsplit(server.base_url)
    connection = HTTPConnection(address.netloc, timeout=600)
    with contextlib.closing(connection):
        path = f"{address.path}/chat/completions"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.load(connection.getresponse())
    return str(answer["choices"][0]["message"]["content"])


def measure(server: DemoServer, problems: list[Problem], temperature: float, in_flight: int) -> tuple[str, float]:
    """Return a line with exact match per family, and the requests answered per second."""
    began = time.monotonic()
    with ThreadPoolExecutor(in_flight) as pool:
        replies = list(pool.map(lambda problem: reply(server, problem, temperature), problems))
    rate = len(problems) / (time.monotonic() - began)
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for problem, text in zip(problems, replies, strict=True):
        verdicts[problem.family].append(is_right(problem, text))
        verdicts["all"].append(is_right(problem, text))
    shares = "  ".join(f"{family} {sum(marks) / len(marks):.2f}" for family, marks in verdicts.items())
    return shares, rate


def main() -> None:
    """The command line: serves the model, asks, and stops it."""
    parser = argparse.ArgumentParser(prog="python -m demo.teacher.measure", description=__doc__)
    parser.add_argument("--vllm-python", type=Path, default=Path(".venv-vllm/bin/python"))
    parser.add_argument("--model-dir", type=Path, default=MODEL_DIR)
    parser.add_argument("--per-family", type=int, default=43)
    parser.add_argument("--hard-share", type=float, default=0.15, help="as in make_sources.py")
    parser.add_argument("--in-flight", type=int, default=32)
    given = parser.parse_args()
    problems = held_out(given.per_family, given.hard_share)
    with serving(given.vllm_python, model_dir=given.model_dir) as server:
        for temperature in (0.0, 0.8):
            shares, rate = measure(server, problems, temperature, given.in_flight)
            print(f"T {temperature}: {shares}  ({len(problems)} problems, {rate:.1f} requests/s)", flush=True)


if __name__ == "__main__":
    main()

"""tracemill's verdicts from another environment: ``python -m verifiers`` in a process of its own, spoken to by pipes.

A trainer's environment has packages of its own, one of them called ``verifiers`` like ours; so nothing of tracemill is
imported here. Standard library only.

verl: ``custom_reward_function.path=deployments/rewards/verdict_process.py`` with rows of
``python -m tracemill sft DIR --as verl``.
"""
# ruff: noqa: INP001 - a module of its own, installed beside the package

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import subprocess
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

CORRECT = "correct"
# Says nothing about the answer, so that it is an error and never a reward of 0.
NO_VERDICT = frozenset({"sandbox_error"})


class NoVerdictError(RuntimeError):
    """A response was not judged, and not because of what it says."""


class VerdictProcess:
    """Judges responses in the order in which they come, many at a time; for any number of threads.

    Args:
        home: tracemill's checkout; ``TRACEMILL_HOME``, or where this file is.
        python: its interpreter; ``TRACEMILL_PYTHON``, or the one of the checkout's .venv.
        options: of ``python -m verifiers``, such as ``("--sandbox", "docker")``, without which no program is judged.
    """

    def __init__(self, home: str | None = None, python: str | None = None, options: tuple[str, ...] = ()) -> None:
        place = Path(home or os.environ.get("TRACEMILL_HOME") or Path(__file__).resolve().parents[2])
        interpreter = python or os.environ.get("TRACEMILL_PYTHON") or str(place / ".venv" / "bin" / "python")
        command = [interpreter, "-m", "verifiers", *options]
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._waiting: deque[Future[dict[str, Any]]] = deque()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def judge(self, row: dict[str, Any]) -> Future[dict[str, Any]]:
        """Return the verdict on a row of the contract (``docs/verification.md``), when it is known.

        Raises:
            NoVerdictError: the process has ended.
        """
        pending: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._process.poll() is not None or self._process.stdin is None:
                raise NoVerdictError(f"python -m verifiers has ended with {self._process.returncode}")
            self._waiting.append(pending)
            with contextlib.suppress(BrokenPipeError):  # the reader says so
                self._process.stdin.write(json.dumps(row) + "\n")
                self._process.stdin.flush()
        return pending

    def _read(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                for line in lines:
                    self._waiting.popleft().set_result(json.loads(line))
        code = self._process.wait()
        with self._lock:
            while self._waiting:
                self._waiting.popleft().set_exception(NoVerdictError(f"python -m verifiers has ended with {code}"))

    def close(self) -> None:
        """End the process, once what it was given is judged."""
        with self._lock:
            if self._process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._process.stdin.close()
        self._reader.join()


def row_of(judged_by: dict[str, Any], category: str, response: str) -> dict[str, Any]:
    """Return the row of the contract that judges a response.

    Args:
        judged_by: ``extra_info`` of a row of ``sft --as verl``.
        category: its ``ability``.
        response: what the model says.
    """
    return {
        "id": judged_by["id"],
        "category": category,
        "prompt": judged_by["prompt"],
        "response": response,
        "reference_answer": judged_by.get("reference_answer"),
        "tests": json.loads(judged_by["tests"]) if judged_by.get("tests") else None,
        "constraints": json.loads(judged_by["constraints"]) if judged_by.get("constraints") else None,
    }


def reward_of(verdict: dict[str, Any]) -> float:
    """Return 1 of a correct response and 0 of any other.

    Raises:
        NoVerdictError: the verdict says nothing about the response.
    """
    if verdict["outcome"] in NO_VERDICT or (verdict["outcome"] == "unverifiable" and verdict["cause"] == "reference"):
        raise NoVerdictError(f"{verdict['outcome']}: {verdict['detail']}")
    return float(verdict["outcome"] == CORRECT)


@functools.cache
def shared_process() -> VerdictProcess:
    """Return the process of this interpreter, with the options in ``TRACEMILL_VERIFIERS``: ``--sandbox docker``."""
    return VerdictProcess(options=tuple(shlex.split(os.environ.get("TRACEMILL_VERIFIERS", ""))))


def compute_score(
    data_source: str,  # noqa: ARG001 - the signature is verl's
    solution_str: str,
    ground_truth: str,  # noqa: ARG001
    extra_info: dict[str, Any] | None = None,
    **_: Any,
) -> float:
    """Return the reward of a solution, for verl.

    Raises:
        NoVerdictError: it was not judged.
    """
    judged_by = extra_info or {}
    return reward_of(shared_process().judge(row_of(judged_by, judged_by["ability"], solution_str)).result())

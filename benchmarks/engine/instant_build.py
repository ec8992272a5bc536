"""A build of synthetic problems whose teacher answers at once: what remains is tracemill's own cost."""

from __future__ import annotations

import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import yaml
from prefect import flow
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from flows.command_line import SERVER_START_S, TEMPORARY_SERVER
from tracemill.inference import Refusal, Request
from tracemill.ledger import Completion

WORDS = [f"{head}{tail}" for head in "bcdfghjklmnprstvwz" for tail in ("able", "ock", "ine", "ount", "erry", "oon")]


def write_inputs(folder: Path, n_rows: int, shard_rows: int) -> Path:
    """Sources of ``n_rows`` distinct problems and a recipe; returns the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)  # noqa: S311 - reproducible texts
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(n_rows):
            text = " ".join(draw.choices(WORDS, k=30))
            row = {"question": f"{text} {number}. What is {number} + 1?", "answer": f"#### {number + 1}"}
            file.write(json.dumps(row) + "\n")
    recipe: dict[str, Any] = {
        "name": "instant",
        "data_dir": str(folder),
        "sources": [{"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"}],
        "collect": {"shard_rows": shard_rows},
        "distill": {"teacher": {"model": "instant", "max_tokens": 64}},
        "run": {"store": str(folder / "store"), "progress_every_s": 10},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


class InstantTeacher:
    """Answers every sum at once, without a server and without a ledger."""

    def complete(self, requests: list[Request]) -> list[Completion | Refusal]:
        """Return the right answer to each request."""
        return [_answer(request) for request in requests]


def _answer(request: Request) -> Completion:
    number = int(request.messages[-1]["content"].split("What is ")[1].split(" + ")[0])
    content = f"<think>\nadd one\n</think>\n\nIt is \\boxed{{{number + 1}}}."
    return Completion(request.key, content, None, "stop", 30, 12, "instant")


def use_instant_teacher() -> None:
    """Put the instant teacher in the place of the real one, in this process."""
    import tasks.engine.models

    tasks.engine.models.shared_client = lambda *_: InstantTeacher()  # type: ignore[assignment, attr-defined]


@flow(name="warm-up")
def warm_up() -> None:
    """Does nothing."""


def start_prefect() -> None:
    """Start the temporary server, as the command line does, so that no measurement contains its start."""
    for variable, value in TEMPORARY_SERVER.items():
        os.environ.setdefault(variable, value)
    logging.getLogger("prefect").setLevel(logging.WARNING)
    with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}):
        warm_up()

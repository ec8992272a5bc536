"""A small evaluation for tests: its benchmark, its recipe, run without Prefect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.runs.small_run import question

if TYPE_CHECKING:
    from pathlib import Path

    from flows.evaluate_student import Scored


@dataclass
class SmallEvaluation:
    """A benchmark in GSM8K's layout and a recipe below one folder; change either between runs.

    Attributes:
        rows: of the benchmark.
        benchmark, student, sections: merged over the defaults here.
    """

    folder: Path
    url: str = "http://127.0.0.1:1/v1"
    rows: list[Any] = field(default_factory=lambda: [question(n) for n in range(12)])
    benchmark: dict[str, Any] = field(default_factory=dict)
    student: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)

    def run(self, out: str = "out") -> Scored:
        """Evaluates in this process."""
        from flows.engine.plain_run import plain_run
        from flows.evaluate_student import evaluate
        from flows.teacher_from_env import load_evaluation_with_env

        self.write()
        return evaluate(plain_run(load_evaluation_with_env(str(self.recipe_path), [])), str(self.folder / out))

    @property
    def recipe_path(self) -> Path:
        return self.folder / "evaluation.yaml"

    def write(self) -> None:
        """Puts benchmark and recipe on disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_rows("rows.jsonl", self.rows)
        self.recipe_path.write_text(yaml.safe_dump(self._recipe()), encoding="utf-8")

    def write_rows(self, name: str, rows: list[Any]) -> Path:
        """Puts rows on disk; a file that is as it should be is not touched."""
        path, text = self.folder / name, "".join(json.dumps(row) + "\n" for row in rows)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def _recipe(self) -> dict[str, Any]:
        student = {"model": "demo", "base_urls": [self.url], "max_tokens": 64, "give_up_after_s": 5}
        benchmark = {"name": "sums", "path": "rows.jsonl", "layout": "gsm8k", "samples": 2}
        return {
            "name": "small",
            "student": student | self.student,
            "benchmarks": [benchmark | self.benchmark],
            "collect": {"shard_rows": 5},
            "verify": {"workers": 1},
            "run": {"store": str(self.folder / "store")},
        } | self.sections

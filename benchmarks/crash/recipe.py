"""What the crash matrix builds: the demo recipe on the demo's problems, and programs that real containers judge."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from benchmarks.crash.teacher import MODEL

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 16


@dataclass(frozen=True)
class Problems:
    """Question sources on disk, and what a teacher must know of them.

    Attributes:
        sources: entries of the recipe.
        answers: file with what to say to each question.
    """

    sources: list[dict[str, Any]]
    answers: Path


def demo_problems(folder: Path, n_programs: int) -> Problems:
    """Return all sources of the demo recipe, and programs."""
    recipe = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    sources = [source | {"path": str(ROOT / source["path"])} for source in recipe["sources"]]
    return _with_programs(folder, sources, _demo_answers(), n_programs)


def few_problems(folder: Path, n_rows: int, n_programs: int) -> Problems:
    """Return the first rows of one source of the demo, and programs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "few.jsonl"
    with (ROOT / "demo/sources/word_problems.jsonl").open() as whole:
        path.write_text("".join(line for _, line in zip(range(n_rows), whole, strict=False)))
    sources = [{"name": "few", "path": str(path), "layout": "gsm8k", "licence": "Apache-2.0"}]
    return _with_programs(folder, sources, _demo_answers(), n_programs)


def crash_recipe(problems: Problems, teacher_url: str, store: Path, shard_rows: int) -> dict[str, Any]:
    """Return the demo recipe, with these problems, this teacher and a store of its own."""
    recipe: dict[str, Any] = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    teacher = recipe["distill"]["teacher"] | {
        "model": MODEL,
        "base_urls": [teacher_url],
        "max_in_flight": IN_FLIGHT,
        "give_up_after_s": 60,
    }
    recipe["distill"] |= {"teacher": teacher}
    benchmarks = recipe["decontaminate"]["benchmarks"]
    return recipe | {
        "name": "crash",
        "sources": problems.sources,
        "collect": {"shard_rows": shard_rows},
        "decontaminate": {"benchmarks": [one | {"path": str(ROOT / one["path"])} for one in benchmarks]},
        "verify": {"workers": 1, "sandbox": {"containers": 2}},
        "run": {"store": str(store), "workers": 4},
    }


def _with_programs(folder: Path, sources: list[dict[str, Any]], answers: dict[str, str], n: int) -> Problems:
    folder.mkdir(parents=True, exist_ok=True)
    programs, path, known = _programs(n), folder / "programs.jsonl", folder / "answers.json"
    path.write_text("".join(json.dumps(row) + "\n" for row, _ in programs))
    answers = answers | {row["prompt"]: f"```python\n{program}```" for row, program in programs}
    known.write_text(json.dumps(answers))
    entry = {"name": "programs", "path": str(path), "layout": "plain", "licence": "Apache-2.0"}
    return Problems([*sources, entry], known)


def _programs(n: int) -> list[tuple[dict[str, Any], str]]:
    """Tasks with their tests, and a right program for each."""
    made = []
    for number in range(n):
        left, right = 3 + 5 * number, 11 + 7 * number
        prompt = f"Write a Python function mix_{number}(a, b) that returns {left} times a, less b, plus {right}."
        cases = [{"args": [a, b], "expected": left * a - b + right} for a, b in ((1, 2), (30, 4), (-5, 66))]
        tests = {"kind": "call", "entry_point": f"mix_{number}", "cases": cases}
        made.append(
            ({"prompt": prompt, "tests": tests}, f"def mix_{number}(a, b):\n    return {left} * a - b + {right}\n")
        )
    return made


def _demo_answers() -> dict[str, str]:
    """Return what a good pupil says to the demo's questions; rows that are planted to be broken have no answer."""
    said: dict[Any, str] = {}
    folder = ROOT / "demo/sources"
    for name, question, answer in (("word_problems", "question", "answer"), ("contest", "problem", "solution")):
        for line in (folder / f"{name}.jsonl").read_text().splitlines():
            row = _row_of(line)
            if isinstance(row.get(question), str) and isinstance(row.get(answer), str):
                said[row[question]] = (
                    row[answer].replace("####", "The answer is") if name == "contest" else _boxed(row[answer])
                )
    with (folder / "drill.csv").open() as file:
        said |= {row["prompt"]: _boxed(str(row["reference_answer"])) for row in csv.DictReader(file) if row["prompt"]}
    for row in pq.read_table(folder / "extra.parquet").to_pylist():
        said[row["question"]] = _boxed(str(row["answer"]))
    return {
        question: answer for question, answer in said.items() if isinstance(question, str) and len(question.split()) > 3
    }


def _row_of(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _boxed(answer: str) -> str:
    return f"It is \\boxed{{{answer.rpartition('####')[2].strip()}}}."

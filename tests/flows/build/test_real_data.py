"""Real question sets through the whole flow: GSM8K train and MATH against GSM8K test, MATH-500 and AIME 2024."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from flows.build_dataset import Built, build
from flows.engine.plain_run import plain_run
from flows.teacher_from_env import load_recipe_with_env
from tests.support.runs.small_run import funnel, table
from tests.support.servers.chat_server import ChatServer
from tracemill.text.words import exact_key

pytestmark = pytest.mark.needs_real_data

RECIPE = Path(__file__).parents[3] / "recipes" / "gsm8k-math.yaml"


def built(recipe: Path, overrides: list[str], out: Path) -> Built:
    """Builds without Prefect."""
    return build(plain_run(load_recipe_with_env(str(recipe), overrides)), str(out))


def test_gsm8k_and_math(real_data: Path, tmp_path: Path) -> None:
    """The funnel adds up to 12,473, no MATH-500 problem is left, and a second run sends no request."""
    out = tmp_path / "out"
    with ChatServer(models=("demo-teacher",)) as teacher:
        overrides = [
            f"data_dir={real_data}",
            f"run.store={tmp_path / 'store'}",
            f"distill.teacher.base_urls={json.dumps([teacher.url])}",
            "distill.limit=50",
        ]
        counts = funnel(built(RECIPE, overrides, out))
        asked = teacher.received
        again = built(RECIPE, overrides, out)
        assert (again.n_executed, teacher.received) == (0, asked)
    dropped = sum(n for key, n in counts.items() if key.split("/")[0] not in {"source", "published"})
    assert counts["source/rows"] == 12_473 == counts["published/rows"] + dropped
    n_wrong = counts["verify/incorrect"] + counts.get("verify/unverifiable", 0)  # of "I say 06b84517" much can be read
    assert n_wrong >= 45, "the chat server knows nothing of such problems"
    assert asked <= 50

    no_math_500_is_left(real_data, out)


def no_math_500_is_left(real_data: Path, out: Path) -> None:
    """Each of the 500 problems was dropped before generation."""
    benchmark = (real_data / "benchmarks" / "math500.jsonl").read_text().splitlines()
    keys = {exact_key(json.loads(line)["problem"]) for line in benchmark}
    removed = [row for row in table(out, "dropped").to_pylist() if row["source"] == "math"]
    gone = {exact_key(row["prompt"]) for row in removed if row["stage"] in {"clean", "deduplicate", "decontaminate"}}
    assert keys <= gone
    distilled = [row for row in removed if row["stage"] in {"distill", "verify", "quality"}]
    assert not keys & {exact_key(row["prompt"]) for row in distilled}
    assert not any(exact_key(prompt) in keys for path in out.glob("dataset/*.parquet") for prompt in prompts(path))


def prompts(path: Path) -> list[str]:
    """The prompts of a published file."""
    texts: list[str] = pq.read_table(path, columns=["prompt"])["prompt"].to_pylist()
    return texts


SOURCES = {
    "gsm8k": ("gsm8k_train.jsonl", 7473),
    "math": ("math_competition.jsonl", 5000),
    "svamp": ("svamp.jsonl", 1000),
    "mbpp": ("mbpp.jsonl", 974),
    "code_contests": ("code_contests_sample.jsonl", 20),
    "ifeval": ("ifeval_prompts.jsonl", 541),
}
BENCHMARKS = {
    "math-500": "math500.jsonl",
    "aime-2024": "aime24.jsonl",
    "gsm8k-test": "gsm8k_test.jsonl",
    "humaneval": "humaneval.jsonl",
}


def test_every_source_up_to_generation(real_data: Path, tmp_path: Path) -> None:
    """All six question sets against four benchmarks: every row is accounted for, every removal explained."""
    everywhere, asked = ["math", "code", "choice", "instruction", "other"], ["math", "choice", "other"]
    with ChatServer(models=("nobody",)) as teacher:
        recipe = {
            "name": "everything",
            "data_dir": str(real_data),
            "sources": [
                {"name": name, "layout": name, "path": f"sources/{file}"} for name, (file, _) in SOURCES.items()
            ],
            "clean": {"figure": asked, "url": asked, "table": asked, "proof": ["math"], "garbled": everywhere},
            "decontaminate": {
                "benchmarks": [{"known": name, "path": f"benchmarks/{file}"} for name, file in BENCHMARKS.items()]
            },
            "distill": {"teacher": {"model": "nobody", "base_urls": [teacher.url], "max_tokens": 64}, "limit": 1},
            "run": {"store": str(tmp_path / "store")},
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        made = built(path, [], tmp_path / "out")
    funnel_rows = made.manifest["funnel"]
    for name, (_, n_rows) in SOURCES.items():
        counts = {
            row["stage"]: row["rows"] for row in funnel_rows if row["source"] == name and row["stage"] == "source"
        }
        accounted = sum(row["rows"] for row in funnel_rows if row["source"] == name and row["stage"] != "source")
        assert counts["source"] == n_rows == accounted
    gone = [row for row in table(tmp_path / "out", "dropped").to_pylist() if row["stage"] == "decontaminate"]
    assert all(set(BENCHMARKS) >= {row["reason"]} for row in gone)
    evidence = [json.loads(row["evidence"]) for row in gone]
    assert all(found["item"] and found["method"] and found["score"] and found["overlap"] for found in evidence)
    no_math_500_is_left(real_data, tmp_path / "out")

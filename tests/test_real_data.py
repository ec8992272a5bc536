"""Real question sets through the whole flow: GSM8K train and MATH against GSM8K test, MATH-500 and AIME 2024."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from chat_server import ChatServer
from small_run import funnel, table

from tracemill.text import exact_key

pytestmark = [pytest.mark.usefixtures("prefect_flows"), pytest.mark.needs_real_data]

RECIPE = Path(__file__).parent.parent / "recipes" / "gsm8k-math.yaml"


def test_gsm8k_and_math(real_data: Path, tmp_path: Path) -> None:
    """The funnel adds up to 12,473, no MATH-500 problem is left, and a second run sends no request."""
    from flows.build_dataset import build_dataset

    out = tmp_path / "out"
    with ChatServer(models=("demo-teacher",)) as teacher:
        overrides = [
            f"data_dir={real_data}",
            f"run.store={tmp_path / 'store'}",
            f"distill.teacher.base_urls={json.dumps([teacher.url])}",
            "distill.limit=50",
        ]
        counts = funnel(build_dataset(str(RECIPE), overrides, out=str(out)))
        asked = teacher.received
        again = build_dataset(str(RECIPE), overrides, out=str(out))
        assert (again.n_executed, teacher.received) == (0, asked)
    dropped = sum(n for key, n in counts.items() if key.split("/")[0] not in {"source", "published"})
    assert counts["source/rows"] == 12_473 == counts["published/rows"] + dropped
    assert counts["verify/incorrect"] >= 45, "the chat server knows nothing of such problems"
    assert asked <= 50

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

"""Real question sets against real benchmarks: every copy is found, and every other removal is one that was read."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.runs.samples import problem
from tracemill.core import Dropped, Problem, table_of
from tracemill.decontaminate.benchmarks import items_of
from tracemill.decontaminate.decontaminate import decontaminate
from tracemill.decontaminate.index import ITEMS, BenchmarkIndex
from tracemill.recipe.sections.decontaminate import Benchmark, Decontaminate

pytestmark = pytest.mark.needs_real_data

FILES = {"math-500": "math500", "aime-2024": "aime24", "gsm8k-test": "gsm8k_test", "humaneval": "humaneval"}
# Rows of the MATH test split that go though they are not in MATH-500, read one by one: docs/decontamination.md.
SAME_QUESTION = {652}
SAME_DATA = {1421, 4530, 4883}  # another question about the same things
LIKE_AN_ITEM = {404, 538, 656, 1050, 1105, 1332, 2037, 2540, 2641, 2737, 2768, 2953, 4468}  # dropped wrongly


@functools.cache
def index_of(folder: Path) -> BenchmarkIndex:
    named = [Benchmark(known=known, path=f"benchmarks/{file}.jsonl") for known, file in FILES.items()]  # type: ignore[arg-type]
    items = [item for benchmark in named for item in items_of(benchmark, str(folder))]
    return BenchmarkIndex(pa.Table.from_pylist(items, schema=ITEMS))


def rows(real_data: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (real_data / f"{name}.jsonl").read_text().splitlines() if line.strip()]


def dropped(real_data: Path, name: str, *columns: str) -> list[Dropped]:
    texts = [" ".join(row[column] for column in columns) for row in rows(real_data, f"sources/{name}")]
    problems = table_of(Problem, [problem(text, row=number) for number, text in enumerate(texts)])
    return decontaminate(problems, index_of(real_data), Decontaminate().overlap()).dropped


def test_math_500_is_found_in_math(real_data: Path) -> None:
    """All 500 items are found by their own rows; of the other 4,500 rows only those that were read are dropped."""
    found = dropped(real_data, "math_competition", "problem")
    items = {row["problem"]: row["unique_id"] for row in rows(real_data, "benchmarks/math500")}
    copies = [row for row in found if row.prompt in items]
    assert sorted(row.evidence["item"] for row in copies) == sorted(items.values())
    assert {row.evidence["score"] for row in copies} == {1.0}
    assert {row.row for row in found if row.prompt not in items} == SAME_QUESTION | SAME_DATA | LIKE_AN_ITEM


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("gsm8k_train", ["question"]),
        ("svamp", ["Body", "Question"]),
        ("mbpp", ["text"]),
        ("ifeval_prompts", ["prompt"]),
    ],
)
def test_sets_that_share_nothing_lose_nothing(real_data: Path, name: str, columns: list[str]) -> None:
    """Training sets and unrelated sets are no contamination of GSM8K's test, MATH-500, AIME or HumanEval."""
    assert dropped(real_data, name, *columns) == []

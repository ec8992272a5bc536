"""Collect … label without generation: time by stage and memory at 1.4M questions, and the time of a tenth of them.

``TRACEMILL_REAL_DATA=DIR python -m benchmarks.curation.all_stages [--rows 1400000]``

First every real source against every real benchmark, with the slowest rows by name; then questions of
``benchmarks/curation/questions.py`` in a tenth of the number and in full, against the same benchmarks, each in a
process of its own. The stages are those of the build, called one after the other in one thread, without Prefect (its
own cost: ``benchmarks.engine.orchestration``). All rules of cleaning are on, as in recipes/am-1.4m.yaml.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.curation.questions import questions, real_questions
from benchmarks.engine.measured_run import OneByOne
from flows.build_dataset import prepare
from flows.phases.decontaminate import benchmarks_of
from flows.phases.duplicates import curate
from flows.phases.shards import ShardHistory, labellings
from tasks.engine.stage import StageTask
from tasks.label import measure_plan
from tracemill.clean.clean import clean
from tracemill.decontaminate.decontaminate import decontaminate
from tracemill.decontaminate.index import BenchmarkIndex
from tracemill.publish import Funnel
from tracemill.publish.funnel import render
from tracemill.recipe import Recipe, parse_recipe
from tracemill.store import Manifest, Shard, Store
from verifiers.reference_reader import VerifiersReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

REAL = {
    "gsm8k": "gsm8k_train.jsonl",
    "math": "math_competition.jsonl",
    "svamp": "svamp.jsonl",
    "mbpp": "mbpp.jsonl",
    "code_contests": "code_contests_sample.jsonl",
    "ifeval": "ifeval_prompts.jsonl",
}
BENCHMARKS = {
    "math-500": "math500.jsonl",
    "aime-2024": "aime24.jsonl",
    "gsm8k-test": "gsm8k_test.jsonl",
    "humaneval": "humaneval.jsonl",
}
SLOWEST = 5


class TimedRun(OneByOne[Recipe]):
    """Notes how long each stage takes, over all shards."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        super().__init__(recipe, store, logging.getLogger("curation"))
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def step(self, stage: StageTask, section: Any, inputs: Mapping[str, Shard]) -> Manifest:
        """Return one step."""
        began = time.perf_counter()
        manifest = super().step(stage, section, inputs)
        self.seconds[stage.name] += time.perf_counter() - began
        return manifest


def main() -> None:
    """Print the real funnel, the slowest rows, the stages' times, and one line with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_400_000)
    parser.add_argument("--real-rows", type=int, help="at most so many real rows of each file (default: all)")
    parser.add_argument("--child", type=Path, help="prepare what the recipe in this folder names, and report")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_child(options.child)))
        return
    data = Path(os.environ["TRACEMILL_REAL_DATA"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _real(data, folder / "real", options.real_rows)
        tenth = _synthetic(data, folder / "tenth", options.rows // 10)
        whole = _synthetic(data, folder / "whole", options.rows)
    ratio = whole["total"] / tenth["total"]
    print(
        f"t({options.rows:,}) / t({options.rows // 10:,}) = {ratio:.2f}; {whole['total']:.0f} s, "
        f"{options.rows / whole['total']:,.0f} rows/s in one thread, {whole['gb']:.2f} GB resident"
    )


def _recipe(folder: Path, data: Path, sources: list[dict[str, Any]]) -> Path:
    everywhere = ["math", "code", "choice", "instruction", "other"]
    asked = ["math", "choice", "other"]
    recipe = {
        "name": "curation",
        "data_dir": str(data),
        "sources": sources,
        "clean": {
            "languages": ["en", "zh"], "strip_labels": ["math", "choice"], "incomplete": everywhere,
            "garbled": everywhere, "figure": asked, "url": asked, "table": asked, "proof": ["math"],
            "multi_part": ["math"], "unusable_reference": ["math", "choice"],
        },
        "decontaminate": {
            "benchmarks": [{"known": name, "path": f"benchmarks/{file}"} for name, file in BENCHMARKS.items()]
        },
        "distill": {"teacher": {"model": "nobody"}},
        "run": {"store": str(folder / "store")},
    }  # fmt: skip
    folder.mkdir(parents=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _prepared(path: Path) -> tuple[TimedRun, dict[str, ShardHistory], Shard]:
    recipe = parse_recipe(yaml.safe_load(path.read_text()))
    context = TimedRun(recipe, Store(recipe.run.store))
    context.store.prepare()
    benchmarks = benchmarks_of(context)
    labelling = labellings(recipe, measure_plan(recipe.label, recipe.data_dir), context.ledger)
    prepared, _ = prepare(context, *curate(context), benchmarks, labelling)
    return context, prepared, benchmarks.items


def _real(data: Path, folder: Path, most: int | None) -> None:
    sources = [{"name": name, "path": str(folder / file), "layout": name} for name, file in REAL.items()]
    recipe = _recipe(folder, data, sources)
    for file in REAL.values():
        with (data / "sources" / file).open("rb") as whole:
            (folder / file).write_bytes(b"".join(islice(whole, most)))
    context, histories, items = _prepared(recipe)
    funnel = Funnel()
    for history in histories.values():
        funnel.add(history.source, history.manifests)
    print(render(funnel.table()))
    print(f"\nslowest rows, of the stages that look at rows one by one\n{_slowest(context, histories, items)}\n")


def _slowest(context: TimedRun, histories: dict[str, ShardHistory], items: Shard) -> str:
    """Return the rows that take longest to clean and to compare, each alone, at its best of five."""
    rules, reader = context.recipe.decontaminate.overlap(), VerifiersReader()
    index = BenchmarkIndex(context.store.read_table(items))
    stages: dict[str, Callable[[pa.Table], object]] = {
        "clean": lambda row: clean(row, context.recipe.clean, reader),
        "decontaminate": lambda row: decontaminate(row, index, rules),
    }
    tables = [context.store.read_table(history.manifests[0].outputs["kept"]) for history in histories.values()]
    rows = [(stage, table.slice(row, 1)) for stage in stages for table in tables for row in range(table.num_rows)]
    stood_out = sorted(rows, key=lambda found: -_seconds(stages[found[0]], found[1]))[: 10 * SLOWEST]
    best = [(min(_seconds(stages[stage], row) for _ in range(5)), stage, row) for stage, row in stood_out]
    return "\n".join(
        f"  {1e3 * seconds:7.1f} ms  {stage:14} {row['source'][0]} row {row['row'][0]}, "
        f"{len(row['prompt'][0].as_py()):,} characters"
        for seconds, stage, row in sorted(best, key=lambda found: -found[0])[:SLOWEST]
    )


def _seconds(work: Callable[[pa.Table], object], row: pa.Table) -> float:
    began = time.perf_counter()
    work(row)
    return time.perf_counter() - began


def _synthetic(data: Path, folder: Path, n_rows: int) -> dict[str, Any]:
    source = {"name": "questions", "path": str(folder / "questions.jsonl"), "layout": "plain"}
    _recipe(folder, data, [source])
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for shard in questions(real_questions(data), n_rows).shards:
            for row in shard.select(["prompt", "reference_answer", "category"]).to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    command = [sys.executable, "-m", "benchmarks.curation.all_stages", "--child", str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in found["seconds"].items())
    print(f"{n_rows:9,} rows: {found['total']:.1f} s, {found['gb']:.2f} GB resident, {found['left']:,} left; {stages}")
    return found


def _child(folder: Path) -> dict[str, Any]:
    began = time.perf_counter()
    context, histories, _ = _prepared(folder / "recipe.yaml")
    return {
        "total": time.perf_counter() - began,
        "seconds": dict(context.seconds),
        "left": sum(history.current.rows for history in histories.values()),
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


if __name__ == "__main__":
    main()

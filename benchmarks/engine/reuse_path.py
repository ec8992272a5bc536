"""The reuse path: rows that bring their traces, from a compressed file to a published dataset, : the least it takes.

``python -m benchmarks.engine.reuse_path [--rows 20000] [--workers N] [--kind threads|processes] [--folder DIR]
[--keep] [--datatrove-python PYTHON]``

Rows are in the reference dataset's layout, with traces of 11,500 characters in the middle, in prose of random words and
formulas that ends in the right answer; they go through every stage (collect, clean, MinHash, decontaminate against
planted benchmarks or those in TRACEMILL_REAL_DATA, label, reuse, verify, quality, select, export), and no teacher is
asked. The floor is what no program can save: the file is decompressed and parsed once, and written once as Parquet and
once as compressed JSON lines. Processor seconds are those of the build's whole process tree, Prefect's server included.
Where an interpreter with datatrove is named, or this one has it, its Gopher repetition filter and MinHash signatures
run over the same texts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import logging
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import yaml
import zstandard
from prefect import Task

from benchmarks.engine.measured_run import OneByOne, Used, measured_run
from tasks.engine.stage import StageTask
from tracemill.core import Section

WORDS_A_TRACE = 1_750  # of 6.5 characters with their blank: 11,500 characters
SHARD_ROWS = 1_000
ROWS_A_FRAME = 10_000
_SYLLABLES = [f"{head}{tail}" for head in "bcdfghjklmnprstvwz" for tail in ("a", "en", "or", "ist", "um", "al", "ing")]
# A word in five of a trace: as plainly English as most of the reference dataset's traces are to the language guess.
_ENGLISH = [
    "the",
    "and",
    "what",
    "how",
    "many",
    "that",
    "this",
    "with",
    "from",
    "if",
    "there",
    "we",
    "is",
    "of",
    "to",
    "number",
    "value",
    "find",
    "each",
    "then",
]
_JOINTS = ["so that", "which gives", "and then", "because", "wait, let me check", "therefore", "we have", "it follows"]


def main() -> None:
    """Print the multiple of the floor, cores used, the largest process, and rows/s."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=None, help="run.workers; the recipe's default if not given")
    parser.add_argument("--kind", default=None, help="run.runner.kind; the recipe's default if not given")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go; a temporary folder if not given")
    parser.add_argument("--keep", action="store_true", help="leave the files in the folder")
    parser.add_argument(
        "--datatrove-python",
        default=sys.executable if importlib.util.find_spec("datatrove") else None,
        help="interpreter of an environment that has datatrove and zstandard; this one, where it has datatrove",
    )
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="reuse-path-"))
    try:
        report(folder, given.rows, given.workers, given.kind, given.datatrove_python)
    finally:
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)


def report(
    folder: Path, n_rows: int, workers: int | None = None, kind: str | None = None, datatrove: str | None = None
) -> Used:
    """Run the whole path once, and prints what it took beside the floor."""
    recipe = write_inputs(folder, n_rows, workers, kind)
    floor_s = floor(folder / "rows.jsonl.zst", folder / "floor")
    command = [sys.executable, "-m", "flows.build_dataset", str(recipe), "--out", str(folder / "out")]
    built = measured_run(command, folder / "build.log")
    whole = built.whole
    n_published = json.loads((folder / "out" / "manifest.json").read_text())["files"]["am.jsonl.zst"]["rows"]
    print(
        f"{n_rows:,} rows, {n_published:,} published: {whole.cpu_s / floor_s:.1f} x the floor of {floor_s:.1f} s "
        f"({whole.cpu_s:.0f} processor seconds), {whole.cores:.2f} cores used "
        f"({whole.wanted:.2f} with those waited for), {n_rows / whole.wall_s:,.0f} rows/s; "
        f"largest process {built.largest_gb:.2f} GB, all {built.all_gb:.2f} GB"
    )
    for phase, (wall_s, cpu_s, waited_s) in built.phases.items():
        print(f"  {phase:16} {wall_s:8.1f} s, {cpu_s:8.1f} processor s, {waited_s:8.1f} s waited for a core")
    for stage, seconds in stage_costs(folder / "stages", min(n_rows, 2_000)).items():
        print(f"  {stage:16} {seconds * 1e6:8,.0f} processor us a row, {1 / seconds:10,.0f} rows/s")
    if datatrove is not None:
        rate = datatrove_rate(datatrove, folder / "rows.jsonl.zst", min(n_rows, 2_000))
        print(
            f"datatrove's Gopher repetition filter and MinHash signatures alone: {rate:,.0f} rows a processor second, "
            f"the whole path here {n_rows / whole.cpu_s:,.0f}"
        )
    return built


def write_inputs(folder: Path, n_rows: int, workers: int | None = None, kind: str | None = None) -> Path:
    """Write the rows, the benchmarks and the recipe; returns the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_rows(folder / "rows.jsonl.zst", n_rows)
    run: dict[str, Any] = {"store": str(folder / "store"), "progress_every_s": 10}
    run |= {} if workers is None else {"workers": workers}
    run |= {} if kind is None else {"runner": {"kind": kind}}
    recipe = {
        "name": "reuse-path",
        "data_dir": str(folder),
        "sources": [{"name": "am", "path": "rows.jsonl.zst", "layout": "am", "category": "math"}],
        "collect": {"shard_rows": SHARD_ROWS},
        "decontaminate": {"benchmarks": _benchmarks(folder)},
        "distill": {"teacher": None},  # every row's own trace is right
        "run": run,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _write_rows(path: Path, n_rows: int) -> None:
    """Write the rows, compressed in frames that are made side by side: 1.4 million take one core half an hour."""
    firsts = range(0, n_rows, ROWS_A_FRAME)
    lengths = [min(ROWS_A_FRAME, n_rows - first) for first in firsts]
    with path.open("wb") as file:
        if len(firsts) == 1:
            file.write(_frame(0, n_rows))
            return
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
            for frame in processes.map(_frame, firsts, lengths):
                file.write(frame)


def _frame(first: int, n_rows: int) -> bytes:
    lines = [orjson.dumps(row) + b"\n" for row in am_rows(n_rows, f"rows {first}", first)]
    return zstandard.ZstdCompressor(level=3).compress(b"".join(lines))


def _benchmarks(folder: Path) -> list[dict[str, Any]]:
    real = Path(os.environ.get("TRACEMILL_REAL_DATA", "/nonexistent"), "benchmarks")
    found = [(name, real / f"{name}.jsonl") for name in ("math500", "gsm8k_test", "aime24")]
    present = [(name, file) for name, file in found if file.is_file()]
    if not present:
        chance = random.Random("planted")  # noqa: S311 - texts, not secrets
        planted = folder / "planted.jsonl"
        planted.write_text("".join(json.dumps({"problem": _prompt(chance, i)[0]}) + "\n" for i in range(500)))
        present = [("planted", planted)]
    return [{"name": name, "path": str(file)} for name, file in present]


def am_rows(n_rows: int, seed: str, first: int) -> Iterator[dict[str, Any]]:
    """Yield rows in the reference dataset's layout, each with a right trace, numbered from ``first``."""
    chance = random.Random(seed)  # noqa: S311 - texts, not secrets
    words = vocabulary(random.Random("words"))  # noqa: S311
    mixed = words + _ENGLISH * (len(words) // (4 * len(_ENGLISH)))
    for number in range(first, first + n_rows):
        prompt, answer = _prompt(chance, number, words)
        think = _trace(chance, mixed, number)
        final = f"{_sentence(chance, mixed, 24)} Hence the result is \\boxed{{{answer}}}."
        unset = {"think_content": None, "answer_content": None}
        asked = {"source": "reuse-path", "reference_answer": str(answer), "test_case": None, **unset}
        said = {"source": "am-0309", "reference_answer": None, "test_case": None}
        yield {
            "messages": [
                {"role": "user", "content": prompt, "info": asked},
                {
                    "role": "assistant",
                    "content": f"<think>{think}</think>\n<answer>{final}</answer>",
                    "info": {**said, "think_content": think, "answer_content": final},
                },
            ]
        }


def vocabulary(chance: random.Random) -> list[str]:
    """Words of the usual lengths; those of a language that nobody speaks."""
    return ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(8_000)]


def _prompt(chance: random.Random, number: int, words: list[str] | None = None) -> tuple[str, int]:
    a, b, c = chance.randint(2, 999), chance.randint(2, 99), number
    told = _sentence(chance, words or vocabulary(chance), 26)
    return f"{told} There were ${a}$ of them in each of ${b}$ places, and {c} beside. How many in all?", a * b + c


def _sentence(chance: random.Random, words: list[str], n_words: int) -> str:
    drawn = chance.choices(words, k=n_words)
    return f"{' '.join(drawn).capitalize()}."


def _trace(chance: random.Random, words: list[str], number: int) -> str:
    parts = []
    left = max(60, int(chance.gauss(WORDS_A_TRACE, 300)))
    while left > 0:
        length = chance.randint(8, 22)
        left -= length + 2
        parts.append(f"{chance.choice(_JOINTS).capitalize()} {_sentence(chance, words, length)}")
        if chance.random() < 0.2:
            parts.append(f"So \\frac{{{chance.randint(1, 99)}}}{{{number + 2}}} + x^2 = {chance.randint(1, 9999)}.\n\n")
    return " ".join(parts)


def floor(file: Path, folder: Path) -> float:
    """Processor seconds of reading the rows once and writing them once as Parquet and once as compressed JSON lines."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    begun = time.process_time()
    with (
        file.open("rb") as stream,
        (folder / "rows.jsonl.zst").open("wb") as written,
        zstandard.ZstdCompressor(level=6).stream_writer(written) as out,
        zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as plain,
    ):
        writer: Any = None
        rows: list[dict[str, Any]] = []

        def flush() -> None:
            nonlocal writer
            table = pa.Table.from_pylist(rows)
            writer = writer or pq.ParquetWriter(folder / "rows.parquet", table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            rows.clear()

        for line in io.BufferedReader(plain, 1 << 20):
            record = orjson.loads(line)
            asked, said = record["messages"]
            rows.append({"prompt": asked["content"], "answer": said["content"]})
            out.write(orjson.dumps(record) + b"\n")
            if len(rows) == SHARD_ROWS:
                flush()
        if rows:
            flush()
        writer.close()
    spent = time.process_time() - begun
    shutil.rmtree(folder)
    return spent


def stage_costs(folder: Path, n_rows: int) -> dict[str, float]:
    """Processor seconds a row of each stage, by a run of that many rows without Prefect; this process's alone."""
    from flows.build_dataset import build
    from tracemill.recipe import load_recipe
    from tracemill.store import Manifest, Shard, Store

    spent: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(name: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        spent[name] = spent.get(name, 0.0) + time.process_time() - begun

    class Timed(OneByOne[Any]):
        def step(self, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
            with timed(stage.name):
                return super().step(stage, section, inputs)

        def run_task(self, task: Task[..., Any], *arguments: Any, after: Iterable[Shard] = ()) -> Any:
            with timed(task.name):
                return super().run_task(task, *arguments, after=after)

    logger = logging.getLogger("reuse_path")
    warm, measured = (
        load_recipe(str(write_inputs(folder / name, n, kind="threads"))) for name, n in (("warm", 50), ("rows", n_rows))
    )
    for recipe in (warm, measured):
        spent.clear()
        build(Timed(recipe, Store(recipe.run.store), logger), f"{recipe.data_dir}/out")
    return {stage: seconds / n_rows for stage, seconds in spent.items()}


def datatrove_rate(python: str, file: Path, n_rows: int) -> float:
    """Rows a processor second of datatrove's Gopher repetition filter and MinHash signatures over the same texts."""
    command = [python, str(Path(__file__).with_name("datatrove_rate.py")), str(file), str(n_rows)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()

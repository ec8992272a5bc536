"""The row browser over a large run: how long a filter, a search and a row's page take, and what it holds in memory.

``python -m benchmarks.storage.browse_rows [--rows 1400000]``: makes a run of so many source rows, of which six in ten
are published, with a response or two each, and prompts of 300 characters of English; traces are short, since no filter
reads them. Every question is asked ``--rounds`` times over HTTP of a server in a process of its own; the slowest answer
counts. Memory is the most that this process ever held.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracemill.core import Dropped, Verdict
from tracemill.publish.manifest import MANIFEST
from tracemill.select import Sample
from tracemill.select.records import TRACES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_PER_FILE = 50_000
PUBLISHED_TENTHS = 6
MEMORY = "memory, GB"
NEEDLE = "a needle in the last row"
REASONS = ("clean/too_short", "deduplicate/near_duplicate", "decontaminate/aime", "verify/incorrect")
SENTENCE = (
    "A triangle has an integer perimeter; in how many ways can a sequence of apples be divided among trains so that "
    "the velocity of each is a function of the matrix of their probability, and no string of a circle is divisible by?"
)
QUESTIONS = (
    ("everything", "/"),
    ("stage and reason", "/?stage=verify&reason=incorrect"),
    ("source, category, outcome", "/?source=source-4&category=code&outcome=correct"),
    ("pass rate", "/?rate_from=1&rate_to=60"),
    ("frequent text", "/?text=triangle"),
    ("text of one row", f"/?text={quote(NEEDLE)}"),
    ("text nowhere", f"/?text={quote('not in any row')}"),
    ("text nowhere, in one source", f"/?source=source-7&text={quote('not in any row')}"),
)


def write_run(folder: Path, n_rows: int) -> list[str]:
    """Write what the browser reads of a run; returns ids of a published and of a dropped row."""
    rng = np.random.default_rng(1)
    prompts = pa.array([" ".join(rng.permutation(SENTENCE.split())) for _ in range(5_000)] + [NEEDLE])
    number = np.arange(n_rows)
    ids = pa.array([hashlib.sha256(str(each).encode()).hexdigest() for each in range(n_rows)])
    told = rng.integers(0, 5_000, n_rows)
    told[-1] = 5_000
    # With a number, so that no two are alike and Parquet stores each.
    asked = pc.binary_join_element_wise(prompts.take(told), pa.array(number).cast(pa.string()), " Number ")
    is_out = number % 10 < PUBLISHED_TENTHS
    out, lost = np.flatnonzero(is_out), np.flatnonzero(~is_out)
    source = pa.array([f"source-{each}" for each in range(30)])
    samples = {
        "id": ids.take(out),
        "response_id": ids.take(out),
        "source": source.take(out % 30),
        "category": pa.array(["math", "code", "choice"]).take(out % 3),
        "prompt": asked.take(out),
        "think": pa.array(["It is known. " * 15]).take(0 * out),
        "answer": pa.array(["It is 4."]).take(0 * out),
        "outcome": pa.array(["correct"]).take(0 * out),
        "n_correct": pa.array(1 + 0 * out, pa.int32()),
        "n_judged": pa.array(1 + (out % 3 == 0), pa.int32()),
    }
    where = pa.array([each.partition("/")[0] for each in REASONS])
    why = pa.array([each.partition("/")[2] for each in REASONS])
    dropped = {
        "id": ids.take(lost),
        "source": source.take(lost % 30),
        "row": pa.array(lost),
        "stage": where.take(lost // 10 % len(REASONS)),
        "reason": why.take(lost // 10 % len(REASONS)),
        "evidence": pa.array([f'{{"kept":"{ids[int(each)]}","method":"minhash"}}' for each in lost // 10 * 10]),
        "prompt": asked.take(lost),
    }
    answered = np.concatenate([number, number[::3]])
    responses = {
        "response_id": ids.take(answered),
        "problem_id": ids.take(answered),
        "outcome": pa.array(["incorrect", "correct"]).take(is_out[answered].astype(int)),
        "origin": pa.array(["teacher"]).take(0 * answered),
        "model": pa.array(["teacher"]).take(0 * answered),
        "verifier": pa.array(["math@5"]).take(0 * answered),
        "detail": pa.array(["the same text"]).take(0 * answered),
        "sample_index": pa.array(0 * answered, pa.int32()),
        "think_tokens": pa.array(0 * answered),
        "answer_tokens": pa.array(0 * answered),
    }
    _write(folder / "dataset", Sample.arrow, samples)
    _write(folder / "dropped", Dropped.arrow, dropped)
    _write(folder / "traces", TRACES, responses)
    _write(folder / "verdicts", Verdict.arrow, responses)
    (folder / MANIFEST).write_text(json.dumps({"key": "made", "files": {}}), encoding="utf-8")
    return [ids[int(out[-1])].as_py(), ids[int(lost[-1])].as_py()]


def _write(folder: Path, schema: pa.Schema, columns: dict[str, pa.Array]) -> None:
    """Write a table in files as a publication does; columns that are not given are null."""
    folder.mkdir(parents=True)
    n_rows = len(next(iter(columns.values())))
    for start in range(0, n_rows, ROWS_PER_FILE):
        here = {name: column.slice(start, ROWS_PER_FILE) for name, column in columns.items()}
        n_here = min(ROWS_PER_FILE, n_rows - start)
        arrays = [
            here[field.name].cast(field.type) if field.name in here else pa.nulls(n_here, field.type)
            for field in schema
        ]
        table = pa.table(arrays, schema=schema)
        pq.write_table(table, folder / f"part-{start:08d}.parquet", compression="zstd", row_group_size=1000)


def asked(url: str, rounds: int) -> float:
    """Return the seconds of the slowest answer; says how far a search came that ran out of its time."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        with urlopen(url) as answer:  # noqa: S310 - of the server below
            page = answer.read().decode()
        seconds.append(time.perf_counter() - start)
    partly = re.findall(r"looked through [\d.]+%", page)
    if partly:
        print(f"{url.partition('?')[2]}: {partly[0]}")
    return max(seconds)


def measured(run: Path, names: list[str], rounds: int) -> Iterator[tuple[str, float]]:
    """Yield what was asked of the browser and how long it took; first how long it took to be ready, last its memory."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tracemill", "browse", str(run), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline() if server.stdout else ""
        yield "until it answers", time.perf_counter() - start
        found = re.search(r"http://\S+(?=/)", line)
        url = found.group() if found else ""
        for name, path in (*QUESTIONS, *((f"page of a row, {name[:4]}", f"/row/{name}") for name in names)):
            yield name, asked(f"{url}{path}", rounds)
        # Not of RUSAGE_CHILDREN, which counts what this process held when it started that one.
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        yield MEMORY, int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1e6
    finally:
        server.terminate()
        server.wait()


def scanned(run: Path) -> float:
    """Return the seconds of a plain scan of the columns that one filter needs, as the median of three."""
    from pyarrow.dataset import dataset, field

    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        dataset(run / "dropped").scanner(
            columns=["id"], filter=(field("stage") == "verify") & (field("source") == "source-7")
        ).count_rows()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Print one line a measure, and one with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_400_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        names = write_run(run, arguments.rows)
        found = dict(measured(run, names, arguments.rounds))
        peak = found.pop(MEMORY)
        for name, seconds in found.items():
            print(f"{name:<32}{seconds:8.3f} s")
        scan = scanned(run)
        size = sum(path.stat().st_size for path in run.rglob("*.parquet"))
    filters = [found[name] for name, path in QUESTIONS if "text" not in path]
    print(
        f"{arguments.rows:,} rows ({size / 1e6:,.0f} MB): the slowest filter {max(filters):.3f} s, "
        f"{max(filters) / scan:.2f} x a plain scan of half of them ({scan:.3f} s); {peak:.2f} GB at most"
    )


if __name__ == "__main__":
    main()

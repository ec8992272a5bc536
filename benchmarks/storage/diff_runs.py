"""``python -m tracemill diff`` on two large runs: time and memory, beside reading every column of one of them.

``python -m benchmarks.storage.diff_runs [--rows 1400000]``: makes two datasets of rows with short texts; one row in a
hundred has another response, and as many are only in one of them. Memory is the most that the comparing process ever
held.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.core import Dropped, digest
from tracemill.publish.manifest import MANIFEST, rendered
from tracemill.select import Sample

ROWS_PER_FILE = 50_000


def record(number: int, run: str) -> dict[str, object]:
    """Return a row; one in a hundred differs between the runs."""
    empty = {field.name: None if pa.types.is_floating(field.type) else _empty(field.type) for field in Sample.arrow}
    said = run if number % 100 == 0 else ""
    return empty | {
        "id": digest(number),
        "response_id": digest(number, said),
        "source": f"source-{number % 30}",
        "category": "math",
        "prompt": f"What is {number} plus {number}?",
        "answer": "It is known. " * 20,
    }


def _empty(kind: pa.DataType) -> object:
    if pa.types.is_list(kind):
        return []
    if pa.types.is_boolean(kind):
        return False
    return 0 if pa.types.is_integer(kind) else ""


def write_run(folder: Path, run: str, first: int, n_rows: int) -> None:
    """A run's directory with what ``diff`` reads."""
    files = {}
    for start in range(first, first + n_rows, ROWS_PER_FILE):
        path = folder / "dataset" / f"train-{start:08d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [record(number, run) for number in range(start, min(start + ROWS_PER_FILE, first + n_rows))]
        pq.write_table(pa.Table.from_pylist(rows, schema=Sample.arrow), path, compression="zstd", row_group_size=1000)
        files[f"dataset/{path.name}"] = {"size": path.stat().st_size, "rows": len(rows), "sha256": _sha256(path)}
    (folder / "dropped").mkdir()
    pq.write_table(Dropped.arrow.empty_table(), folder / "dropped" / "part.parquet")
    (folder / MANIFEST).write_bytes(rendered({"key": run, "files": files, "funnel": []}))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Print one line a measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_400_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder, "a"), Path(folder, "b")
        write_run(a, "a", 0, rows)
        write_run(b, "b", rows // 100, rows)
        start = time.perf_counter()
        command = [sys.executable, "-m", "tracemill", "diff", str(a), str(b), "--json"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        start = time.perf_counter()
        for path in (a / "dataset").iterdir():
            pq.read_table(path)
        whole = time.perf_counter() - start
        print(f"{rows:,} rows each: {seconds:.1f} s, {peak:.2f} GB; reading one of them whole: {whole:.1f} s")
        print({name: found[name]["rows"] for name in ("added", "removed", "changed")})


if __name__ == "__main__":
    main()

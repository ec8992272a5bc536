"""Reading what the run starts from: the sources as raw shards, and the benchmarks."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from pydantic import Field

from tasks.stage import Produced, Work, stage
from tracemill.collection import RawShard
from tracemill.contamination import ITEMS
from tracemill.errors import SourceError, UnknownLayoutError
from tracemill.manifest import Manifest
from tracemill.recipe_decontaminate import Benchmark
from tracemill.recipe_section import Section
from tracemill.recipe_source import Source
from tracemill.sources.collect import fingerprint, raw_tables
from tracemill.sources.readers import files_of, read_file


class Snapshot(Section):
    """What the raw shards of a source depend on.

    Attributes:
        fingerprint: sizes and times of its files, or its Hub revision.
        published: chunk lengths by file that must be kept.
        limit: at most so many rows, from the beginning.
    """

    source: Source
    shard_rows: int
    fingerprint: list[Any]
    published: dict[str, list[int]]
    limit: int | None = None
    data_dir: str = Field(json_schema_extra={"operational": True})


@stage("snapshot", version=1, retries=0)
def snapshot_source(work: Work) -> Produced:
    """A source as raw shards, read once in constant memory; they are stored as they are read."""
    plan: Snapshot = work.section
    shards, files = {}, {}
    tables = raw_tables(plan.source, plan.data_dir, plan.shard_rows, plan.published, plan.limit)
    for number, table in enumerate(tables):
        name = f"raw-{number:05d}"
        shards[name], files[name] = work.store.write_table(table), table["file"][0].as_py()
    n_rows = sum(shard.rows for shard in shards.values())
    return Produced(shards, n_rows, n_rows, facts={"files": files})


def raw_shards(source: Source, manifest: Manifest) -> list[RawShard]:
    """The raw shards of a snapshot, in the order of the source."""
    files = manifest.facts["files"]
    return [
        RawShard(source=source.name, file=files[name], shard=shard) for name, shard in sorted(manifest.outputs.items())
    ]


class BenchmarkFiles(Section):
    """The benchmarks of a recipe and the state of their files."""

    benchmarks: tuple[Benchmark, ...]
    fingerprints: list[Any]
    data_dir: str = Field(json_schema_extra={"operational": True})


def benchmark_source(benchmark: Benchmark) -> Source:
    """A benchmark is read like any source."""
    return Source(name=benchmark.name, path=benchmark.path)


def benchmark_files(benchmarks: tuple[Benchmark, ...], data_dir: str) -> BenchmarkFiles:
    """The section of :func:`read_benchmarks`.

    Raises:
        SourceError: a benchmark's file is not there; never a silent skip.
    """
    found = [fingerprint(benchmark_source(benchmark), data_dir) for benchmark in benchmarks]
    return BenchmarkFiles(benchmarks=benchmarks, fingerprints=found, data_dir=data_dir)


@stage("benchmarks", version=1, retries=0)
def read_benchmarks(work: Work) -> Produced:
    """The questions of all benchmarks in one table."""
    items = [item for benchmark in work.section.benchmarks for item in _items(benchmark, work.section.data_dir)]
    return Produced({"items": pa.Table.from_pylist(items, schema=ITEMS)}, len(items), len(items))


def _items(benchmark: Benchmark, data_dir: str) -> list[dict[str, Any]]:
    source = benchmark_source(benchmark)
    rows = [row for path in files_of(source, data_dir) for row in read_file(path, source)]
    items = []
    for number, row in enumerate(rows):
        try:
            record = json.loads(row.raw)
        except ValueError as error:
            raise SourceError(
                f"benchmark {benchmark.name}: row {row.row} of {row.file} is not JSON",
                got=str(error),
                remedy="restore the file: a benchmark must be read whole, or contamination goes unnoticed",
            ) from error
        text = record.get(benchmark.text) if isinstance(record, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise UnknownLayoutError(
                f"benchmark {benchmark.name}: row {row.row} of {row.file} has no question",
                got=f"columns {', '.join(sorted(record)) if isinstance(record, dict) else type(record).__name__}",
                expected=f"text in column {benchmark.text}",
                remedy="name the column of the question in decontaminate.benchmarks[].text",
            )
        items.append({"benchmark": benchmark.name, "item": number, "text": text})
    return items

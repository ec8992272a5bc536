"""Reading what the run starts from: the sources as raw shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tracemill.core import Problem, Section, table_of
from tracemill.core.traces import TraceText, set_apart
from tracemill.sources import Source, collected, raw_tables
from tracemill.store import Manifest, RawShard, Shard, Store

_WRITERS: Final = 2
# Is told of each raw shard as soon as it is stored, in order, by the thread that reads: what works on the shards need
# not wait for the whole source. What it raises ends the reading. A snapshot that is found, or that another process has
# made, tells nothing.
STORED_SHARD: Final[ContextVar[Callable[[RawShard], None] | None]] = ContextVar("stored_shard", default=None)


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


@task(name="snapshot", task_run_name="snapshot {label}", version="1", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def snapshot_source(work: Work) -> Produced:
    """A source as raw shards, read once in constant memory; they are stored while it is read on."""
    plan: Snapshot = work.section
    shards, files = {}, {}
    notes: list[str] = []
    tell = STORED_SHARD.get()
    tables = raw_tables(plan.source, plan.data_dir, plan.shard_rows, plan.published, plan.limit, notes)
    for number, (table, shard) in enumerate(_stored(tables, work.store)):
        name = f"raw-{number:05d}"
        shards[name], files[name] = shard, table["file"][0].as_py()
        if tell is not None:
            tell(RawShard(source=plan.source.name, file=files[name], shard=shard))
    n_rows = sum(shard.rows for shard in shards.values())
    return Produced(shards, n_rows, n_rows, facts={"files": files, "notes": notes})


def _stored(tables: Iterable[pa.Table], store: Store) -> Iterator[tuple[pa.Table, Shard]]:
    """Each table's first row and its handle, in order; compressed and written by other threads than read the source."""
    waiting: deque[tuple[pa.Table, Future[Shard]]] = deque()
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="snapshot") as writers:
        for table in tables:
            waiting.append((table.slice(0, 1), writers.submit(store.write_table, table)))
            while waiting and (waiting[0][1].done() or len(waiting) > 2 * _WRITERS):
                head, written = waiting.popleft()
                yield head, written.result()
        for head, written in waiting:
            yield head, written.result()


def raw_shards(source: Source, manifest: Manifest) -> list[RawShard]:
    """Return the raw shards of a snapshot, in the order of the source."""
    files = manifest.facts["files"]
    return [
        RawShard(source=source.name, file=files[name], shard=manifest.outputs[name])
        for name in sorted(manifest.outputs, key=lambda name: (len(name), name))
    ]


@task(name="collect", task_run_name="collect {label}", version="7", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="raw", drops=True, computes=True)
def collect_shard(work: Work) -> Produced:
    """Raw rows -> problems, by the adapter of the source's layout; texts of traces go into a table of their own."""
    raw = work.table("raw")
    kept, dropped, facts = collected(raw, work.section)
    problems, texts = set_apart(kept)
    found = split(raw.num_rows, problems, Problem, dropped, **facts)
    return replace(found, outputs={**found.outputs, "texts": table_of(TraceText, texts)})

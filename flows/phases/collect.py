"""The sources of a run as raw shards: read once, and not again while their files are as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from flows.engine.context import RunContext
from flows.engine.runners import WORTH_PROCESSES
from flows.phases.shards import ShardHistory
from tasks.engine.stage import key_of
from tasks.snapshot import Snapshot, raw_shards, snapshot_source
from tracemill.core import Dropped, rows_of
from tracemill.sources import Source, fingerprint
from tracemill.sources.lost_sources import COLUMNS, EXAMPLES, MALFORMED, Collected, much_lost, refuse_empty, refuse_lost
from tracemill.store import Collection, Manifest, RawShard, Shard, load_collection

_LARGE_ROW = 20_000  # bytes in a file: rows with traces, compressed or not, have fewer


def read_sources(context: RunContext[Any], limit: int | None = None) -> Collection:
    """Return every source as raw shards, and in which batch each shard is.

    A source whose files have not been touched since the last time is not read again.

    Args:
        context: of the run.
        limit: at most so many rows of each source, from its beginning.

    Raises:
        SourceError: a source cannot be read, or has no rows.
    """
    recipe = context.recipe
    before = load_collection(context.store, recipe.name)
    present: list[RawShard] = []
    snapshots: dict[str, str] = {}
    for source in recipe.sources:
        manifest, state = _read_source(context, source, before, limit)
        for note in manifest.facts.get("notes", []):
            context.logger.warning("source %s: %s", source.name, note)
        refuse_empty(source, recipe.data_dir, manifest.rows_in)
        present += raw_shards(source, manifest)
        snapshots[state] = manifest.key
    n_rows = sum(raw.shard.rows for raw in present)
    context.compute_with(n_rows)
    collection = before.grown(present, snapshots)
    context.logger.info(
        "%d sources, %s rows in %d shards, batch %d",
        len(recipe.sources),
        f"{n_rows:,}",
        len(present),
        len(collection.batches),
    )
    return collection


def _read_source(
    context: RunContext[Any], source: Source, before: Collection, limit: int | None
) -> tuple[Manifest, str]:
    """Return the snapshot of a source, and the key of the state that its files are in."""
    recipe = context.recipe
    plan = Snapshot(
        source=source,
        shard_rows=recipe.collect.shard_rows,
        fingerprint=fingerprint(source, recipe.data_dir),
        published={},
        limit=limit,
        data_dir=recipe.data_dir,
    )
    state = key_of(snapshot_source, plan, {})
    standing = context.store.find("snapshot", before.snapshots.get(state, ""))
    if standing is not None:
        context.n_cached += 1
        return standing, state
    if limit is None or limit >= WORTH_PROCESSES:
        context.compute_with(_rows_at_least(plan), soon=True)
    plan = plan.model_copy(update={"published": before.chunk_lengths(source.name)})
    return context.single(snapshot_source, plan, {}, source.name), state


def _rows_at_least(plan: Snapshot) -> int:
    """So many rows are in the files of a source for certain, by their sizes; 0 where these are not known."""
    if plan.source.hub is not None:
        return 0
    return sum(int(size) for _, size, *_ in plan.fingerprint) // _LARGE_ROW


def refuse_lost_sources(context: RunContext[Any], histories: Iterable[ShardHistory]) -> None:
    """Stop the run where nothing is left of a source, or a column that it names is in no row.

    Args:
        context: of the run.
        histories: of all shards; the first step of each is the one that collects.

    Raises:
        SourceError: see :func:`tracemill.sources.lost_sources.refuse_lost`.
    """
    found: dict[str, Collected] = {}
    dropped: dict[str, list[Shard]] = {}
    for history in histories:
        first = history.manifests[0]
        found[history.source] = found.get(history.source, Collected()) + _collected(first)
        dropped.setdefault(history.source, []).append(first.outputs["dropped"])
    for source in context.recipe.sources:
        total = found.get(source.name, Collected())
        tables = dropped.get(source.name, [])[:1] if total.rows and not total.kept else []
        examples = [row for table in tables for row in rows_of(Dropped, context.store.read_table(table))]
        refuse_lost(source, total, examples[:EXAMPLES])
        told = much_lost(source, total)
        if told:
            context.logger.warning(told)


def _collected(manifest: Manifest) -> Collected:
    return Collected(
        rows=manifest.rows_in,
        kept=manifest.rows_kept,
        dropped=Counter({reason.partition("/")[2]: count for reason, count in manifest.dropped.items()}),
        malformed=manifest.facts.get(MALFORMED, 0),
        columns=frozenset(manifest.facts.get(COLUMNS, [])),
    )


def shard_labels(collection: Collection) -> list[str]:
    """Return what each shard is called in the UI, in the order of the collection."""
    return [f"{number:05d}-{raw.source}" for number, raw in enumerate(collection.shards())]

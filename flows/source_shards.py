"""The sources of a run as raw shards: read once, and not again while their files are as they were."""

from __future__ import annotations

from typing import Any

from flows.run_context import RunContext
from tasks.read import Snapshot, raw_shards, snapshot_source
from tracemill.collection import Collection, RawShard, load_collection
from tracemill.manifest import Manifest
from tracemill.recipe_source import Source
from tracemill.sources.collect import fingerprint


def read_sources(context: RunContext[Any], limit: int | None = None) -> Collection:
    """Every source as raw shards, and in which batch each shard is.

    A source whose files have not been touched since the last time is not read again.

    Args:
        context: of the run.
        limit: at most so many rows of each source, from its beginning.

    Raises:
        SourceError: a source cannot be read.
    """
    recipe = context.recipe
    before = load_collection(context.store, recipe.name)
    present: list[RawShard] = []
    snapshots: dict[str, str] = {}
    for source in recipe.sources:
        manifest, state = _read_source(context, source, before, limit)
        present += raw_shards(source, manifest)
        snapshots[state] = manifest.key
    collection = before.grown(present, snapshots)
    context.logger.info(
        "%d sources, %s rows in %d shards, batch %d",
        len(recipe.sources),
        f"{sum(raw.shard.rows for raw in present):,}",
        len(present),
        len(collection.batches),
    )
    return collection


def _read_source(
    context: RunContext[Any], source: Source, before: Collection, limit: int | None
) -> tuple[Manifest, str]:
    """The snapshot of a source, and the key of the state that its files are in."""
    recipe = context.recipe
    plan = Snapshot(
        source=source,
        shard_rows=recipe.collect.shard_rows,
        fingerprint=fingerprint(source, recipe.data_dir),
        published={},
        limit=limit,
        data_dir=recipe.data_dir,
    )
    state = snapshot_source.key(plan, {})
    standing = context.store.find("snapshot", before.snapshots.get(state, ""))
    if standing is not None:
        context.n_cached += 1
        return standing, state
    plan = plan.model_copy(update={"published": before.chunk_lengths(source.name)})
    return context.single(snapshot_source, plan, {}, source.name), state


def shard_labels(collection: Collection) -> list[str]:
    """What each shard is called in the UI, in the order of the collection."""
    return [f"{number:05d}-{raw.source}" for number, raw in enumerate(collection.shards())]

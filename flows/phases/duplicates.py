"""From raw shards to what is nobody's duplicate: curate every shard, cluster over all of them, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from flows.engine.context import RunContext
from flows.phases.collect import read_through, refuse_lost_sources, shard_labels
from flows.phases.shards import ShardHistory, curate_one
from tasks.duplicates import DeduplicateBatch, deduplicate_batch
from tracemill.recipe import Recipe
from tracemill.store import Collection, Shard


@dataclass(frozen=True)
class Duplicates:
    """What goes.

    Attributes:
        decisions: by shard label.
        facts: of each batch's clustering: see ``tracemill.dedup.conflict_report``.
    """

    decisions: dict[str, Shard]
    facts: tuple[dict[str, Any], ...]


def curate(context: RunContext[Recipe], limit: int | None = None) -> tuple[Collection, dict[str, ShardHistory]]:
    """Read the sources, and collect, clean and sign every shard, as soon as it is stored.

    Args:
        context: of the run.
        limit: at most so many rows of each source, from its beginning.

    Returns:
        The collection, and the shards by label, in its order.

    Raises:
        SourceError: a source cannot be read, or nothing of it is left.
    """
    one = partial(curate_one, recipe=context.recipe)
    collection, curated = read_through(context, "curate", "sign", one, limit)
    refuse_lost_sources(context, curated.values())
    return collection, curated


def cluster_duplicates(
    context: RunContext[Recipe], collection: Collection, curated: dict[str, ShardHistory]
) -> Duplicates:
    """Return one clustering per batch, each against all that the batches before it kept."""
    labels = iter(shard_labels(collection))
    decisions: dict[str, Shard] = {}
    earlier: dict[str, Shard] = {}
    facts = []
    for number, batch in enumerate(collection.batches):
        in_batch = {raw.source for raw in batch}
        section = DeduplicateBatch(
            settings=context.recipe.deduplicate.by_words(),
            priority=tuple(source.name for source in context.recipe.sources if source.name in in_batch),
        )
        batch_labels = [next(labels) for _ in batch]
        inputs = {
            f"signatures-{i:05d}": curated[label].outputs("signatures")[-1] for i, label in enumerate(batch_labels)
        }
        found = context.single(deduplicate_batch, section, inputs | earlier, f"batch {number}")
        decisions |= {label: found.outputs[f"decisions-{i:05d}"] for i, label in enumerate(batch_labels)}
        earlier |= {f"earlier-{name}": shard for name, shard in _numbered(inputs | found.outputs, number)}
        facts.append(found.facts)
    return Duplicates(decisions, tuple(facts))


def _numbered(shards: dict[str, Shard], batch: int) -> Iterator[tuple[str, Shard]]:
    """Yield signatures and decisions of a batch, with its number in their names."""
    for name, shard in shards.items():
        kind, _, place = name.partition("-")
        yield f"{kind}-{batch:04d}-{place}", shard

"""Semantic duplicates in the build: embed every shard's survivors of MinHash, then merge batch by batch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flows.phases.collect import shard_labels
from flows.phases.duplicates import Duplicates
from tasks.duplicates import MergeBatch, drop_duplicates_shard, embed_shard, merge_batch
from tasks.engine.work import NoSettings

if TYPE_CHECKING:
    from flows.engine.context import RunContext
    from flows.engine.steps import Step
    from flows.phases.shards import ShardHistory
    from tracemill.recipe import Recipe
    from tracemill.recipe.sections.deduplicate import Embedding, Semantic
    from tracemill.store import Collection, Manifest, Shard


def embed_survivors(
    context: RunContext[Recipe], embedding: Embedding, curated: dict[str, ShardHistory], decisions: dict[str, Shard]
) -> dict[str, Manifest]:
    """Return vectors of what MinHash leaves, and rows that could not be embedded; by shard label."""
    work = {
        label: partial(embed_one, history=history, decisions=decisions[label], embedding=embedding)
        for label, history in curated.items()
    }
    return context.phase("embed", "embed", work, after=decisions.values())


def merge_duplicates(
    context: RunContext[Recipe],
    settings: Semantic,
    collection: Collection,
    curated: dict[str, ShardHistory],
    decisions: dict[str, Shard],
    embedded: dict[str, Manifest],
) -> Duplicates:
    """MinHash's decisions and those by meaning; each batch against all that those before it kept."""
    vectors = {label: manifest.outputs["embeddings"] for label, manifest in embedded.items()}
    recipe = context.recipe
    labels = iter(shard_labels(collection))
    merged: dict[str, Shard] = {}
    earlier: dict[str, Shard] = {}
    facts = []
    for number, batch in enumerate(collection.batches):
        in_batch = {raw.source for raw in batch}
        section = MergeBatch(
            settings=settings,
            same_numbers=recipe.deduplicate.same_numbers,
            conflict=recipe.deduplicate.conflict,
            priority=tuple(source.name for source in recipe.sources if source.name in in_batch),
        )
        batch_labels = [next(labels) for _ in batch]
        inputs = {}
        for place, label in enumerate(batch_labels):
            inputs[f"signatures-{place:05d}"] = curated[label].outputs("signatures")[-1]
            inputs[f"embeddings-{place:05d}"] = vectors[label]
            inputs[f"decisions-{place:05d}"] = decisions[label]
        found = context.single(merge_batch, section, inputs | earlier, f"batch {number}")
        facts.append(found.facts)
        for place, label in enumerate(batch_labels):
            merged[label] = found.outputs[f"merged-{place:05d}"]
            stem = f"{number:04d}-{place:05d}"
            earlier[f"earlier-signatures-{stem}"] = inputs[f"signatures-{place:05d}"]
            earlier[f"earlier-embeddings-{stem}"] = vectors[label]
            earlier[f"earlier-decisions-{stem}"] = merged[label]
    return Duplicates(merged, tuple(facts))


def embed_one(step: Step, history: ShardHistory, decisions: Shard, embedding: Embedding) -> Manifest:
    """Return the vectors of what is left of one shard; the key sees the rows that are left, not the threshold."""
    inputs = {"problems": history.current, "decisions": decisions}
    left = step(drop_duplicates_shard, NoSettings(), inputs)
    return step(embed_shard, embedding, {"problems": left.outputs["kept"]})

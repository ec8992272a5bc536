"""The one thing about responses that all shards have to be seen for: strings that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.filter_dag import Filtered, filter_chain, filterings, sample_chain, select_chain
from flows.source_shards import shard_labels
from tasks.frequent_strings import find_frequent_strings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.run_context import RunContext
    from flows.shard_chains import Chain
    from flows.shard_dag import Distilled, ShardHistory
    from tasks.label import Measure
    from tracemill.collection import Collection
    from tracemill.manifest import Shard


def distill_and_select(
    context: RunContext,
    collection: Collection,
    distilled: Mapping[str, Chain[Distilled]],
    counting: Measure,
    start_order: Sequence[str],
) -> dict[str, ShardHistory]:
    """Samples by shard label. Without section ``frequent_strings`` every shard goes through on its own.

    With it, generation and all other filters still stream; only selection waits for the last shard.
    """
    recipe = context.recipe
    stages = filterings(recipe, counting, context.ledger)
    filtered = {label: filter_chain(chain, stages) for label, chain in distilled.items()}
    if recipe.frequent_strings is None:
        chains = [(label, sample_chain(chain, recipe)) for label, chain in filtered.items()]
        return context.phase("distill", "select", chains, start_order)
    found = context.phase("distill", stages[-1][0].name, list(filtered.items()), start_order)
    strings = strings_by_shard(context, collection, found)
    return context.phase(
        "select", "select", [(label, select_chain(found[label], recipe, strings[label])) for label in found]
    )


def strings_by_shard(context: RunContext, collection: Collection, found: Mapping[str, Filtered]) -> dict[str, Shard]:
    """The frequent strings that each shard is judged by: those of its own batch and the batches before it.

    So a row that was published stays so: rows that are added later may be dropped for a string that has become
    frequent, but never make one of the earlier rows be dropped.
    """
    labels = iter(shard_labels(collection))
    inputs: dict[str, Shard] = {}
    strings: dict[str, Shard] = {}
    for number, batch in enumerate(collection.batches):
        in_batch = [next(labels) for _ in batch]
        for shard, label in enumerate(in_batch, start=len(strings)):
            inputs |= _numbered(found[label], f"{shard:05d}")
        settings = context.recipe.frequent_strings
        if settings is None:
            return {}
        made = context.single(find_frequent_strings, settings, dict(inputs), f"batch {number}")
        context.logger.info("batch %s: %s strings are too frequent", number, f"{made.facts['n_frequent']:,}")
        strings |= dict.fromkeys(in_batch, made.outputs["strings"])
    return strings


def _numbered(found: Filtered, shard: str) -> dict[str, Shard]:
    """A shard's responses, verdicts and faults, with its number in their names."""
    numbered = {}
    for name, table in found.inputs("responses", "verdicts").items():
        kind, _, place = name.partition("-")
        if place:
            numbered[f"{kind}-{shard}-{place}"] = table
    return numbered

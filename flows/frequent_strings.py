"""The one thing about responses that all shards have to be seen for: strings that they share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flows.filter_dag import Filtered, filter_one, filterings, select_one
from flows.source_shards import shard_labels
from tasks.frequent_strings import find_frequent_strings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.run_context import RunContext
    from flows.shard_dag import Distilled, ShardHistory
    from flows.steps import Step
    from tasks.label import Measure
    from tracemill.collection import Collection
    from tracemill.manifest import Shard


def distill_and_select(
    context: RunContext,
    collection: Collection,
    distill: Mapping[str, Callable[[Step], Distilled]],
    counting: Measure,
    start_order: Sequence[str],
    after: Sequence[Shard],
) -> dict[str, ShardHistory]:
    """Samples by shard label. Without section ``frequent_strings`` every shard goes through on its own.

    With it, generation and all other filters still stream; only selection waits for the last shard.
    """
    recipe = context.recipe
    stages = filterings(recipe, counting, context.ledger)

    def filtered(step: Step, label: str) -> Filtered:
        return filter_one(step, distill[label](step), stages)

    def sampled(step: Step, label: str) -> ShardHistory:
        return select_one(step, filtered(step, label), recipe)

    if recipe.frequent_strings is None:
        work = {label: partial(sampled, label=label) for label in distill}
        return context.phase("distill", "select", work, start_order, after)
    waiting = {label: partial(filtered, label=label) for label in distill}
    found = context.phase("distill", stages[-1][0].name, waiting, start_order, after)
    strings = strings_by_shard(context, collection, found)
    selection = {
        label: partial(select_one, found=found[label], recipe=recipe, strings=strings[label]) for label in found
    }
    return context.phase("select", "select", selection, after=strings.values())


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

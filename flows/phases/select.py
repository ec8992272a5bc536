"""From verified responses to samples: the filters, the strings that all shards share, and who is published.

::

    sample:   DISTILL -> quality -> [perplexity] -> [safety]              where the recipe names them
              [frequent strings over all shards of the batches so far]    a barrier, only where the recipe asks for it
    select:   [frequent strings in this shard] -> select

Each filter looks at what the ones before it have left, so that a model is asked about nothing that is dropped anyway.

The one thing about responses that all shards have to be seen for: strings that they share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from flows.phases.collect import shard_labels
from flows.phases.shards import Rounds, ShardHistory, Stages, set_aside
from tasks.quality import (
    PerplexityRound,
    QualityPlan,
    SafetyRound,
    drop_frequent_shard,
    find_frequent_strings,
    perplexity_shard,
    quality_shard,
    safety_shard,
)
from tasks.select import select_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.engine.context import RunContext
    from flows.engine.steps import Step
    from flows.phases.shards import Distilled
    from tasks.engine.stage import StageTask
    from tasks.label import Measure
    from tracemill.core import Section
    from tracemill.recipe import Recipe
    from tracemill.store import Collection, Manifest, Shard


@dataclass(frozen=True)
class Filtered:
    """One shard's responses, and what the filters have found in them.

    Attributes:
        history: of its problems.
        rounds: of responses and verdicts.
        filters: manifests of the filters, in order.
    """

    history: ShardHistory
    rounds: Rounds
    filters: tuple[Manifest, ...] = ()

    def then(self, manifest: Manifest) -> Filtered:
        """With one more filter."""
        return replace(self, filters=(*self.filters, manifest))

    def inputs(self, *names: str) -> dict[str, Shard]:
        """Problems, the rounds' tables of these names, all faults so far, and what was set aside."""
        inputs = {"problems": self.history.current} | self.rounds.inputs(*names)
        inputs |= set_aside([*self.rounds.manifests, *self.filters])
        return inputs | {f"faults-{i:03d}": found.outputs["faults"] for i, found in enumerate(self.filters)}

    def outputs(self, name: str) -> dict[str, Shard]:
        """Return what one of the filters has found beside faults."""
        tables = [found.outputs[name] for found in self.filters if name in found.outputs]
        return {name: tables[0]} if tables else {}


def filterings(recipe: Recipe, counting: Measure, ledger: str) -> Stages:
    """Return the filters of a shard, in order: what costs nothing first."""
    stages: list[tuple[StageTask, Section]] = [(quality_shard, QualityPlan(rules=recipe.quality, counting=counting))]
    if recipe.perplexity is not None:
        stages.append(
            (perplexity_shard, PerplexityRound(perplexity=recipe.perplexity, ledger=ledger, purse=recipe.purse))
        )
    if recipe.safety is not None:
        stages.append((safety_shard, SafetyRound(safety=recipe.safety, ledger=ledger, purse=recipe.purse)))
    return tuple(stages)


def filter_one(step: Step, distilled: Distilled, stages: Stages) -> Filtered:
    """Verified responses to those without a fault."""
    found = Filtered(distilled.history, distilled.rounds)
    for stage, section in stages:
        found = found.then(step(stage, section, found.inputs("responses", "verdicts")))
    return found


def select_one(step: Step, found: Filtered, recipe: Recipe, strings: Shard | None = None) -> ShardHistory:
    """Filtered responses to samples; without those that hold strings which all shards together say too often."""
    if strings is not None and recipe.frequent_strings is not None:
        inputs = found.inputs("responses", "verdicts") | {"strings": strings}
        found = found.then(step(drop_frequent_shard, recipe.frequent_strings, inputs))
    inputs = found.inputs("responses", "verdicts", "unasked", "references")
    inputs |= found.outputs("measures") | found.outputs("perplexities")
    selected = step(select_shard, recipe.select, inputs)
    manifests = (*found.history.manifests, *found.rounds.manifests, *found.filters)
    return replace(found.history, manifests=manifests).then(selected)


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
    """Return the frequent strings that each shard is judged by: those of its own batch and the batches before it.

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
    """Return a shard's responses, verdicts and faults, with its number in their names."""
    numbered = {}
    for name, table in found.inputs("responses", "verdicts").items():
        kind, _, place = name.partition("-")
        if place:
            numbered[f"{kind}-{shard}-{place}"] = table
    return numbered

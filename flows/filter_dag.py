"""From verified responses to samples: the filters, the strings that all shards share, and who is published.

::

    sample:   DISTILL -> quality -> [perplexity] -> [safety]              where the recipe names them
              [frequent strings over all shards of the batches so far]    a barrier, only where the recipe asks for it
    select:   [frequent strings in this shard] -> select

Each filter looks at what the ones before it have left, so that a model is asked about nothing that is dropped anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows.shard_dag import Rounds, ShardHistory, Stages, set_aside
from tasks.frequent_strings import drop_frequent_shard
from tasks.judge import select_shard
from tasks.perplexity import PerplexityRound, perplexity_shard
from tasks.quality import QualityPlan, quality_shard
from tasks.safety import SafetyRound, safety_shard

if TYPE_CHECKING:
    from flows.shard_dag import Distilled
    from flows.steps import Step
    from tasks.label import Measure
    from tasks.stage import StageTask
    from tracemill.manifest import Manifest, Shard
    from tracemill.recipe import Recipe
    from tracemill.recipe_section import Section


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
        """What one of the filters has found beside faults."""
        tables = [found.outputs[name] for found in self.filters if name in found.outputs]
        return {name: tables[0]} if tables else {}


def filterings(recipe: Recipe, counting: Measure, ledger: str) -> Stages:
    """The filters of a shard, in order: what costs nothing first."""
    stages: list[tuple[StageTask, Section]] = [(quality_shard, QualityPlan(rules=recipe.quality, counting=counting))]
    if recipe.perplexity is not None:
        stages.append((perplexity_shard, PerplexityRound(perplexity=recipe.perplexity, ledger=ledger)))
    if recipe.safety is not None:
        stages.append((safety_shard, SafetyRound(safety=recipe.safety, ledger=ledger)))
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
    inputs = found.inputs("responses", "verdicts", "unasked")
    inputs |= found.outputs("measures") | found.outputs("perplexities")
    selected = step(select_shard, recipe.select, inputs)
    manifests = (*found.history.manifests, *found.rounds.manifests, *found.filters)
    return replace(found.history, manifests=manifests).then(selected)

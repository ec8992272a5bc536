"""A whole small build in this process without a Prefect server: every stage of a recipe, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flows.build_dataset
import flows.cost_gate
import flows.publication
import tasks.cost
from flows.run_context import RunContext
from tracemill.run_directory import publish
from tracemill.store import Store

if TYPE_CHECKING:
    import pytest

    from flows.build_dataset import Built
    from flows.shard_chains import Chain
    from tasks.stage import Stage
    from tracemill.manifest import Manifest, Shard
    from tracemill.recipe import Recipe
    from tracemill.recipe_section import Section
    from tracemill.run_directory import Published


class InlineContext(RunContext[Any]):
    """A run whose tasks are done where they are asked for."""

    def prepare(self, out: str) -> None:
        self.store.prepare()
        Store(out).prepare()

    def single(self, stage: Stage, section: Section, inputs: dict[str, Shard], label: str) -> Manifest:  # noqa: ARG002
        return stage.perform(self.store, section, inputs, self.recipe.run.poison_share)

    def export(self, publication: Published, out: str) -> dict[str, Any]:
        return publish(self.store, Store(out), publication)

    def phase(
        self,
        name: str,  # noqa: ARG002 - the signatures are those of a run
        last_stage: str,  # noqa: ARG002
        chains: Sequence[tuple[str, Chain[Any]]],
        start_order: Sequence[str] | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        return {label: self._through(chain) for label, chain in chains}

    def _through(self, chain: Chain[Any]) -> Any:
        try:
            step = next(chain)
            while True:
                step = chain.send(self.single(step.stage, step.section, dict(step.inputs), ""))
        except StopIteration as end:
            return end.value


def build_inline(recipe: Recipe, out: str, patched: pytest.MonkeyPatch) -> Built:
    """Builds a dataset by the flow's own method.

    Args:
        recipe: what to build.
        out: the run's directory.
        patched: puts away what belongs to Prefect.
    """
    patched.setattr(flows.build_dataset, "RunContext", InlineContext)
    for module in (flows.build_dataset, tasks.cost):
        patched.setattr(module, "get_run_logger", lambda: logging.getLogger(__name__))
    patched.setattr(flows.publication, "funnel_artifact", lambda *_: None)
    patched.setattr(flows.cost_gate, "create_markdown_artifact", lambda *_, **__: None)
    patched.setattr(flows.cost_gate, "estimate_cost", tasks.cost.estimate_cost.fn)
    return flows.build_dataset.build(recipe, out)

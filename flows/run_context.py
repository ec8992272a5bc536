"""What the phases of one run share: recipe, store, logger; and how a phase over many shards becomes subflows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from flows.artifacts import Tables, failures_artifact, phase_artifact
from flows.blocks import Block
from flows.crashed_runs import take_over
from flows.poison import tell_of_poison
from flows.progress import Progress, reported
from flows.shard_chains import Chain, Chains, Step, submit
from flows.shards_failed import failed
from flows.task_runners import check_cluster, everywhere, shard_tasks
from tasks.publish import export_dataset
from tasks.stage import Stage
from tracemill.claims import sweep_claims
from tracemill.ledger_place import Place, is_remote
from tracemill.manifest import Manifest, Shard
from tracemill.recipe import Recipe
from tracemill.recipe_audit import Audit
from tracemill.recipe_section import Section
from tracemill.refusals import Tally
from tracemill.run_directory import Published, published
from tracemill.store import Store
from tracemill.teacher import tokens_received

Result = TypeVar("Result")
Plan = TypeVar("Plan", bound=Recipe | Audit, default=Recipe)


# Blocks with shards under way at once: the tail of one may outlast the whole next one.
MOST_OPEN = 3


@dataclass
class RunContext(Generic[Plan]):
    """One run.

    Attributes:
        recipe: what it is made from.
        n_cached: tasks that were found finished.
        n_executed: tasks that had to be run.
        tables: artifacts with the tables of the phases so far.
        refused: requests that servers have refused, by server.
    """

    recipe: Plan
    store: Store
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    n_cached: int = 0
    n_executed: int = 0
    tables: Tables = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.recipe.run.runner.is_cluster:
            self.recipe = everywhere(self.recipe)
            self.store = Store(self.recipe.run.store)

    @property
    def ledger(self) -> str:
        """Folder of the ledger, or its URL with how to work on it."""
        run = self.recipe.run
        place = run.ledger or self.store.path("ledger")
        if not is_remote(place) or "#" in place:
            return place
        return str(Place(place, run.ledger_cache, run.ledger_upload_every_s))

    def prepare(self, out: str) -> None:
        """Fails early where the store or the run's directory cannot be written; sweeps what killed runs left behind."""
        self.store.prepare()
        sweep_claims(self.store)
        self.store.identity  # noqa: B018 - made here, before many threads ask for it
        check_cluster(self.recipe.run, self.store, self.logger)
        Store(out).prepare()
        take_over(self.logger)

    def single(
        self, stage: Stage, section: Section, inputs: dict[str, Shard], label: str, *, again: bool = False
    ) -> Manifest:
        """Runs one task of the run itself, such as the duplicate clustering, and waits for it.

        Args:
            stage: of the task.
            section: of the stage.
            inputs: handles by name.
            label: for people.
            again: whatever it asks of servers is asked again later in the run: its refusals are counted then.

        Raises:
            TeacherMisconfiguredError: a server has refused more than the recipe allows.
        """
        key = stage.key(section, inputs)
        finished = self.store.find(stage.name, key) is not None
        self._count(cached=int(finished), executed=int(not finished))
        manifest = submit(Step(stage, section, inputs), self.store, key, label, finished=finished).result()
        tally = Tally()
        tally.add(manifest)
        self._judge_refusals(tally, again=again)
        return manifest

    def export(self, publication: Published, out: str) -> dict[str, Any]:
        """Publishes into ``out``, unless exactly this stands there; returns the publication's manifest."""
        standing = published(Store(out))
        finished = standing is not None and standing["key"] == publication.key
        self._count(cached=int(finished), executed=int(not finished))
        manifest: dict[str, Any] = export_dataset.submit(self.store.url, out, publication, self.recipe.name).result()
        return manifest

    def phase(
        self,
        name: str,
        last_stage: str,
        chains: Sequence[tuple[str, Chain[Result]]],
        start_order: Sequence[str] | None = None,
    ) -> dict[str, Result]:
        """Runs the chains of one phase in subflows; returns their results by label, in the order given.

        Args:
            name: of the phase.
            last_stage: the stage that ends a chain.
            chains: by label.
            start_order: labels in the order in which the chains start, if not in the order given.

        Raises:
            ShardsFailedError: after everything that could be finished is finished.
            TeacherMisconfiguredError: likewise, where a server has refused more than the recipe allows.
        """
        run = self.recipe.run
        progress = Progress(name, len(chains), last_stage)
        runner = shard_tasks(run)
        by_label = dict(chains)
        ordered = [(label, by_label[label]) for label in start_order or by_label]
        running = Chains[Result](self.store, run.workers, run.show_cached, progress, MOST_OPEN, run.poison_share)
        blocks = [(Block(name, [label for label, _ in few], runner), few) for few in _few(ordered, run.shards_per_flow)]
        # Other processes' teachers tell of their tokens only when a shard is done.
        tokens = (lambda: progress.n_tokens) if run.runner.is_cluster else tokens_received
        with reported(progress, self.logger, run.progress_every_s, tokens):
            results = running.run(blocks)
        self._count(cached=progress.n_cached, executed=progress.n_executed)
        self.tables |= phase_artifact(progress)
        tell_of_poison(name, progress.poisoned, self.store.url, self.logger)
        if running.failures:
            failures_artifact(name, running.failures)
            raise failed(name, running.failures, len(chains))
        self._judge_refusals(progress.refusals)
        return {label: results[label] for label, _ in chains}

    def _judge_refusals(self, tally: Tally, *, again: bool = False) -> None:
        """Says what was refused, and ends the run where it was too much."""
        if not again:
            self.refused += tally.refused
        for sentence in tally.told():
            self.logger.warning("%s; the next run asks for them again, and for nothing else", sentence)
        tally.require_few()

    def _count(self, *, cached: int, executed: int) -> None:
        self.n_cached += cached
        self.n_executed += executed


def _few(chains: Sequence[tuple[str, Chain[Result]]], size: int) -> Iterator[Sequence[tuple[str, Chain[Result]]]]:
    for start in range(0, len(chains), size):
        yield chains[start : start + size]

"""What the phases of one run share: recipe, store, logger; and how a phase over many shards becomes subflows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from prefect import flow, tags
from prefect.context import TagsContext
from prefect.task_runners import ThreadPoolTaskRunner
from typing_extensions import TypeVar

from flows.artifacts import failures_artifact, phase_artifact
from flows.crashed_runs import claim_flow_run, settle_crashed_runs
from flows.progress import Progress, reported
from flows.shard_chains import FATAL, Chain, Chains, Failure, Step, submit
from tasks.publish import export_dataset
from tasks.stage import Stage
from tracemill.errors import StoreError, TracemillError
from tracemill.manifest import Manifest, Shard
from tracemill.recipe import Recipe
from tracemill.recipe_audit import Audit
from tracemill.recipe_section import Section
from tracemill.run_directory import Published, published
from tracemill.store import Store
from tracemill.teacher import tokens_received

Result = TypeVar("Result")
Plan = TypeVar("Plan", bound=Recipe | Audit, default=Recipe)


MOST_TAGS = 20  # sources that a flow run is tagged by; a recipe may have hundreds


class ShardsFailedError(TracemillError):
    """Some shards could not be finished; everything that was finished is kept."""


@dataclass
class RunContext(Generic[Plan]):
    """One run.

    Attributes:
        recipe: what it is made from.
        n_cached: tasks that were found finished.
        n_executed: tasks that had to be run.
    """

    recipe: Plan
    store: Store
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    n_cached: int = 0
    n_executed: int = 0

    @property
    def ledger(self) -> str:
        """Folder of the ledger.

        Raises:
            StoreError: the store is not a local folder, and the recipe names no place for the ledger.
        """
        if self.recipe.run.ledger is not None:
            return self.recipe.run.ledger
        if "://" in self.store.url:
            raise StoreError(
                "the ledger needs a local folder",
                got=f"store {self.store.url}",
                remedy="set run.ledger to a folder on a disk that outlives this machine's runs",
            )
        return str(Path(self.store.path("ledger")))

    def prepare(self, out: str) -> None:
        """Fails early where the store or the run's directory cannot be written; sweeps what killed runs left behind."""
        self.store.prepare()
        self.store.identity  # noqa: B018 - made here, before many threads ask for it
        Store(out).prepare()
        claim_flow_run()
        if n_crashed := settle_crashed_runs():
            self.logger.info("%d earlier runs, whose processes are gone, are marked as Crashed", n_crashed)

    def single(self, stage: Stage, section: Section, inputs: dict[str, Shard], label: str) -> Manifest:
        """Runs one task of the run itself, such as the duplicate clustering, and waits for it."""
        key = stage.key(section, inputs)
        finished = self.store.find(stage.name, key) is not None
        self._count(cached=int(finished), executed=int(not finished))
        return submit(Step(stage, section, inputs), self.store, key, label, finished=finished).result()

    def export(self, publication: Published, out: str) -> dict[str, Any]:
        """Publishes into ``out``, unless exactly this stands there; returns the publication's manifest."""
        standing = published(Store(out))
        finished = standing is not None and standing["key"] == publication.key
        self._count(cached=int(finished), executed=int(not finished))
        manifest: dict[str, Any] = export_dataset.submit(self.store.url, out, publication, self.recipe.name).result()
        return manifest

    def phase(self, name: str, last_stage: str, chains: Sequence[tuple[str, Chain[Result]]]) -> dict[str, Result]:
        """Runs the chains of one phase in subflows; returns their results by label.

        Raises:
            ShardsFailedError: after everything that could be finished is finished.
        """
        progress = Progress(name, len(chains), last_stage)
        results: dict[str, Result] = {}
        failures: list[Failure] = []
        with reported(progress, self.logger, self.recipe.run.progress_every_s, tokens_received):
            for block in _blocks(chains, self.recipe.run.shards_per_flow):
                self._block(name, block, progress, results, failures)
                if any(isinstance(failure.error, FATAL) for failure in failures):
                    break
        self._count(cached=progress.n_cached, executed=progress.n_executed)
        phase_artifact(progress)
        if failures:
            failures_artifact(name, failures)
            raise failed(name, failures, len(chains))
        return results

    def _block(
        self,
        name: str,
        block: Sequence[tuple[str, Chain[Result]]],
        progress: Progress,
        results: dict[str, Result],
        failures: list[Failure],
    ) -> None:
        run = self.recipe.run
        already = len(failures)

        @flow(
            name=name,
            flow_run_name=f"{name} {block[0][0]} to {block[-1][0]}",
            task_runner=ThreadPoolTaskRunner(max_workers=run.workers),  # type: ignore[arg-type]  # it runs any future
            validate_parameters=False,
        )
        def shards(first: str, last: str) -> None:  # noqa: ARG001 - parameters are what the UI shows
            chains = Chains[Result](self.store, run.workers, run.show_cached, progress)
            # The flow run's tags are not for its tasks: each tag makes a task ask for a concurrency slot.
            with TagsContext(current_tags=set()):
                results.update(chains.run(block))
            failures.extend(chains.failures)
            if chains.failures:
                raise failed(name, chains.failures, len(block))

        try:
            with tags(name, *sorted({source_of(label) for label, _ in block})[:MOST_TAGS]):
                shards(block[0][0], block[-1][0])
        except ShardsFailedError:
            if len(failures) == already:  # Not ours: nothing was recorded.
                raise

    def _count(self, *, cached: int, executed: int) -> None:
        self.n_cached += cached
        self.n_executed += executed


def _blocks(chains: Sequence[tuple[str, Chain[Result]]], size: int) -> Iterator[Sequence[tuple[str, Chain[Result]]]]:
    for start in range(0, len(chains), size):
        yield chains[start : start + size]


def source_of(label: str) -> str:
    """The source in a shard's label, such as "00002-rows"."""
    return label.partition("-")[2] or label


def failed(phase: str, failures: Sequence[Failure], n_shards: int) -> ShardsFailedError:
    """The error of a phase: each kind of failure once, with how many shards it hit and the first task of them."""
    by_cause: dict[str, list[Failure]] = {}
    for failure in failures:
        by_cause.setdefault(f"{failure.stage}: {_cause(failure.error)}", []).append(failure)
    found = "".join(
        f"\n  {len(alike)} shard(s), first {alike[0].label}: {cause}{_task(alike[0].error)}"
        for cause, alike in list(by_cause.items())[:5]
    )
    return ShardsFailedError(
        f"{phase}: {len(failures)} of {n_shards} shards failed{found}",
        remedy="mend the cause and run again: finished shards and paid generations are kept",
    )


def _cause(error: Exception) -> str:
    return error.cause if isinstance(error, TracemillError) else f"{type(error).__name__}: {error}"


def _task(error: Exception) -> str:
    return f"\n  {error.task}" if isinstance(error, TracemillError) and error.task else ""

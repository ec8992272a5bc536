"""A run without Prefect: the same phases and the same functions of each shard, step after step in this thread.

What comes out is what comes out under Prefect, byte for byte; nothing is shown, retried or run side by side. For tests
of what a build makes of its rows, and for measuring what orchestration costs (benchmarks.engine.orchestration).

A run of which everything is finished needs no Prefect either: :func:`found_run` finds it, and does nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, ClassVar

from prefect import Task
from typing_extensions import TypeVar

from flows.engine.artifacts import Artifacts, NoArtifacts
from flows.engine.context import Begun, PhaseWork, Plan, RunContext, in_order
from flows.engine.failures import Failure, failed, raise_paused
from flows.engine.lineage import Node
from flows.engine.progress import Watched
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import StageTask, key_of, perform
from tracemill.core import BudgetReachedError, Section
from tracemill.inference.refusals import Tally
from tracemill.publish import Published, published
from tracemill.store import Manifest, Shard, Store, sweep_claims

Result = TypeVar("Result")
Value = TypeVar("Value")
Made = TypeVar("Made")


@dataclass
class PlainRun(RunContext[Plan]):
    """A context that does everything itself."""

    artifacts: Artifacts = field(default_factory=NoArtifacts)
    _reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "reader"), repr=False)

    def _look_around(self) -> None:
        """See to what killed runs have left in the store; there is no server that would know of them."""
        sweep_claims(self.store)

    def single(
        self,
        stage: StageTask,
        section: Section,
        inputs: dict[str, Shard],
        label: str,  # noqa: ARG002
        *,
        again: bool = False,
    ) -> Manifest:
        """Return one step of the run itself; see :meth:`RunContext.single`."""
        manifest = self.step(stage, section, inputs)
        tally = Tally()
        tally.add(manifest)
        self._judge_refusals(tally, again=again)
        return manifest

    def begun(
        self,
        stage: StageTask,
        section: Section,
        inputs: dict[str, Shard],
        label: str,  # noqa: ARG002
        after: Begun | None = None,
    ) -> Begun:
        """Begin one step beside this thread, after those that were begun before; see :meth:`RunContext.begun`."""

        def work() -> Manifest:
            if after is not None:
                after.future.result()
            return self.step(stage, section, inputs)

        return Begun(self._reader.submit(copy_context().run, work))

    def step(self, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        """Return one step, of the run itself or of a shard."""
        is_finished = (
            find_finished(self.store, stage.name, key_of(stage, section, inputs), self._poison_share) is not None
        )
        self._count(cached=int(is_finished), executed=int(not is_finished))
        return perform(stage, self.store, section, inputs, self._poison_share)

    def run_task(self, task: Task[..., Value], *arguments: Any, after: Iterable[Shard] = ()) -> Value:  # noqa: ARG002
        """Return the task's function."""
        return task.fn(*arguments)

    def phase(
        self,
        name: str,
        last_stage: str,  # noqa: ARG002
        work: PhaseWork[Result],
        start_order: Sequence[str] | None = None,
        after: Iterable[Shard | Node] = (),  # noqa: ARG002
    ) -> dict[str, Result]:
        """Return every shard, one after the other; see :meth:`RunContext.phase`."""
        results: dict[str, Result] = {}
        failures: list[Failure] = []
        tally = Tally()
        labels = []

        def step(stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
            manifest = self.step(stage, section, inputs)
            tally.add(manifest)
            return manifest

        for label, through in in_order(work, start_order):
            labels.append(label)
            try:
                results[label] = through(step)
            except Exception as error:  # noqa: BLE001 - a stage may raise anything; the other shards go on
                failures.append(Failure(label, name, error))
                if isinstance(error, BudgetReachedError):
                    break
        if failures:
            raise_paused(failures)
            raise failed(name, failures, len(labels))
        self._judge_refusals(tally)
        return {label: results[label] for label in (work if isinstance(work, Mapping) else labels)}

    def _shown(self, watched: Watched) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Nobody watches."""
        return contextlib.nullcontext()

    @property
    def _poison_share(self) -> float:
        return self.recipe.run.poison_share


def plain_run(recipe: Plan, logger: logging.Logger | None = None) -> PlainRun[Plan]:
    """Return the context of a run without Prefect."""
    return PlainRun(recipe, Store(recipe.run.store), logger or logging.getLogger("tracemill"))


class NotFinished(BaseException):
    """A step is left to be done; no ``Exception``, which a phase would take for that of a failed shard."""


@dataclass
class FoundRun(PlainRun[Plan]):
    """A context that does no work: at the first step that is not finished it raises :class:`NotFinished`."""

    only_finds: ClassVar[bool] = True

    def compute_with(self, n_rows: int, *, soon: bool = False) -> None:
        """Nothing is computed."""

    def run_task(self, task: Task[..., Value], *arguments: Any, after: Iterable[Shard] = ()) -> Value:  # noqa: ARG002
        """Nobody knows of a task that is no stage whether it is done."""
        raise NotFinished

    def step(self, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        """Return one step that was finished before."""
        manifest = find_finished(self.store, stage.name, key_of(stage, section, inputs), self._poison_share)
        if manifest is None:
            raise NotFinished
        self._count(cached=1, executed=0)
        return manifest

    def export(
        self,
        publication: Published,
        tables: Iterable[Shard],  # noqa: ARG002
        out: str,
        *,
        may_empty: bool = True,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the manifest of what stands in ``out``, if it is exactly this."""
        standing = published(Store(out))
        if standing is None or standing["key"] != publication.key:
            raise NotFinished
        self._count(cached=1, executed=0)
        return standing


def found_run(recipe: Plan, method: Callable[[RunContext[Plan]], Made]) -> Made | None:
    """Return what a method comes to if all of its work is finished; None otherwise, and nothing was done."""
    try:
        return method(FoundRun(recipe, Store(recipe.run.store), logging.getLogger("tracemill")))
    except NotFinished:
        return None

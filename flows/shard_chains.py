"""Runs many shard chains at once: each shard goes through its stages on its own, so stages overlap across shards.

A chain is a generator that yields :class:`Step` and is sent the step's manifest; reading it top to bottom is reading
the DAG of one shard. At most ``window`` chains are under way, so futures, threads and bursts stay bounded. Finished
steps are found in the store before submission: the first few are submitted all the same, so that the UI shows them as
Cached; the rest is one figure, because thousands of cached task runs at once overrun Prefect's event broker.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from prefect.futures import PrefectFuture

from flows.progress import Progress
from tasks.stage import Stage
from tracemill.errors import RecipeError, SourceError, TeacherMisconfiguredError
from tracemill.manifest import Manifest, Shard
from tracemill.recipe_section import Section
from tracemill.store import Store

Result = TypeVar("Result")
# What is wrong with one shard for these reasons is wrong with all of them: no further chain is started.
FATAL = (RecipeError, SourceError, TeacherMisconfiguredError)


@dataclass(frozen=True)
class Step:
    """One task to run: a stage, its section and its inputs."""

    stage: Stage
    section: Section
    inputs: Mapping[str, Shard]


Chain = Generator[Step, Manifest, Result]


@dataclass(frozen=True)
class Failure:
    """A chain that did not finish."""

    label: str
    stage: str
    error: Exception


@dataclass
class Chains(Generic[Result]):
    """Runs chains in the current Prefect flow run.

    Args:
        store: where finished steps are looked up.
        window: chains under way at once.
        show_cached: finished steps that are submitted to Prefect all the same.
        progress: told about every step.
    """

    store: Store
    window: int
    show_cached: int
    progress: Progress
    failures: list[Failure] = field(default_factory=list)

    def run(self, chains: Iterable[tuple[str, Chain[Result]]]) -> dict[str, Result]:
        """Runs labelled chains to their end; results by label, in the order given. Failed ones are in ``failures``."""
        self._finished: queue.SimpleQueue[tuple[str, Chain[Result], str, PrefectFuture[Manifest]]] = queue.SimpleQueue()
        waiting = iter(chains)
        order: list[str] = []
        results: dict[str, Result] = {}
        n_active, exhausted = 0, False
        while True:
            while n_active < self.window and not exhausted and not self._is_doomed():
                label, chain = next(waiting, (None, None))
                if chain is None or label is None:
                    exhausted = True
                    break
                order.append(label)
                n_active += self._advance(label, chain, None, results)
            if n_active == 0:
                return {label: results[label] for label in order if label in results}
            label, chain, stage_name, future = self._finished.get()
            n_active += self._settle(label, chain, stage_name, future, results) - 1

    def _is_doomed(self) -> bool:
        return any(isinstance(failure.error, FATAL) for failure in self.failures)

    def _settle(
        self,
        label: str,
        chain: Chain[Result],
        stage_name: str,
        future: PrefectFuture[Manifest],
        results: dict[str, Result],
    ) -> int:
        try:
            manifest = future.result()
        except Exception as error:  # noqa: BLE001 - a stage may raise anything; the other shards go on
            self.failures.append(Failure(label, stage_name, error))
            self.progress.failed(stage_name)
            chain.close()
            return 0
        self.progress.done(manifest)
        return self._advance(label, chain, manifest, results)

    def _advance(self, label: str, chain: Chain[Result], manifest: Manifest | None, results: dict[str, Result]) -> int:
        """Drives a chain until it waits for a task (1) or ends (0)."""
        while True:
            try:
                step = next(chain) if manifest is None else chain.send(manifest)
            except StopIteration as stop:
                results[label] = stop.value
                return 0
            manifest = self._start(label, chain, step)
            if manifest is None:
                return 1

    def _start(self, label: str, chain: Chain[Result], step: Step) -> Manifest | None:
        """Submits a step, or returns the manifest of one that is finished and need not be shown."""
        key = step.stage.key(step.section, step.inputs)
        manifest = self.store.find(step.stage.name, key)
        if manifest is not None and self.progress.n_cached >= self.show_cached:
            self.progress.cached(manifest)
            return manifest
        future = submit(step, self.store, key, label, finished=manifest is not None)
        self.progress.started(step.stage.name, finished=manifest is not None)
        future.add_done_callback(self._reporter(label, chain, step.stage.name))
        return None

    def _reporter(self, label: str, chain: Chain[Result], stage_name: str) -> Callable[[PrefectFuture[Manifest]], None]:
        return lambda future: self._finished.put((label, chain, stage_name, future))


def submit(step: Step, store: Store, key: str, label: str, *, finished: bool) -> PrefectFuture[Manifest]:
    """Submits one step to the flow's task runner.

    A step whose manifest is not there must run even if Prefect remembers a result for it.
    """
    prefect_task: Any = step.stage.task if finished else step.stage.task.with_options(refresh_cache=True)
    future: PrefectFuture[Manifest] = prefect_task.submit(
        store_url=store.url, section=step.section, inputs=dict(step.inputs), key=key, label=label
    )
    return future

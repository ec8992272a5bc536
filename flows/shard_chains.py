"""Runs many shard chains at once: each shard goes through its stages on its own, so stages overlap across shards.

A chain is a generator that yields :class:`Step` and is sent the step's manifest; reading it top to bottom is reading
the DAG of one shard. At most ``window`` chains are under way, so futures, threads and bursts stay bounded. Finished
steps are found in the store before submission: the first few are submitted all the same, so that the UI shows them as
Cached; the rest is one figure, because thousands of cached task runs at once overrun Prefect's event broker.

Chains come in blocks, each a subflow of its own (``flows/blocks.py``). One thread drives them all: while the last
chains of one block are still under way, those of the next take the places that are free, so that a long tail leaves no
teacher idle.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from prefect.futures import PrefectFuture

from flows.blocks import Block
from flows.progress import Progress
from flows.shards_failed import Failure, failed, not_started
from flows.task_runners import result_of
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


@dataclass(eq=False)
class Portion(Generic[Result]):
    """A block and the chains that belong to it.

    Attributes:
        waiting: those that have not been started.
        n_active: those under way.
        failures: those that did not finish.
    """

    block: Block
    waiting: deque[tuple[str, Chain[Result]]]
    n_active: int = 0
    failures: list[Failure] = field(default_factory=list)

    def outcome(self) -> Exception | None:
        """What its subflow ends with, when no chain is under way any more."""
        n_shards = len(self.block.labels)
        if self.failures:
            return failed(self.block.name, self.failures, n_shards)
        return not_started(self.block.name, len(self.waiting), n_shards) if self.waiting else None


@dataclass(frozen=True)
class Under(Generic[Result]):
    """A chain under way, and the portion that it is of."""

    label: str
    chain: Chain[Result]
    portion: Portion[Result]


@dataclass(frozen=True)
class Ended(Generic[Result]):
    """A task that has ended."""

    under: Under[Result]
    stage: str
    future: PrefectFuture[Manifest]
    anew: bool


@dataclass
class Chains(Generic[Result]):
    """Runs chains, each in the flow run of its block.

    Args:
        store: where finished steps are looked up.
        window: chains under way at once, over all blocks.
        show_cached: finished steps that are submitted to Prefect all the same.
        progress: told about every step.
        most_open: blocks with chains under way at once.
        poison_share: of a task's rows that may be set aside.
    """

    store: Store
    window: int
    show_cached: int
    progress: Progress
    most_open: int
    poison_share: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    _results: dict[str, Result] = field(default_factory=dict)
    _waiting: deque[Portion[Result]] = field(default_factory=deque)
    _open: list[Portion[Result]] = field(default_factory=list)
    _n_active: int = 0

    def run(self, blocks: Iterable[tuple[Block, Sequence[tuple[str, Chain[Result]]]]]) -> dict[str, Result]:
        """Runs the labelled chains of all blocks, in the order given; results by label.

        Failed ones are in ``failures``; after a failure that would hit all chains none is started any more. A block is
        opened when its first chain can start, and closed when its last one has ended.

        Raises:
            BaseException: a block could not be opened, or the wait was interrupted; the open blocks end with it.
        """
        self._events: queue.SimpleQueue[Ended[Result] | Block] = queue.SimpleQueue()
        self._waiting.extend(Portion(block, deque(chains)) for block, chains in blocks)
        every = [portion.block for portion in self._waiting]
        try:
            while self._go_on():
                self._hear(self._events.get())
        except BaseException as error:
            for portion in self._open:
                portion.block.end(error)
            raise
        finally:
            for block in every:
                block.join()
        return self._results

    def _go_on(self) -> bool:
        """Starts what can start, and closes what is finished; whether there is anything left to wait for."""
        while self._n_active < self.window and (under := self._next()) is not None:
            self._under_way(under, +1)
            self._advance(under, None)
        for portion in self._open.copy():
            if portion.n_active == 0 and portion.block.is_open and (not portion.waiting or self._is_doomed()):
                portion.block.end(portion.outcome())
                self._open.remove(portion)
        return bool(self._open)

    def _next(self) -> Under[Result] | None:
        """The next chain, if it may start and its block is open; opens the block if that may be."""
        while self._waiting and not self._is_doomed():
            portion = self._waiting[0]
            if portion not in self._open:
                if len(self._open) == self.most_open:
                    return None
                self._open.append(portion)
                portion.block.open(self._events.put)
            if not portion.block.is_open:
                return None  # it will say when it is
            label, chain = portion.waiting.popleft()
            if not portion.waiting:
                self._waiting.popleft()
            return Under(label, chain, portion)
        return None

    def _hear(self, event: Ended[Result] | Block) -> None:
        if isinstance(event, Ended):
            self._settle(event)
        elif event.error is not None:
            raise event.error

    def _under_way(self, under: Under[Result], change: int) -> None:
        self._n_active += change
        under.portion.n_active += change

    def _is_doomed(self) -> bool:
        return any(isinstance(failure.error, FATAL) for failure in self.failures)

    def _settle(self, ended: Ended[Result]) -> None:
        try:
            manifest = result_of(ended.future)
        except Exception as error:  # noqa: BLE001 - a stage may raise anything; the other shards go on
            failure = Failure(ended.under.label, ended.stage, error)
            self.failures.append(failure)
            ended.under.portion.failures.append(failure)
            self.progress.failed(ended.stage)
            ended.under.chain.close()
            self._under_way(ended.under, -1)
            return
        self.progress.done(manifest, anew=ended.anew)
        self._advance(ended.under, manifest)

    def _advance(self, under: Under[Result], manifest: Manifest | None) -> None:
        """Drives a chain until it waits for a task or ends."""
        while True:
            try:
                step = next(under.chain) if manifest is None else under.chain.send(manifest)
            except StopIteration as stop:
                self._results[under.label] = stop.value
                self._under_way(under, -1)
                return
            manifest = self._start(under, step)
            if manifest is None:
                return

    def _start(self, under: Under[Result], step: Step) -> Manifest | None:
        """Submits a step, or returns the manifest of one that is finished and need not be shown."""
        key = step.stage.key(step.section, step.inputs)
        manifest = step.stage.find(self.store, key, self.poison_share)
        if manifest is not None and self.progress.n_cached >= self.show_cached:
            self.progress.cached(manifest)
            return manifest
        finished = manifest is not None
        share = self.poison_share
        future = under.portion.block.submit(
            lambda: submit(step, self.store, key, under.label, finished=finished, poison_share=share)
        )
        self.progress.started(step.stage.name, finished=finished)
        future.add_done_callback(lambda future: self._events.put(Ended(under, step.stage.name, future, not finished)))
        return None


def submit(
    step: Step, store: Store, key: str, label: str, *, finished: bool, poison_share: float = 0.0
) -> PrefectFuture[Manifest]:
    """Submits one step to the flow's task runner.

    A step whose manifest is not there must run even if Prefect remembers a result for it.
    """
    prefect_task: Any = step.stage.task if finished else step.stage.task.with_options(refresh_cache=True)
    future: PrefectFuture[Manifest] = prefect_task.submit(
        store_url=store.url,
        section=step.section,
        inputs=dict(step.inputs),
        key=key,
        label=label,
        poison_share=poison_share,
    )
    return future

"""Blocks: a phase over many shards as subflows that overlap, its shards going through in a bounded pool of threads.

Prefect's UI stays usable up to 2-3k task runs in one flow run, so a phase over many shards is several subflows. Each
shard is a function that calls its steps one after the other (``flows/engine/steps.py``), in a thread of one pool for
all blocks, in the context of its own block's flow run. A block's subflow is opened when every shard of the one before
has
begun: while the last shards of one block are still under way, those of the next take the threads that are free, so that
a long tail leaves no teacher idle. Where the shards of a phase are not all known when it begins, as while a source is
being read, a block is opened with the first shard that has come and takes the others as they come: its flow run has its
whole name when it is full.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, Generic, TypeVar

from prefect import Flow, flow, tags
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TagsContext

from flows.engine.failures import Failure, failed, not_started
from flows.engine.lineage import BlockEnd, Lineage, Node
from flows.engine.runners import Tasks
from flows.engine.steps import ShardSteps
from tracemill.core import BudgetReachedError, RecipeError, SourceError, TeacherMisconfiguredError
from tracemill.core.child_process import end_children
from tracemill.store import Shard

Result = TypeVar("Result")
Through = Callable[[ShardSteps], Any]

UNKNOWN = "…"  # the last shard of a block that is not whole yet
MOST_TAGS = 20  # sources that a flow run is tagged by; a recipe may have hundreds
# Blocks that are open at once: the tail of one may outlast the whole next one, and each takes a second to close, in
# which Prefect waits for its thread that beats.
MOST_OPEN = 8
# What is wrong with one shard for these reasons is wrong with all of them: no further shard is begun.
FATAL = (RecipeError, SourceError, TeacherMisconfiguredError, BudgetReachedError)


class Ending(Exception):  # noqa: N818 - no error: the shard is left where it is
    """The run is being ended, by an interrupt or by what has befallen Prefect."""


class Block:
    """The shards of one subflow, in the order in which they begin; others may be added until it is closed.

    Args:
        before: the block whose shards begin before these.

    Attributes:
        labels: of the shards.
        is_whole: no other is added.
        failures: of shards that could not be finished.
        outputs: tables that its shards have made.
        n_skipped: shards that were not begun.
        outcome: what its subflow ends with, if not well.
        all_begun: no shard waits for its beginning any more.
        over: no shard is under way any more, or nobody waits for those that are.
    """

    def __init__(self, before: Block | None = None) -> None:
        self.labels: list[str] = []
        self.is_whole = False
        self.failures: list[Failure] = []
        self.outputs: list[Shard] = []
        self.n_skipped = 0
        self.outcome: Exception | None = None
        self.all_begun, self.over = threading.Event(), threading.Event()
        self._before = before
        self._coming: queue.SimpleQueue[tuple[str, Through] | None] = queue.SimpleQueue()
        self._n_waiting = self._n_left = 0
        self._lock = threading.Lock()

    def add(self, label: str, through: Through) -> None:
        """One more shard, and the function that takes it through the phase."""
        with self._lock:
            self.labels.append(label)
            self._n_waiting += 1
            self._n_left += 1
        self._coming.put((label, through))

    def close(self) -> None:
        """There are no others."""
        self.is_whole = True
        self._coming.put(None)
        self._tell()

    def shards(self) -> Iterator[tuple[str, Through]]:
        """Yield every shard as it comes."""
        yield from iter(self._coming.get, None)

    def wait_for_turn(self) -> None:
        """Wait until every shard of the block before has begun."""
        before, self._before = self._before, None
        if before is not None:
            before.all_begun.wait()

    def begin(self, *, skipped: bool) -> None:
        """One more shard has its turn."""
        with self._lock:
            self.n_skipped += skipped
            self._n_waiting -= 1
        self._tell()

    def end(self) -> None:
        """One more shard has ended, however."""
        with self._lock:
            self._n_left -= 1
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            if self.is_whole and self._n_waiting == 0:
                self.all_begun.set()
            if self.is_whole and self._n_left == 0:
                self.over.set()

    def let_go(self) -> None:
        """End every wait for the block."""
        self._coming.put(None)
        self.all_begun.set()
        self.over.set()


class Phase(Generic[Result]):
    """Takes every shard through its function.

    Args:
        name: of the phase.
        steps: makes the steps of one shard, which raise what the function given to it raises.
        window: shards under way at once, over all blocks.

    Attributes:
        results: of the functions, by label.
        failures: of shards that could not be finished.
    """

    def __init__(self, name: str, steps: Callable[[str, Callable[[], None]], ShardSteps], window: int) -> None:
        self.name, self._steps, self._window = name, steps, window
        self.results: dict[str, Result] = {}
        self.failures: list[Failure] = []
        self._blocks: list[Block] = []
        self._cause: BaseException | None = None
        self._free = threading.Semaphore(window)

    def run(
        self, work: Iterable[tuple[str, Through]], size: int, runner: Tasks, lineage: Lineage, after: Sequence[Node]
    ) -> None:
        """Run the shards in blocks, in their order; returns when no shard is under way any more.

        After a failure that would hit all shards none is begun any more, nor waited for.

        Args:
            work: labels of the shards, and the function of each; a sequence where they are all known.
            size: shards in a block.
            runner: what runs the tasks of a block.
            lineage: is told which block made what.
            after: what the phase works on, for the run's own page.

        Raises:
            BaseException: what ``work`` raises, a subflow could not be opened, or the wait was interrupted; open
                subflows end with it.
        """
        with (
            ThreadPoolExecutor(self._window, thread_name_prefix="shard") as shards,
            ThreadPoolExecutor(MOST_OPEN, thread_name_prefix="block") as subflows,
        ):
            try:
                opened = []
                for block in self._filled(work, size):
                    self._blocks.append(block)
                    within = copy_context()
                    opened.append(subflows.submit(within.run, self._open, block, shards, runner, lineage, after))
                for subflow in opened:
                    subflow.result()
            except BaseException as error:
                self._end(error)
                raise

    def _filled(self, work: Iterable[tuple[str, Through]], size: int) -> Iterator[Block]:
        """Yield the blocks: whole where all shards are known, else with the first shard that has come."""
        is_known = isinstance(work, Sequence)
        block = Block()
        for label, through in work:
            if self._is_doomed():
                if isinstance(work, Generator):
                    work.close()  # whatever makes the shards need not go on
                break
            if block.is_whole:
                block = Block(before=block)
            block.add(label, through)
            if len(block.labels) == size:
                block.close()
            if block.is_whole if is_known else len(block.labels) == 1:
                yield block
        if not block.is_whole:
            block.close()
            if is_known and block.labels:
                yield block

    def _open(
        self, block: Block, shards: ThreadPoolExecutor, runner: Tasks, lineage: Lineage, after: Sequence[Node]
    ) -> None:
        """Run the subflow of a block, when its turn comes."""
        block.wait_for_turn()
        self._free.acquire()  # a block is opened for shards that can begin
        self._free.release()
        if self._is_doomed():
            block.let_go()  # those behind it wait for their turn
            return
        last = max(block.labels) if block.is_whole else UNKNOWN

        def body() -> BlockEnd:
            # The flow run's tags are not for its tasks: each tag makes a task ask for a concurrency slot.
            with TagsContext(current_tags=set()):
                for label, through in block.shards():
                    shards.submit(copy_context().run, self._through, block, label, through)
            if last == UNKNOWN and self._cause is None:
                _rename(self.name, block.labels)
            block.over.wait()
            if self._cause is not None:
                raise self._cause
            block.outcome = self._outcome(block)
            if block.outcome is not None:
                raise block.outcome
            return BlockEnd(min(block.labels), max(block.labels))

        try:
            with tags(*_tags(self.name, block.labels)):
                _BODY.set(body)
                named: Flow[Any, Any] = run_block.with_options(name=self.name, task_runner=runner)
                end: Any = named(self.name, min(block.labels), last, wait_for=after)
            lineage.add_node(block.outputs, end)
        except BaseException as error:
            if error is not block.outcome:
                self._end(error)
                raise

    def _through(self, block: Block, label: str, through: Through) -> None:
        """One shard, in a thread of the pool."""
        self._free.acquire()
        skipped = self._is_doomed()
        block.begin(skipped=skipped)
        step = self._steps(label, self._go_on)
        try:
            if not skipped:
                self.results[label] = through(step)
        except Ending:
            pass
        except Exception as error:  # noqa: BLE001 - a stage may raise anything; the other shards go on
            failure = Failure(label, step.stage, error)
            block.failures.append(failure)
            self.failures.append(failure)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the phase must hear of it
            self._end(error)
        finally:
            block.outputs += step.outputs
            block.end()
            self._free.release()  # after its failure is known, so that a fatal one opens no further block

    def _outcome(self, block: Block) -> Exception | None:
        """Return what the subflow of a block ends with; None if well."""
        n_shards = len(block.labels)
        if block.failures:
            return failed(self.name, block.failures, n_shards)
        return not_started(self.name, block.n_skipped, n_shards) if block.n_skipped else None

    def _is_doomed(self) -> bool:
        return self._cause is not None or any(isinstance(failure.error, FATAL) for failure in self.failures)

    def _go_on(self) -> None:
        if self._cause is not None:
            raise Ending

    def _end(self, cause: BaseException) -> None:
        """End the subflows that are open; shards that are under way stop before their next step, trainers at once."""
        self._cause = self._cause or cause
        end_children()
        self._free.release()
        for block in self._blocks:
            block.let_go()


_BODY: ContextVar[Callable[[], BlockEnd]] = ContextVar("block")


def _body() -> BlockEnd:
    return _BODY.get()()


# A task's context carries its flow to the workers of a cluster: what the flow does is found in the thread's context,
# so that it closes over nothing that cannot travel.
@flow(flow_run_name="{phase} {first} to {last}", validate_parameters=False)
def run_block(phase: str, first: str, last: str) -> BlockEnd:  # noqa: ARG001 - parameters are what the UI shows
    """Takes the shards of a block through a phase."""
    return _body()


def _rename(phase: str, labels: Sequence[str]) -> None:
    """Give the flow run that is under way the name and tags of all its shards; a server that is away keeps the old."""
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None:
        return
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:
        all_tags = {*run.tags, *_tags(phase, labels)}
        client.update_flow_run(run.id, name=f"{phase} {min(labels)} to {max(labels)}", tags=sorted(all_tags))


def _tags(phase: str, labels: Sequence[str]) -> list[str]:
    return [phase, *sorted({source_of(label) for label in labels})[:MOST_TAGS]]


def source_of(label: str) -> str:
    """Return the source in a shard's label, such as "00002-rows"."""
    return label.partition("-")[2] or label

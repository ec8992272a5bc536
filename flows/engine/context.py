"""What the phases of one run share: recipe, store, logger; and how a phase over many shards becomes subflows."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self
from uuid import UUID

from prefect import Task
from prefect.futures import PrefectFuture
from typing_extensions import TypeVar

from flows.crashed_runs import take_over
from flows.engine.artifacts import Artifacts, ServerArtifacts, Tables, failures_artifact, phase_artifact
from flows.engine.blocks import Phase
from flows.engine.failures import failed, raise_paused
from flows.engine.lineage import Lineage, Node, finished
from flows.engine.look_ahead import Ahead, Turn, looked_ahead
from flows.engine.poison import tell_of_poison
from flows.engine.progress import Progress, Publishing, Watched, reported
from flows.engine.runners import check_cluster, computing, everywhere, shard_tasks, shards_at_once
from flows.engine.steps import ShardSteps, Step, submit
from tasks.engine.processes import COMPUTING
from tasks.engine.stage import StageTask, key_of
from tasks.publish import export_dataset
from tracemill.core import Section
from tracemill.core.secrets import secrets_in
from tracemill.inference import tokens_received
from tracemill.inference.refusals import Tally
from tracemill.inference.spending import shared_spending
from tracemill.ledger.place import Place, is_remote
from tracemill.publish import Output, Published, published, refuse_empty, refuse_foreign
from tracemill.publish.directory.sources_inside import refuse_sources_inside
from tracemill.recipe import Recipe
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.recipe import Run
from tracemill.recipe.sections.audit import Audit
from tracemill.recipe.sections.students import Comparison
from tracemill.store import Manifest, Shard, Store, sweep_claims

SHARDS_A_BATCH = 64  # shards at once that wait for a teacher's batches, unless run.workers says how many

Result = TypeVar("Result")
Value = TypeVar("Value")
Plan = TypeVar("Plan", bound=Recipe | Audit | Evaluation | Comparison, default=Recipe)
# The function of each shard by label; or one after the other as they come to be known, in the order of their beginning.
PhaseWork = Mapping[str, Callable[[Step], Value]] | Generator[tuple[str, Callable[[Step], Value]], None, None]


class Future(Protocol):
    """What a task will return."""

    def result(self) -> Manifest:
        """Wait for it; raises what the task raises."""
        ...

    def add_done_callback(self, tell: Callable[[Any], None]) -> None:
        """Have it told when the task ends, however."""
        ...


@dataclass(frozen=True)
class Begun:
    """A task of the run itself that is under way, or waits for its turn.

    Attributes:
        future: of its manifest.
        task_run_id: where it is a task of Prefect's.
    """

    future: Future
    task_run_id: UUID | None = None


@dataclass
class RunContext(Generic[Plan]):
    """One run.

    Attributes:
        recipe: what it is made from.
        n_cached: tasks that were found finished.
        n_executed: tasks that had to be run.
        artifacts: where pages and tables for people are left.
        tables: artifacts with the tables of the phases so far.
        lineage: what has made which table, for the edges of the DAG.
        exported: the task run that has published, once it has.
        refused: requests that servers have refused, by server.
        only_finds: whether it does no work, so that nothing will have to be paid for.
    """

    only_finds: ClassVar[bool] = False
    recipe: Plan
    store: Store
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    n_cached: int = 0
    n_executed: int = 0
    artifacts: Artifacts = field(default_factory=ServerArtifacts)
    tables: Tables = field(default_factory=dict)
    lineage: Lineage = field(default_factory=Lineage)
    exported: list[Node] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.recipe.run.runner.is_cluster:
            self.recipe = everywhere(self.recipe)
            self.store = Store(self.recipe.run.store)

    def anew(self) -> Self:
        """Return a context of the same run that has counted nothing yet."""
        return type(self)(self.recipe, self.store, self.logger)

    @property
    def ledger(self) -> str:
        """Folder of the ledger, or its URL with how to work on it."""
        run = self.recipe.run
        place = run.ledger or self.store.path("ledger")
        if not is_remote(place) or "#" in place:
            return place
        return str(Place(place, run.ledger_cache, run.ledger_upload_every_s))

    def spent(self) -> str:
        """Return what the recipe's teachers have cost in all its runs, for people; "" where no price is known."""
        purse = self.recipe.purse if isinstance(self.recipe, Recipe) else None
        return "" if purse is None else shared_spending(purse, self.ledger).line()

    def prepare(self, out: str, output: Output) -> None:
        """Fail early where the store or the run's directory cannot be written; sweeps what killed runs left behind.

        Raises:
            StoreError: that, or the directory holds what is not to be replaced; nothing was touched.
        """
        refuse_foreign(Store(out), output)
        refuse_sources_inside(out, self.recipe, output)
        self.store.prepare()
        Store(out).prepare()
        self._look_around()

    def _look_around(self) -> None:
        """See to what other processes have left, and to those that will do the tasks."""
        sweep_claims(self.store)
        self.store.identity  # noqa: B018 - made here, before many threads ask for it
        variables = [found.name for found in secrets_in(self.recipe) if found.name]
        check_cluster(self.recipe.run, self.store, self.logger, variables)
        take_over(self.logger)

    def compute_with(self, n_rows: int, *, soon: bool = False) -> None:
        """Let the stages that only compute use worker processes, where the recipe has them or the rows are worth it.

        Args:
            n_rows: of the run, or as many as there are at least.
            soon: there is work for them, so that they are better started now, beside what goes on.
        """
        processes = computing(self.recipe.run, n_rows)
        COMPUTING.set(processes)
        if processes is not None and soon:
            threading.Thread(target=processes.start, name="start processes", daemon=True).start()

    def single(
        self, stage: StageTask, section: Section, inputs: dict[str, Shard], label: str, *, again: bool = False
    ) -> Manifest:
        """Run one task of the run itself, such as the duplicate clustering, and waits for it.

        Args:
            stage: of the task.
            section: of the stage.
            inputs: handles by name.
            label: for people.
            again: whatever it asks of servers is asked again later in the run: its refusals are counted then.

        Raises:
            TeacherMisconfiguredError: a server has refused more than the recipe allows.
        """
        return self.ended(self.begun(stage, section, inputs, label), again=again)

    def begun(
        self, stage: StageTask, section: Section, inputs: dict[str, Shard], label: str, after: Begun | None = None
    ) -> Begun:
        """Begin one task of the run itself, see :meth:`single`; :meth:`ended` has to wait for it.

        Args:
            stage: of the task.
            section: of the stage.
            inputs: handles by name.
            label: for people.
            after: begins when that one has ended well, and not at all where it has not.
        """
        key = key_of(stage, section, inputs)
        is_finished = self.store.find(stage.name, key) is not None
        self._count(cached=int(is_finished), executed=int(not is_finished))
        wait_for = [*self.lineage.nodes(inputs.values()), *([] if after is None else [after.future])]
        future = submit(stage, section, inputs, key, self.store, label, is_finished=is_finished, wait_for=wait_for)
        return Begun(future, future.task_run_id)

    def ended(self, task: Begun, *, again: bool = False) -> Manifest:
        """Wait for a task of the run itself; see :meth:`single`."""
        manifest = task.future.result()
        if task.task_run_id is not None:
            self.lineage.add_task("", manifest.outputs.values(), task.task_run_id)
            self.lineage.add_node(manifest.outputs.values(), finished(task.task_run_id))
        tally = Tally()
        tally.add(manifest)
        self._judge_refusals(tally, again=again)
        return manifest

    def run_task(self, task: Task[..., Value], *arguments: Any, after: Iterable[Shard] = ()) -> Value:
        """Run a task of the run that is no stage, such as the push, and waits for it.

        Args:
            task: Prefect's.
            arguments: of the task.
            after: tables that it works on.
        """
        nodes = [*self.lineage.nodes(after), *self.exported]
        future: PrefectFuture[Value] = task.submit(*arguments, return_state=False, wait_for=nodes)
        value = future.result()
        if task is export_dataset:
            self.exported = [finished(future.task_run_id)]
        return value

    def export(
        self, publication: Published, tables: Iterable[Shard], out: str, *, may_empty: bool = True
    ) -> dict[str, Any]:
        """Publish into ``out``, unless exactly this stands there; returns the publication's manifest.

        Args:
            publication: what is published.
            tables: of which it is made.
            out: the run's directory.
            may_empty: False where it has no rows, and the recipe does not say that it may replace some.
        """
        standing = published(Store(out))
        stands = standing is not None and standing["key"] == publication.key
        self._count(cached=int(stands), executed=int(not stands))
        if not stands and not may_empty:
            refuse_empty(Store(out))  # in the task it would be tried again
        watched = Publishing()
        with contextlib.nullcontext() if stands else self._shown(watched):
            arguments = (self.store.url, out, publication, self.recipe.name, may_empty, watched.update)
            manifest = self.run_task(export_dataset, *arguments, after=tables)
            watched.is_done = True
        return manifest

    def _shown(self, watched: Watched) -> contextlib.AbstractContextManager[None]:
        """Show how far something is, while it goes on."""
        return reported(watched, self.logger, self.recipe.run.progress_every_s)

    def phase(
        self,
        name: str,
        last_stage: str,
        work: PhaseWork[Result],
        start_order: Sequence[str] | None = None,
        after: Iterable[Shard | Node] = (),
    ) -> dict[str, Result]:
        """Take every shard through its function, in subflows; returns the results by label, in the order given.

        Args:
            name: of the phase.
            last_stage: the stage that ends a shard.
            work: the function of each shard, by label; where the labels are not all known, as they come.
            start_order: labels in the order in which the shards begin, if not in the order given.
            after: tables that the shards work on, or the tasks of the run that make them.

        Raises:
            Exception: what ``work`` raises while it is waited for.
            ShardsFailedError: after everything that could be finished is finished.
            TeacherMisconfiguredError: likewise, where a server has refused more than the recipe allows.
            BudgetReachedError: likewise, where nothing else has failed.
        """
        run = self._run_of(name)
        shards = in_order(work, start_order)
        is_known = isinstance(shards, list)
        progress = Progress(name, len(shards) if isinstance(shards, list) else 0, last_stage, more=not is_known)
        labels = list(work) if isinstance(work, Mapping) else []

        def coming(shards: Generator[Turn[Result], None, None]) -> Generator[Turn[Result], None, None]:
            with contextlib.closing(shards):
                for label, through in shards:
                    labels.append(label)
                    progress.n_chains += 1
                    if ahead.is_left(label, through):
                        yield label, through
                progress.more = False

        def steps(label: str, go_on: Callable[[], None]) -> ShardSteps:
            return ShardSteps(
                self.store, label, progress, self.lineage, run.show_cached, run.poison_share, go_on, ahead.steps(label)
            )

        phase: Phase[Result] = Phase(name, steps, shards_at_once(run))
        # Other processes' teachers tell of their tokens only when a shard is done.
        tokens = (lambda: progress.n_tokens) if run.runner.is_cluster else tokens_received
        with (
            reported(progress, self.logger, run.progress_every_s, tokens, spent=self.spent),
            looked_ahead(self.store, run.poison_share) as look,
        ):
            ahead: Ahead[Result] = Ahead(look, lambda found: progress.passed(found, run.show_cached))
            left = ahead.left(shards) if isinstance(shards, list) else coming(shards)
            phase.run(left, run.shards_per_flow, shard_tasks(run), self.lineage, self.lineage.nodes(after))
        self._count(cached=progress.n_cached, executed=progress.n_executed)
        self.tables |= phase_artifact(self.artifacts, progress)
        tell_of_poison(self.artifacts, name, progress.poisoned, self.store.url, self.logger)
        if phase.failures:
            raise_paused(phase.failures)
            failures_artifact(self.artifacts, name, phase.failures)
            raise failed(name, phase.failures, progress.n_chains)
        self._judge_refusals(progress.refusals)
        results = ahead.results | phase.results
        return {label: results[label] for label in labels}

    def _run_of(self, phase: str) -> Run:
        """Return how a phase is run: shards that wait for batches wait side by side, so that a batch is large."""
        run, recipe = self.recipe.run, self.recipe
        in_batches = isinstance(recipe, Recipe) and any(one.mode == "batch" for one in recipe.distill.asked)
        if not in_batches or phase != "distill" or run.workers is not None or run.runner.is_cluster:
            return run
        return run.model_copy(update={"workers": SHARDS_A_BATCH})

    def _judge_refusals(self, tally: Tally, *, again: bool = False) -> None:
        """Say what was refused, and ends the run where it was too much."""
        if not again:
            self.refused += tally.refused
        for sentence in tally.sentences():
            self.logger.warning("%s; the next run asks for them again, and for nothing else", sentence)
        tally.require_few()

    def _count(self, *, cached: int, executed: int) -> None:
        with self._counting:
            self.n_cached += cached
            self.n_executed += executed


def in_order(
    work: PhaseWork[Result], start_order: Sequence[str] | None = None
) -> list[tuple[str, Callable[[Step], Result]]] | Generator[tuple[str, Callable[[Step], Result]], None, None]:
    """Return the shards of a phase in the order in which they begin: a list where they are all known."""
    return [(label, work[label]) for label in start_order or work] if isinstance(work, Mapping) else work

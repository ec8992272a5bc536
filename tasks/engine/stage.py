"""What every stage shares: the cache key, the manifest, and the signature of its Prefect task.

A stage is a function from :class:`tasks.engine.work.Work` to :class:`tasks.engine.work.Produced` below two decorators::

    @task(name="clean", version="3", task_run_name="clean {label}", retries=2, cache_policy=BY_KEY, **STORED)
    @stage(rows="problems", drops=True)
    def clean_shard(work: Work) -> Produced: ...

``@task`` is Prefect's own; ``@stage`` makes a task's body of the function. The store's manifest under the stage's key
is the truth; Prefect's cached result under the same key is its face in the UI. :func:`perform` does the same work
without Prefect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect import Task, get_run_logger
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.exceptions import MissingContextError

from tasks.engine.failed_task import FailedTask, explained, recorded, without_secrets
from tasks.engine.poison import POISON
from tasks.engine.processes import COMPUTING, Job
from tasks.engine.quarantine import find_finished, produce
from tasks.engine.work import PerRow, Produced, Work
from tracemill.core import LedgerError, Section, ServerUnavailableError, StoreError, TracemillError
from tracemill.store import Manifest, Shard, Store, claimed, stage_key

# The Prefect task of a stage; its ``fn`` was made by :func:`stage`.
StageTask = Task[..., Manifest]

RETRIES: Final = 2
RETRY_DELAYS_S: Final = [2.0, 10.0]
# Worth another try: something external failed. Anything else fails the same way again.
_PASSING = (ServerUnavailableError, StoreError, LedgerError)


_MOST_DIGESTS: Final = 64  # a phase has some ten sections, and makes a few for each shard
_digests: Final[dict[int, tuple[Section, str]]] = {}  # by identity, which the section that is kept with it owns


class ManifestCache(CachePolicy):
    """Prefect's cache key = the store's own key, and which store it is."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - the signature is Prefect's
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **_: Any,
    ) -> str | None:
        """See :func:`tracemill.store.manifest.stage_key`; the task is only known by its inputs here."""
        return f"{inputs['key']}-{Store(inputs['store_url']).identity}"


def is_passing(_task: Any, _task_run: Any, state: Any) -> bool:
    """Tell whether a failure is worth another try: Prefect's condition of a retry."""
    try:
        state.result()
    except _PASSING:
        return True
    except TracemillError:
        return False
    except Exception:  # noqa: BLE001 - whatever a stage raised: a bug does not pass by waiting
        return False
    return False


BY_KEY: Final = ManifestCache()
# What is the same for all stages. No tags: each makes Prefect ask for a concurrency slot, 2 s a task on its SQLite
# server when that is busy.
STORED: Final[dict[str, Any]] = {
    "persist_result": True,
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "retry_delay_seconds": RETRY_DELAYS_S,
    "retry_condition_fn": is_passing,
}


@dataclass(frozen=True)
class Body:
    """What :func:`stage` notes of a stage.

    Attributes:
        run: the work itself.
        per_row: what its rows are, where it treats them one by one.
        computes: whether a process of its own may do it.
    """

    run: Callable[[Work], Produced]
    per_row: PerRow | None
    computes: bool = False


def stage(
    *, rows: str | None = None, drops: bool = False, computes: bool = False
) -> Callable[[Callable[[Work], Produced]], Callable[..., Manifest]]:
    """Make a Prefect task's body of a stage's function: it takes store, section and handles, and returns a manifest.

    Args:
        rows: the input whose rows it treats one by one, so that one on which it crashes can be set aside.
        drops: whether it writes table ``dropped``, in which such a row is accounted for.
        computes: whether it needs nothing but processor time and the store: no server, no verifier, no ledger, whose
            bounds hold for the process that has them. See ``processes.py``.
    """
    per_row = None if rows is None else PerRow(rows, drops)

    def decorate(run: Callable[[Work], Produced]) -> Callable[..., Manifest]:
        def body(
            store_url: str,
            section: Section,
            inputs: dict[str, Shard],
            key: str,
            label: str,
            poison_share: float = 0.0,
        ) -> Manifest:
            task, store = _current_task(), Store(store_url)
            try:
                manifest = _perform(task, store, section, inputs, key, poison_share)
            except Exception as error:
                failed = _failed_task(task, section, inputs, key, label)
                raise explained(error, failed, store, _next_step(error, task.retries)) from error
            if POISON in manifest.facts:
                recorded(_failed_task(task, section, inputs, key, label), store)
            return manifest

        # Not functools.wraps: Prefect would read the parameters of the function below.
        body.__module__, body.__doc__ = run.__module__, run.__doc__
        body.__name__, body.__qualname__ = run.__name__, f"{run.__qualname__}_task"
        vars(body)["body"] = Body(run, per_row, computes)
        return body

    return decorate


def body_of(task: StageTask) -> Body:
    """Return what a stage's task is made of."""
    body: Body = vars(task.fn)["body"]
    return body


def key_of(task: StageTask, section: Section, inputs: Mapping[str, Shard]) -> str:
    """Return the cache key of one task of a stage."""
    digests = {name: shard.sha256 for name, shard in inputs.items()}
    return stage_key(task.name, str(task.version), _digest_of(section), digests)


def _digest_of(section: Section) -> str:
    """Return a section's digest; the same frozen object comes with every shard, and to write it out takes 100 us."""
    known = _digests.get(id(section))
    if known is not None and known[0] is section:
        return known[1]
    if len(_digests) >= _MOST_DIGESTS:
        _digests.clear()
    found = section.digest()
    _digests[id(section)] = section, found
    return found


def perform(
    task: StageTask, store: Store, section: Section, inputs: Mapping[str, Shard], poison_share: float = 0.0
) -> Manifest:
    """Do a task's work without Prefect, unless it is done.

    Raises:
        TracemillError: whatever the stage raises; no manifest is written then.
    """
    return _perform(task, store, section, inputs, key_of(task, section, inputs), poison_share)


def _current_task() -> StageTask:
    context = TaskRunContext.get()
    if context is None:
        raise MissingContextError("a stage runs as a Prefect task, or by tasks.engine.stage.perform")
    return context.task


def _perform(
    task: StageTask, store: Store, section: Section, inputs: Mapping[str, Shard], key: str, poison_share: float
) -> Manifest:
    """Return the manifest of work that is done: found, waited for while another process does it, or done here."""
    finished = find_finished(store, task.name, key, poison_share)
    if finished is not None:
        return finished
    with claimed(store, task.name, key, warn):
        finished = find_finished(store, task.name, key, poison_share)
        if finished is not None:
            return finished
        processes, body = COMPUTING.get(), body_of(task)
        if processes is None or not body.computes:
            return execute(task, store, section, inputs, key, poison_share)
        return processes.perform(
            Job(body.run.__module__, body.run.__name__, store.url, section, inputs, key, poison_share)
        )


def execute(
    task: StageTask, store: Store, section: Section, inputs: Mapping[str, Shard], key: str, poison_share: float
) -> Manifest:
    """Do a task's work here, and write its manifest."""
    provisional = f"{task.name}-provisional"
    before = store.find(provisional, key)
    body, work = body_of(task), Work(store, section, inputs, before.outputs if before else {})
    produced = produce(task.name, body.run, work, body.per_row, poison_share)
    manifest = Manifest(
        stage=task.name,
        version=str(task.version),
        key=key,
        inputs={input_name: shard.sha256 for input_name, shard in inputs.items()},
        outputs={
            output: made if isinstance(made, Shard) else store.write_table(made)
            for output, made in produced.outputs.items()
        },
        rows_in=produced.rows_in,
        rows_kept=produced.rows_kept,
        dropped=produced.dropped,
        facts=produced.facts,
    )
    if produced.provisional:
        store.commit(manifest.model_copy(update={"stage": provisional}))
        return manifest
    return store.commit(manifest)


def warn(message: str) -> None:
    """Warn in the task run's log; outside a run in the module's."""
    try:
        get_run_logger().warning(message)  # the terminal shows no less of a task
    except MissingContextError:
        logging.getLogger(__name__).warning(message)


def _failed_task(task: StageTask, section: Section, inputs: dict[str, Shard], key: str, label: str) -> FailedTask:
    run = body_of(task).run
    return FailedTask(
        stage=task.name,
        function=f"{run.__module__}:{run.__name__}",
        key=key,
        label=label,
        settings_kind=f"{type(section).__module__}:{type(section).__qualname__}",
        settings=without_secrets(section),
        inputs=inputs,
    )


def _next_step(error: Exception, retries: int) -> str:
    later = "Retry in the UI, or the next run, does this task again and finds what is finished"
    if retries and isinstance(error, _PASSING):
        delays = " and ".join(f"{delay:g}" for delay in RETRY_DELAYS_S[:retries])
        return f"the task is tried {retries + 1} times in all, {delays} s apart; after that, {later}"
    return f"not tried again by itself, since it would fail the same way; {later}"

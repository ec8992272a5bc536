"""What every stage shares: the cache key, the manifest, and the Prefect task around a plain function.

A stage is a function from :class:`Work` (its inputs, read on demand) to :class:`Produced` (tables and counts). The
store's manifest under the stage's key is the truth; Prefect's cached result under the same key is its face in the UI.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
from prefect import Task, get_run_logger, task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.exceptions import MissingContextError

from tasks.failed_task import FailedTask, explained, recorded, without_secrets
from tasks.set_aside import PerRow, View, find, produce
from tracemill.claims import claimed
from tracemill.errors import LedgerError, StoreError, TeacherUnavailableError, TracemillError
from tracemill.manifest import Manifest, Shard, stage_key
from tracemill.poison import POISON
from tracemill.recipe_section import Section
from tracemill.schema import Dropped, Row, rows_of, table_of
from tracemill.store import Store

Kind = TypeVar("Kind", bound=Row)

RETRIES = 2
RETRY_DELAYS_S = [2.0, 10.0]
# Worth another try: the world outside failed. Anything else fails the same way again.
_PASSING = (TeacherUnavailableError, StoreError, LedgerError)


@dataclass(frozen=True)
class Work:
    """One task's inputs.

    Attributes:
        section: the recipe section of the stage.
        inputs: handles by name.
        before: outputs of the same work when it was last done provisionally; empty where it was not.
        view: what is seen of the inputs, where rows were set aside.
    """

    store: Store
    section: Any
    inputs: Mapping[str, Shard]
    before: Mapping[str, Shard] = field(default_factory=dict)
    view: View | None = None

    def table(self, name: str) -> pa.Table:
        """The table behind an input."""
        table = self.store.read_table(self.inputs[name])
        return table if self.view is None else self.view.of(name, table)

    def rows(self, kind: type[Kind], name: str) -> list[Kind]:
        """The rows of an input."""
        return list(rows_of(kind, self.table(name)))

    def numbered(self, prefix: str) -> list[str]:
        """Names of the inputs ``prefix-000``, ``prefix-001``, …, in order."""
        return sorted(name for name in self.inputs if name.startswith(f"{prefix}-"))

    def all_rows(self, kind: type[Kind], prefix: str) -> list[Kind]:
        """The rows of all inputs called ``prefix-…``, in order."""
        return [row for name in self.numbered(prefix) for row in self.rows(kind, name)]


@dataclass(frozen=True)
class Produced:
    """What a stage made of its inputs.

    Attributes:
        outputs: tables by name, or handles of tables that were stored on the way.
        rows_in: rows that entered, in the stage's own unit.
        rows_kept: rows that went on.
        dropped: count by "stage/reason".
        facts: figures for people.
        provisional: something outside was missing. The run goes on with this, and the next one does the work again.
    """

    outputs: Mapping[str, pa.Table | Shard]
    rows_in: int
    rows_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    provisional: bool = False


def split(rows_in: int, kept: Iterable[Row], kind: type[Row], dropped: list[Dropped], **facts: object) -> Produced:
    """The usual outcome of a filter: tables ``kept`` and ``dropped``."""
    table = table_of(kind, kept)
    return Produced(
        outputs={"kept": table, "dropped": table_of(Dropped, dropped)},
        rows_in=rows_in,
        rows_kept=table.num_rows,
        dropped=dict(Counter(f"{row.stage}/{row.reason}" for row in dropped)),
        facts=facts,
    )


class NoSettings(Section):
    """The section of a stage that nothing in the recipe changes."""


class ManifestCache(CachePolicy):
    """Prefect's cache key = the store's own key, and which store it is."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - the signature is Prefect's
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **_: Any,
    ) -> str | None:
        """See :func:`tracemill.manifest.stage_key`; the task is only known by its inputs here."""
        return f"{inputs['key']}-{Store(inputs['store_url']).identity}"


@dataclass(frozen=True)
class Stage:
    """One station of the pipeline.

    Attributes:
        name: as in the manifests and the cache keys.
        version: bumped when its results change for equal inputs.
        run: the work itself.
        task: the Prefect task around it.
        per_row: what its rows are, where it treats them one by one.
    """

    name: str
    version: str
    run: Callable[[Work], Produced]
    task: Task[Any, Manifest]
    per_row: PerRow | None = None

    def key(self, section: Section, inputs: Mapping[str, Shard]) -> str:
        """Cache key of one task of this stage."""
        digests = {name: shard.sha256 for name, shard in inputs.items()}
        return stage_key(self.name, self.version, section.digest(), digests)

    def find(self, store: Store, key: str, poison_share: float = 0.0) -> Manifest | None:
        """The manifest of a task that is finished; see :func:`tasks.set_aside.find`."""
        return find(store, self.name, key, poison_share)

    def perform(
        self, store: Store, section: Section, inputs: Mapping[str, Shard], poison_share: float = 0.0
    ) -> Manifest:
        """Does the work without Prefect, unless it is done.

        Raises:
            TracemillError: whatever the stage raises; no manifest is written then.
        """
        return _perform(self, store, section, inputs, self.key(section, inputs), poison_share)


def stage(
    name: str, version: str | int, retries: int = RETRIES, *, rows: str | None = None, drops: bool = False
) -> Callable[[Callable[[Work], Produced]], Stage]:
    """Makes a stage of a function; its Prefect task takes store, section and handles, and returns a manifest.

    Args:
        name: as in the manifests and the cache keys.
        version: bumped when its results change for equal inputs.
        retries: after failures of the world outside.
        rows: the input whose rows it treats one by one, so that one on which it breaks off can be set aside.
        drops: whether it writes table ``dropped``, in which such a row is accounted for.
    """
    per_row = None if rows is None else PerRow(rows, drops)

    def decorate(run: Callable[[Work], Produced]) -> Stage:
        def run_task(
            store_url: str,
            section: Section,
            inputs: dict[str, Shard],
            key: str,
            label: str,
            poison_share: float = 0.0,
        ) -> Manifest:
            store = Store(store_url)
            try:
                manifest = _perform(made, store, section, inputs, key, poison_share)
            except Exception as error:
                failed = _failed_task(name, run, section, inputs, key, label)
                raise explained(error, failed, store, _next_step(error, retries)) from error
            if POISON in manifest.facts:
                recorded(_failed_task(name, run, section, inputs, key, label), store)
            return manifest

        run_task.__doc__, run_task.__qualname__ = run.__doc__, f"{run.__qualname__}_task"
        # No tags: each makes Prefect ask for a concurrency slot, 2 s a task on its SQLite server when that is busy.
        prefect_task: Task[Any, Manifest] = task(
            name=name,
            task_run_name=name + " {label}",
            cache_policy=ManifestCache(),
            persist_result=True,
            result_serializer="json",
            cache_result_in_memory=False,
            retries=retries,
            retry_delay_seconds=RETRY_DELAYS_S[:retries],
            retry_condition_fn=_is_passing,
        )(run_task)
        made = Stage(name, str(version), run, prefect_task, per_row)
        return made

    return decorate


def _perform(
    stage: Stage, store: Store, section: Section, inputs: Mapping[str, Shard], key: str, poison_share: float
) -> Manifest:
    """The manifest of work that is done: found, waited for while another process does it, or done here."""
    finished = stage.find(store, key, poison_share)
    if finished is not None:
        return finished
    with claimed(store, stage.name, key, warn):
        return stage.find(store, key, poison_share) or _execute(stage, store, section, inputs, key, poison_share)


def warn(message: str) -> None:
    """Warns in the task run's log; outside a run in the module's."""
    try:
        get_run_logger().warning(message)  # the terminal shows no less of a task
    except MissingContextError:
        logging.getLogger(__name__).warning(message)


def _execute(
    stage: Stage, store: Store, section: Section, inputs: Mapping[str, Shard], key: str, poison_share: float
) -> Manifest:
    provisional = f"{stage.name}-provisional"
    before = store.find(provisional, key)
    work = Work(store, section, inputs, before.outputs if before else {})
    produced = produce(stage.name, stage.run, work, stage.per_row, poison_share)
    manifest = Manifest(
        stage=stage.name,
        version=stage.version,
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


def _failed_task(
    name: str, run: Callable[[Work], Produced], section: Section, inputs: dict[str, Shard], key: str, label: str
) -> FailedTask:
    return FailedTask(
        stage=name,
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


def _is_passing(_task: Any, _task_run: Any, state: Any) -> bool:
    try:
        state.result()
    except _PASSING:
        return True
    except TracemillError:
        return False
    except Exception:  # noqa: BLE001 - whatever a stage raised: a bug does not pass by waiting
        return False
    return False

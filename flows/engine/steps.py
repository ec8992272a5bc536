"""One step of the DAG: a stage on its inputs, as a Prefect task that waits for what made them; or without Prefect.

A shard's way through the DAG is an ordinary function (``flows/phases/shards.py``) that is given a :class:`Step` and
calls
it: what it returns is the manifest of a task that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from prefect.futures import PrefectFuture

from flows.engine.lineage import Lineage
from flows.engine.progress import Progress
from flows.engine.runners import result_of
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import StageTask, key_of
from tracemill.core import Section
from tracemill.store import Manifest, Shard, Store


class Step(Protocol):
    """Does one step of a shard and waits for it."""

    def __call__(self, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        """Return the manifest of the task.

        Raises:
            TracemillError: whatever the stage raises.
        """


@dataclass
class ShardSteps:
    """The steps of one shard, as tasks of the flow run in whose context they are called.

    Finished steps are found in the store: the first few of a phase are submitted all the same, so that the UI shows
    them as Cached; the rest is one figure, because thousands of cached task runs at once overrun Prefect's broker.

    Args:
        label: of the shard.
        show_cached: finished steps of the phase that are submitted all the same.
        poison_share: of a task's rows that may be set aside.
        go_on: raises where the run is being ended.
        found: finished steps that were looked up before the shard's turn came, by stage and key.

    Attributes:
        stage: name of the one under way, or of the last one.
        outputs: tables that the steps have made.
    """

    store: Store
    label: str
    progress: Progress
    lineage: Lineage
    show_cached: int
    poison_share: float
    go_on: Callable[[], None]
    found: Mapping[tuple[str, str], Manifest] = field(default_factory=dict)
    stage: str = ""
    outputs: list[Shard] = field(default_factory=list)

    def __call__(self, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        """See :class:`Step`."""
        self.go_on()
        self.stage = stage.name
        key = key_of(stage, section, inputs)
        manifest = self.found.get((stage.name, key)) or find_finished(self.store, stage.name, key, self.poison_share)
        if manifest is None or self.progress.found(manifest, self.show_cached):
            manifest = self._run(stage, section, inputs, key, is_finished=manifest is not None)
        self.outputs += manifest.outputs.values()
        return manifest

    def _run(
        self, stage: StageTask, section: Section, inputs: Mapping[str, Shard], key: str, *, is_finished: bool
    ) -> Manifest:
        if not is_finished:
            self.progress.started(stage.name)
        try:
            future = submit(
                stage, section, inputs, key, self.store, self.label,
                is_finished=is_finished,
                poison_share=self.poison_share,
                wait_for=self.lineage.tasks(self.label, inputs.values()),
            )  # fmt: skip
            manifest = result_of(future)
        except BaseException:
            self.progress.failed(stage.name)
            raise
        self.progress.done(manifest, anew=not is_finished)
        self.lineage.add_task(self.label, manifest.outputs.values(), future.task_run_id)
        return manifest


def submit(
    stage: StageTask,
    section: Section,
    inputs: Mapping[str, Shard],
    key: str,
    store: Store,
    label: str,
    *,
    is_finished: bool,
    wait_for: list[Any],
    poison_share: float = 0.0,
) -> PrefectFuture[Manifest]:
    """Submit one task to the task runner of the flow run that is under way.

    A task whose manifest is not there must run even if Prefect remembers a result for it.
    """
    prefect_task: Any = stage if is_finished else stage.with_options(refresh_cache=True)
    future: PrefectFuture[Manifest] = prefect_task.submit(
        store_url=store.url,
        section=section,
        inputs=dict(inputs),
        key=key,
        label=label,
        poison_share=poison_share,
        wait_for=wait_for,
    )
    return future

"""Runs whose process died without a word: the next run, or ``make worker``, marks them as Crashed.

SIGKILL, a crash of the machine or the out-of-memory killer leave a flow run ``Running`` in Prefect for ever, and with
it its phases and tasks; it then holds its deployment's one slot. So every run writes its process into the labels of its
flow run, and whoever comes next on the same host looks whether that process is there. For what nobody comes back to
there is an automation on the server: ``flows/crashed_runs.py``.

A task's end can be lost on its way too: once the server failed to record one of 15,000 (docs/operations.md). Such a
task is settled when its run has long been over.

The automation that finds runs whose process died, wherever it ran: a run that has beaten once must go on beating.

Prefect's flow engine emits a heartbeat event every PREFECT_FLOWS_HEARTBEAT_FREQUENCY seconds; its server does nothing
with them unless an automation says so. ``make deploy`` makes this one, or brings it up to date.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Crashed

from flows.engine.paused import PAUSED
from tracemill.core.process_identity import is_gone, process_name

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from uuid import UUID

AUTOMATION = "tracemill: a run without a heartbeat has crashed"
HEARTBEAT = "prefect.flow-run.heartbeat"
# After these there are no more beats, and nothing is wrong. Not among them: Running and Paused. Both come while the
# process lives and beats; if they counted, a run that dies soon after would be waited for in vain.
ENDINGS = frozenset(
    f"prefect.flow-run.{name}"
    for name in ("Completed", "Failed", "Crashed", "Cancelled", "Suspended", "AwaitingRetry", "Scheduled", PAUSED)
)
MISSED_BEATS = 3
USUAL_BEAT_S = 180  # Prefect's own default


def heartbeat_automation(silence: timedelta) -> AutomationCore:
    """Return the automation that marks a run as Crashed after ``silence`` without a beat.

    A paused run beats on, since its process waits; a suspended and a finished one has said so. Should a beat arrive
    after the end of its run, the server still refuses to change a finished state.
    """
    return AutomationCore(
        name=AUTOMATION,
        description=f"Made by `make deploy`. Runs beat every {USUAL_BEAT_S} s unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY "
        "says otherwise; the process of one that is silent so long is dead.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDINGS},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no heartbeat for {silence.total_seconds():.0f} s: its process is dead, or cut off",
            )
        ],
    )


def usual_silence() -> timedelta:
    """Three beats, as PREFECT_FLOWS_HEARTBEAT_FREQUENCY sets them."""
    return timedelta(seconds=MISSED_BEATS * (PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() or USUAL_BEAT_S))


def set_up_automation(client: SyncPrefectClient, silence: timedelta) -> None:
    """Make the automation, or brings the one of that name up to date."""
    wanted = heartbeat_automation(silence)
    standing = client.read_automations_by_name(AUTOMATION)
    if not standing:
        client.create_automation(wanted)
        print(f"made the automation that finds crashed runs, after {silence.total_seconds():.0f} s without a heartbeat")
        return
    client.update_automation(standing[0].id, wanted)
    for surplus in standing[1:]:
        client.delete_automation(surplus.id)


WORK_POOL = "tracemill"
STARTING = timedelta(minutes=3)  # from a worker's taking a run to its first word; 10 to 40 s on a busy machine
PROCESS, ATTEMPT = "tracemill.process", "tracemill.attempt"
RECORDING = timedelta(minutes=10)  # from a run's end to the last record of its tasks; a minute on a busy machine
_UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
DEFAULT_API_URL = "http://127.0.0.1:4200/api"  # where `make ui` serves
_AT_MOST = 200  # the server gives no more at once; newest first


def take_over(logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
    """What a run does at its start: claims its flow run, and settles those before it.

    A server that does not take it is no reason to fail: the automation, or the next run, will see to it.
    """
    try:
        claim_flow_run()
        if n_crashed := settle_crashed_runs():
            logger.info("%d earlier runs, whose processes are gone, are marked as Crashed", n_crashed)
        if n_lost := settle_lost_tasks():
            logger.info("%d tasks of runs that are over, whose ends were not recorded, are marked", n_lost)
    except HTTPError as error:
        logger.warning("runs that have crashed are not looked for: %s: %s", type(error).__name__, error)


def claim_flow_run() -> None:
    """Write this process into the labels of the flow run that is under way; outside one there is nothing to do."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    labels: dict[str, bool | int | float | str] = {PROCESS: process_name(), ATTEMPT: context.flow_run.run_count}
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(context.flow_run.id, labels)


def settle_crashed_runs() -> int:
    """Mark runs as Crashed whose process on this host is gone, with the phases and tasks in them; how many runs."""
    with get_client(sync_client=True) as client:
        ours = _claimed_runs(client, [*_UNFINISHED, StateType.CRASHED])
        dead = [run for run in ours if has_died(run)]
        for run in dead:
            _crash(client, run)
        family = [run for run in ours if run.state_type == StateType.CRASHED] + dead
        phases = _phases_of(client, [run.id for run in family])
        for phase in phases:
            if phase.state_type in _UNFINISHED:
                _crash(client, phase)
        for task_run in _unfinished_tasks(client, [run.id for run in [*family, *phases]]):
            client.set_task_run_state(task_run.id, Crashed(message="its run has crashed"), force=True)
    return len(dead)


def settle_lost_tasks(after: timedelta = RECORDING) -> int:
    """End tasks that the server still shows as unfinished though their run is long over; how many.

    A run that is Completed has waited for every task of its own; what became of those of other runs is not known.

    Args:
        after: so long after a run's end nothing more is recorded of its tasks.
    """
    over = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED]
    with get_client(sync_client=True) as client:
        ended = [run for run in _claimed_runs(client, over) if _is_over_for(run, after)]
        whole = {run.id: run for run in [*ended, *_phases_of(client, [run.id for run in ended])]}
        lost = _unfinished_tasks(client, list(whole))
        for task_run in lost:
            completed = task_run.flow_run_id and whole[task_run.flow_run_id].state_type == StateType.COMPLETED
            told = "its end was not recorded; its run is over"
            state: State[Any] = Completed(message=told) if completed else Crashed(message=told)
            client.set_task_run_state(task_run.id, state, force=True)
    return len(lost)


def _is_over_for(run: FlowRun, after: timedelta) -> bool:
    return run.end_time is not None and datetime.now(UTC) - run.end_time > after


def has_died(run: FlowRun) -> bool:
    """Tell whether a run is unfinished, and the process that claimed this very attempt of it is gone.

    A suspended run has no process and waits for a person; an attempt that has not been claimed yet is just starting.
    One that a worker has taken, and that has not begun for :data:`STARTING`, has died with that worker.
    """
    if run.state is None or run.state_type not in _UNFINISHED or run.state.state_details.pause_reschedule:
        return False
    if run.state_type == StateType.PENDING and run.work_pool_name == WORK_POOL:
        return datetime.now(UTC) - run.state.timestamp > STARTING
    return run.labels.get(ATTEMPT) == run.run_count and is_gone(str(run.labels.get(PROCESS, "")))


def _claimed_runs(client: SyncPrefectClient, types: list[StateType]) -> list[FlowRun]:
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=types))
    whole = FlowRunFilterParentTaskRunId(is_null_=True)
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=states, parent_task_run_id=whole),
        sort=FlowRunSort.START_TIME_DESC,
        limit=_AT_MOST,
    )
    return [run for run in found if PROCESS in run.labels or run.work_pool_name == WORK_POOL]


def _phases_of(client: SyncPrefectClient, ids: Sequence[UUID]) -> list[FlowRun]:
    if not ids:
        return []
    inside = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=list(ids)))
    return client.read_flow_runs(flow_run_filter=inside, limit=_AT_MOST)


def _unfinished_tasks(client: SyncPrefectClient, ids: Sequence[UUID]) -> list[TaskRun]:
    if not ids:
        return []
    unfinished = TaskRunFilter(
        flow_run_id=TaskRunFilterFlowRunId(any_=list(ids)),
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_UNFINISHED)),
    )
    return client.read_task_runs(task_run_filter=unfinished, limit=_AT_MOST)


def _crash(client: SyncPrefectClient, run: FlowRun) -> None:
    process = run.labels.get(PROCESS)
    message = f"its process is gone ({process})" if process else "what ran it is gone"
    client.set_flow_run_state(run.id, Crashed(message=message))


def main() -> int:
    """Return what ``make worker`` runs first."""
    with temporary_settings({PREFECT_API_URL: PREFECT_API_URL.value() or DEFAULT_API_URL}):
        with get_client(sync_client=True) as client:
            if (error := client.api_healthcheck()) is not None:
                print(f"cannot look for crashed runs: {type(error).__name__}: {error}", file=sys.stderr)
                return 1
        if n_dead := settle_crashed_runs():
            print(f"{n_dead} runs, whose processes are gone, are marked as Crashed")
        if n_lost := settle_lost_tasks():
            print(f"{n_lost} tasks of runs that are over, whose ends were not recorded, are marked")
    return 0


if __name__ == "__main__":
    sys.exit(main())

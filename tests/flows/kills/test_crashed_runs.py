"""Runs whose process dies without a word do not stay Running: the next run marks them, and so does an automation."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId, TaskRunFilter
from prefect.client.schemas.filters import TaskRunFilterFlowRunId as OfFlowRun
from prefect.client.schemas.objects import FlowRun, State, StateDetails, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Failed, Paused, Pending, Running, Scheduled, Suspended

from flows.crashed_runs import (
    ATTEMPT,
    AUTOMATION,
    HEARTBEAT,
    PROCESS,
    STARTING,
    has_died,
    set_up_automation,
    settle_lost_tasks,
    take_over,
)
from flows.deploy import deploy
from tests.support.needs import ROOT
from tests.support.runs.killed_run import finish, has_paid_for, kill_when, launch
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tests.support.warm.start import children_forked
from tracemill.core.process_identity import process_name

pytestmark = pytest.mark.usefixtures("prefect_flows")

SILENCE_S = 40  # Prefect's flows beat every 30 s at most
SHORT_SILENCE_S = 15  # of runs whose beats the test itself emits, every half second
PATIENCE_S = 240.0
DEAD = process_name(4194304)
ROWS = [question(n) for n in range(20)]  # of one shard


def until(met: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Waits for something that must come."""
    deadline = time.monotonic() + patience_s
    while not met():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.5)


@pytest.fixture
def client(prefect_flows: None) -> Iterator[SyncPrefectClient]:  # noqa: ARG001 - it has to be up
    with get_client(sync_client=True) as client:
        yield client


def newest(client: SyncPrefectClient, recipe: Path) -> list[FlowRun]:
    """Whole runs of a recipe, newest first."""
    runs = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=50)
    return [run for run in runs if run.parameters.get("recipe") == str(recipe)]


def state_of(client: SyncPrefectClient, flow_run_id: UUID) -> str:
    state = client.read_flow_run(flow_run_id).state
    return "" if state is None else state.name


def test_the_next_run_marks_the_one_before_it(client: SyncPrefectClient, tmp_path: Path) -> None:
    """After a SIGKILL and a second run, the first run, its phase and all its tasks are in a final state."""
    with ChatServer(latency_s=0.2) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=ROWS)
        kill_when(run, has_paid_for(3), by_flow=True)
        (killed,) = newest(client, run.recipe_path)
        assert state_of(client, killed.id) == "Running"
        finish(run, by_flow=True)
    assert state_of(client, killed.id) == "Crashed"
    inside = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[killed.id]))
    phases = client.read_flow_runs(flow_run_filter=inside)
    assert {phase.name.split()[0]: phase.state_name for phase in phases}["distill"] == "Crashed"
    of_it = TaskRunFilter(flow_run_id=OfFlowRun(any_=[killed.id, *(phase.id for phase in phases)]))
    states = [task.state_type for task in client.read_task_runs(task_run_filter=of_it, limit=200)]
    assert states
    assert set(states) <= {StateType.COMPLETED, StateType.CRASHED}


@flow
def over() -> None:
    """Never called: runs of it are put into states by hand."""


@task
def lost() -> None:
    """The same of a task."""


def test_tasks_whose_end_was_lost(client: SyncPrefectClient) -> None:
    """They end once their run is long over: as Completed with it, else as Crashed; those of a run just over do not."""
    tasks = []
    for ended in (Completed(), Failed()):
        run = client.create_flow_run(over, state=Running())
        client.update_flow_run_labels(run.id, {PROCESS: process_name(), ATTEMPT: 1})
        tasks.append(client.create_task_run(lost, run.id, dynamic_key="0", state=Running()).id)
        client.set_flow_run_state(run.id, ended, force=True)

    def states() -> list[str]:
        return [str(client.read_task_run(name).state_name) for name in tasks]

    settle_lost_tasks()
    assert states() == ["Running", "Running"]
    assert settle_lost_tasks(after=timedelta(0)) >= 2
    assert states() == ["Completed", "Crashed"]


def claimed(state: State[Any], process: str = DEAD, attempt: int = 1, run_count: int = 1) -> FlowRun:
    """A flow run as the server would show it."""
    labels: dict[str, bool | int | float | str] = {PROCESS: process, ATTEMPT: attempt}
    return FlowRun(flow_id=uuid4(), state=state, state_type=state.type, labels=labels, run_count=run_count)


def test_who_has_died() -> None:
    """Only an unfinished run whose very attempt was claimed by a process of this host that is gone."""
    assert has_died(claimed(Running()))
    assert has_died(claimed(Paused()))
    assert not has_died(claimed(Running(), process=process_name()))
    assert not has_died(claimed(Running(), process="elsewhere/1/1"))
    assert not has_died(claimed(Running(), run_count=2)), "a retry that has not said yet which process it is"
    assert not has_died(claimed(Suspended(timeout_seconds=60)))
    assert not has_died(claimed(Completed()))


def test_a_run_that_its_worker_has_taken_and_never_begun() -> None:
    """It has died with its worker once it could long have begun."""
    long_ago = datetime.now(UTC) - STARTING - timedelta(seconds=1)
    for state, died in ((Pending(), False), (Pending(timestamp=long_ago), True), (Scheduled(), False)):
        taken = FlowRun(flow_id=uuid4(), state=state, state_type=state.type, work_pool_name="tracemill")
        assert has_died(taken) is died


def test_a_server_that_is_away_is_no_reason_to_fail(caplog: pytest.LogCaptureFixture) -> None:
    """A run goes on where earlier ones cannot be looked for, and says so."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        take_over(logging.getLogger("run"))
    assert "runs that have crashed are not looked for: ConnectError" in caplog.text


def test_deploying_twice_leaves_one_automation(client: SyncPrefectClient) -> None:
    """`make deploy` makes the automation, and brings it up to date; it waits for three beats."""
    for _ in range(2):
        with children_forked():
            deploy(str(PREFECT_API_URL.value()))
    (standing,) = client.read_automations_by_name(AUTOMATION)
    assert standing.enabled
    assert standing.trigger.within >= timedelta(seconds=540)  # type: ignore[union-attr]
    set_up_automation(client, timedelta(seconds=99))
    (standing,) = client.read_automations_by_name(AUTOMATION)
    assert standing.trigger.within == timedelta(seconds=99)  # type: ignore[union-attr]


@pytest.fixture
def automation(client: SyncPrefectClient) -> Iterator[None]:
    """The automation, impatient; it goes with the test."""
    set_up_automation(client, timedelta(seconds=SILENCE_S))
    yield
    for standing in client.read_automations_by_name(AUTOMATION):
        client.delete_automation(standing.id)


@flow
def staged() -> None:
    """Never called: runs of it are put into states by hand."""


def in_state(client: SyncPrefectClient, state: State[Any]) -> UUID:
    """A run that has started, has beaten once, and is then put into a state."""
    run = client.create_flow_run(staged, state=Running())
    beat(run.id)
    if not state.is_running():
        client.set_flow_run_state(run.id, state, force=True)
    return run.id


def beat(flow_run_id: UUID) -> None:
    emit_event(HEARTBEAT, resource={"prefect.resource.id": f"prefect.flow-run.{flow_run_id}"})


def beats_of(client: SyncPrefectClient, flow_run_id: UUID) -> int:
    """Heartbeats of a run that the server has recorded."""
    resource = {"id": [f"prefect.flow-run.{flow_run_id}"]}
    query = {"filter": {"event": {"name": [HEARTBEAT]}, "resource": resource}}
    return int(client.request("POST", "/events/filter", json=query).json()["total"])


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[psutil.Process]:
    """A process worker that takes what is due, killed at the end with all that it has started."""
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "prefect-results"),
        "TRACEMILL_HOME": str(ROOT),
    }
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "tracemill", "--type", "process"]
    with (folder / "worker.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield psutil.Process(process.pid)
    finally:
        kill_all(psutil.Process(process.pid))
        process.wait()


def kill_all(process: psutil.Process) -> None:
    """SIGKILL to a process and all that it has started."""
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_killed_runs_are_marked(automation: None, client: SyncPrefectClient, tmp_path: Path) -> None:  # noqa: ARG001
    """Killed with its worker, or started by hand and killed: Crashed, by the beats that Prefect's flows give."""
    with children_forked():
        deploy(str(PREFECT_API_URL.value()))
    set_up_automation(client, timedelta(seconds=SILENCE_S))
    with ChatServer(latency_s=60) as teacher:
        worked, by_hand = (SmallRun(tmp_path / name, teacher.url) for name in ("worked", "by-hand"))
        worked.write(), by_hand.write()
        deployment = client.read_deployment_by_name("build-dataset/build-dataset")
        parameters = {"recipe": str(worked.recipe_path), "out": str(worked.out)}
        client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
        with worker(tmp_path):
            process = launch(by_hand.folder, "flows.build_dataset", str(by_hand.recipe_path), "--out", str(by_hand.out))
            until(lambda: teacher.n_busy >= 16)
            killed = [newest(client, run.recipe_path)[0].id for run in (worked, by_hand)]
            until(lambda: all(beats_of(client, flow_run_id) for flow_run_id in killed))
        process.kill()
        process.wait()
    until(lambda: {state_of(client, flow_run_id) for flow_run_id in killed} == {"Crashed"})


def test_silent_runs_are_marked_and_no_others(automation: None, client: SyncPrefectClient) -> None:  # noqa: ARG001
    """Silent while it runs: Crashed. Ended, suspended, or paused and beating: let be.

    A beat that arrives after the end of its run changes nothing.
    """
    set_up_automation(client, timedelta(seconds=SHORT_SILENCE_S))
    suspended = State[Any](
        type=StateType.PAUSED, name="Suspended", state_details=StateDetails(pause_reschedule=True, pause_key="1")
    )
    ended = {in_state(client, state): state.name for state in (Completed(), Failed(), suspended)}
    late = in_state(client, Completed())
    beat(late)
    paused, silent = in_state(client, Paused(timeout_seconds=600)), in_state(client, Running())

    def all_marked() -> bool:
        beat(paused)
        return state_of(client, silent) == "Crashed"

    until(all_marked)
    time.sleep(5)  # the automation is looked at every 5 s: what it would wrongly mark is due by now
    assert {flow_run_id: state_of(client, flow_run_id) for flow_run_id in ended} == ended
    assert state_of(client, late) == "Completed"
    assert state_of(client, paused) == "Paused"

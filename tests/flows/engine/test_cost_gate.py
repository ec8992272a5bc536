"""The cost gate: figures before generation, and a run that waits for a person."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.phases import cost_gate
from tests.support.runs.small_run import SmallRun, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.prefect_home import prefect_home
from tests.support.warm import start as programs
from tracemill.core import CostNotApprovedError, RecipeError, TracemillError
from tracemill.generate import Estimate
from tracemill.generate.cost import Measured, Outstanding
from tracemill.recipe import parse_section
from tracemill.recipe.sections.distill import Cost

SAMPLE = 9


def estimate(outstanding: Outstanding, tokens_per_s: float | None = 500.0, **cost: Any) -> dict[str, str]:
    measured = Measured(10, 1, 80.0, 1000.0, tokens_per_s)
    return dict(Estimate(outstanding, measured, Cost(**cost)).lines())


def test_figures_scale_with_what_is_outstanding() -> None:
    """Requests, tokens, hours, GPU-hours and price are given from the least to the most that can be needed."""
    found = estimate(Outstanding(3600, 1800, 5400, 7), gpus=8, price_per_gpu_hour=2.5, currency="EUR")
    assert found["requests"] == "3,600 to 10,800"
    assert found["already paid for"] == "7"
    assert found["completion tokens"] == "3,600,000 to 10,800,000"
    assert found["time"] == "2.0 to 6.0 h"
    assert found["GPU-hours"] == "16.0 to 48.0"
    assert found["price"] == "40.0 to 120.0 EUR"
    assert found["tokens a response"] == "1,000 (mean of 10 responses, 1 of them cut off)"


def test_one_figure_where_there_is_nothing_to_gain() -> None:
    """Without traces and later rounds there is one figure; without GPUs and price none of theirs."""
    found = estimate(Outstanding(3600, 0, 0, 0))
    assert found["requests"] == "3,600"
    assert found["time"] == "2.0 h"
    assert not {"GPU-hours", "price"} & set(found)


def test_no_speed_without_a_request() -> None:
    """Where the whole sample was in the ledger, no time is made up."""
    found = estimate(Outstanding(10, 0, 0, 0), tokens_per_s=None, gpus=1, price_per_gpu_hour=1.0)
    assert found["time"] == "not known: the whole sample had been paid for before"
    assert "price" not in found


def test_a_price_needs_gpus() -> None:
    """A price per GPU-hour without the number of GPUs is refused."""
    with pytest.raises(RecipeError, match="price_per_gpu_hour needs gpus"):
        parse_section(Cost, {"price_per_gpu_hour": 2}, origin="test")


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    made = SmallRun(tmp_path / "run", teacher.url, sections={"collect": {"shard_rows": 60}})
    cost_settings(made, approval="required")
    return made


def cost_settings(run: SmallRun, **cost: Any) -> None:
    teacher = run.recipe()["distill"]["teacher"]
    run.sections["distill"] = {"teacher": teacher, "max_rounds": 2, "cost": {"sample": SAMPLE, **cost}}


@contextlib.contextmanager
def person(answer: bool | None, run_input: Any = None) -> Iterator[list[str]]:
    """Somebody who resumes the run that pauses; the block yields the ids of the runs that were resumed."""
    resumed: list[str] = []
    with get_client(sync_client=True) as client:
        others = {flow_run.id for flow_run in paused_runs(client)}  # of other tests on the same server
    gone = threading.Event()

    def look() -> None:
        with get_client(sync_client=True) as client:  # one for all looks: to make one takes longer than to look
            while not gone.wait(0.5):
                for flow_run in paused_runs(client):
                    if flow_run.id not in others and str(flow_run.id) not in resumed and answer is not None:
                        resumed.append(str(flow_run.id))
                        client.resume_flow_run(flow_run.id, run_input=run_input or {"go_on": answer})

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield resumed
    finally:
        gone.set()
        watcher.join()


def paused_runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Builds that wait for a person; other tests' flows on the same server may be paused too."""
    builds = FlowFilter(name=FlowFilterName(any_=["build-dataset"]))
    paused = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    return client.read_flow_runs(flow_filter=builds, flow_run_filter=paused)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_gate, "POLL_S", 1)


def test_an_estimate_costs_nothing_extra(run: SmallRun, teacher: ChatServer) -> None:
    """The sample is part of the run: with an estimate no request more is sent than without."""
    cost_settings(run)
    run.build()
    with_estimate = teacher.completed
    plain = SmallRun(run.folder.parent / "plain", teacher.url, sections=run.sections | {"distill": {"max_rounds": 2}})
    plain.build()
    assert with_estimate == teacher.completed - with_estimate
    assert table(run.out, "dataset").equals(table(plain.out, "dataset"))


@pytest.mark.usefixtures("prefect_flows", "impatient")
def test_a_person_agrees(run: SmallRun, teacher: ChatServer) -> None:
    """The run pauses with only the sample asked, goes on when it is resumed, and does not ask a second time."""
    with person(answer=True) as resumed:
        built = run.build_by_flow()
    assert len(resumed) == 1
    assert built.manifest["funnel"]
    n_before = teacher.completed
    run.rows = run.rows[:-1]  # the same problems but one: other inputs, so another approval would be due
    run.rows.append({"question": "How many legs have 12 ducks and 7 cows on a farm?", "answer": "#### 52"})
    with person(answer=True) as resumed:
        run.build_by_flow()
    assert len(resumed) == 1
    assert teacher.completed > n_before


@pytest.mark.usefixtures("prefect_flows", "impatient")
def test_approval_outlives_a_failed_run(run: SmallRun, teacher: ChatServer) -> None:
    """A run that failed after its approval goes on in the next one without asking again."""

    class LockedOut(threading.Thread):
        def run(self) -> None:
            while teacher.completed < SAMPLE + 5:
                time.sleep(0.005)
            teacher.api_key = "another"  # which no run tries again, as it would where nothing answers

    teacher.latency_s = 0.05
    LockedOut().start()
    with person(answer=True) as resumed, pytest.raises(TracemillError, match="HTTP 401: wrong key"):
        run.build_by_flow()
    assert len(resumed) == 1
    teacher.api_key = None
    with person(answer=None):
        run.build_by_flow()
    with get_client(sync_client=True) as client:
        assert not paused_runs(client)


@pytest.mark.usefixtures("prefect_flows", "impatient")
def test_a_person_declines(run: SmallRun, teacher: ChatServer) -> None:
    """Declined, the run fails with the figures, and nothing but the sample was asked."""
    with person(answer=False), pytest.raises(CostNotApprovedError, match=r"declined\n  got:     requests: \d+"):
        run.build_by_flow()
    assert teacher.completed == SAMPLE


@pytest.mark.usefixtures("prefect_flows", "impatient")
def test_nobody_comes(run: SmallRun, teacher: ChatServer) -> None:
    """When nobody answers in time the run fails, with what to do."""
    cost_settings(run, approval="required", wait_s=2)
    with pytest.raises(CostNotApprovedError, match="nobody has approved the cost"):
        run.build_by_flow()
    assert teacher.completed == SAMPLE


def test_without_a_ui_nothing_is_spent(run: SmallRun, teacher: ChatServer) -> None:
    """Where no server is named nobody could ever agree: the run fails at once and names the remedy."""
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(CostNotApprovedError, match=r"(?s)no UI to do it in.*requests: .*make ui"),
    ):
        run.build()
    assert teacher.completed == SAMPLE


@pytest.mark.slow
def test_a_temporary_server_is_no_ui(run: SmallRun, teacher: ChatServer, tmp_path: Path) -> None:
    """The same of the command, which starts a server for itself alone."""
    run.write()
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    home = prefect_home(tmp_path / "prefect")
    environment |= {"PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")}
    line = ["flows.build_dataset", str(run.recipe_path), "--out", str(run.out)]
    failed = programs.run(*line, environment=environment)
    assert failed.returncode == 1
    assert "there is no UI to do it in" in failed.stderr
    assert "requests: " in failed.stderr
    assert "make ui" in failed.stderr
    assert teacher.completed == SAMPLE

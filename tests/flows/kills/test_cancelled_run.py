"""Cancel in Prefect's UI: the run's process ends, what was answered is kept, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from flows.deploy import deploy
from tests.support.needs import ROOT
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer
from tests.support.warm.start import children_forked
from tracemill.ledger import Ledger

pytestmark = pytest.mark.slow
WAIT_S = 240
IN_FLIGHT = 8


def until(condition: object, what: str) -> None:
    """Waits."""
    deadline = time.monotonic() + WAIT_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.mark.usefixtures("prefect_server")
def test_cancel_leaves_nothing_behind(tmp_path: Path) -> None:
    """No process, no half record; at most what was in flight is asked again by the run after it."""
    api_url = str(PREFECT_API_URL.value())
    with children_forked():
        deploy(api_url)
    with ChatServer(wrong_percent=0, latency_s=0.5) as server:
        run = SmallRun(tmp_path, server.url)
        run.write()
        environment = {**os.environ, "PREFECT_API_URL": api_url, "TRACEMILL_HOME": str(ROOT)}
        environment["PREFECT_RESULTS_LOCAL_STORAGE_PATH"] = str(tmp_path / "prefect-results")
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "tracemill", "--type", "process"]
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
        try:
            with get_client(sync_client=True) as client:
                deployment = client.read_deployment_by_name("build-dataset/build-dataset")
                parameters = {"recipe": str(run.recipe_path), "out": str(run.out)}
                begun = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
                until(lambda: server.completed > IN_FLIGHT, "it has not begun to ask")
                processes = psutil.Process(worker.pid).children(recursive=True)
                client.set_flow_run_state(begun.id, Cancelling(), force=True)
                until(lambda: client.read_flow_run(begun.id).state_type.name == "CANCELLED", "it is not cancelled")
                until(lambda: not any(each.is_running() for each in processes if "flow" in _line(each)), "it runs on")
        finally:
            worker.terminate()
            worker.wait(60)
        time.sleep(1)
        kept = len(Ledger(tmp_path / "store" / "ledger"))
        assert server.completed - IN_FLIGHT <= kept <= server.completed
        received, server.latency_s = server.received, 0.0
        run.build()
        n_problems = 61  # of 60 rows and two with traces, one is a benchmark's
        assert server.received - received <= n_problems - kept
    assert run.out.exists()


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

"""docker-compose.yml, brought up for real: everything healthy, deployed, a run published, nothing left at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pyarrow.compute as pc
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.support.needs import ROOT
from tests.support.runs.small_run import SmallRun, programs, question, table
from tests.support.servers.composed import Composed, docker, one_build
from tracemill.publish import published
from tracemill.store import Store

pytestmark = [pytest.mark.needs_compose, pytest.mark.timeout(900)]

RUN_S = 300
SANDBOX_END_S = 60


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The project, up and healthy, with the flows deployed."""
    it = Composed(tmp_path_factory.mktemp("composed"))
    it.folder.chmod(0o755)
    it.write()
    small_run(it).write()
    try:
        with one_build():
            it("build")
        it("up", "--detach")
        it.wait_until_healthy()
        environment = {**os.environ, "PREFECT_API_URL": it.api_url}
        subprocess.run([sys.executable, "-m", "flows.deploy"], cwd=ROOT, env=environment, check=True, timeout=240)
        yield it
    finally:
        it("down", "--volumes")
    assert it.left() == []


@pytest.fixture
def client(composed: Composed) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: composed.api_url}), get_client(sync_client=True) as connected:
        yield connected


def small_run(composed: Composed) -> SmallRun:
    """A few sums for the teacher, and two programs for the sandbox; paths are the worker's."""
    sources = [
        {"name": "programs", "path": "programs.jsonl", "layout": "am"},
        {"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"},
    ]
    sections = {
        "data_dir": "data",
        "sources": sources,
        "decontaminate": {"benchmarks": [{"name": "bench", "path": "bench.jsonl"}]},
        "distill": {"teacher": {"model": "demo", "max_tokens": 64}},
        "run": {"store": ".tracemill/store", "workers": 2},
    }
    run = SmallRun(composed.data, "", rows=[question(n) for n in range(12)], sections=sections)
    (composed.data / "programs.jsonl").write_text(programs())
    return run


def ended(client: SyncPrefectClient, run: FlowRun) -> FlowRun:
    """The run once it is in a final state."""
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        run = client.read_flow_run(run.id)
        if run.state is not None and run.state.is_final():
            return run
        time.sleep(1)
    raise AssertionError(f"still {run.state} after {RUN_S} s")


def build(client: SyncPrefectClient) -> FlowRun:
    """A run of the recipe, started as the UI's form starts it."""
    deployment = client.read_deployment_by_name("build-dataset/build-dataset")
    return client.create_flow_run_from_deployment(deployment.id, parameters={"recipe": "data/recipe.yaml"})


def sandboxes(worker: str) -> list[str]:
    """Owners, in that container, of the sandbox's containers that are there."""
    owners = docker("ps", "--filter", "label=tracemill.sandbox", "--format", '{{.Label "tracemill.sandbox"}}').split()
    return [owner for owner in owners if owner.startswith(f"{worker[:12]}/")]


def test_the_ui_is_served(composed: Composed) -> None:
    """Whoever opens the published address gets Prefect's UI, which asks the API at that address."""
    with urlopen(f"http://127.0.0.1:{composed.port}/", timeout=30) as page:
        assert b"<html" in page.read()
    with urlopen(f"http://127.0.0.1:{composed.port}/ui-settings", timeout=30) as told:
        assert json.load(told)["api_url"] == composed.api_url


def test_a_run_is_published(composed: Composed, client: SyncPrefectClient, tmp_path: Path) -> None:
    """The worker asks the teacher, judges programs in the sandbox, publishes; the server has recorded every task."""
    run = ended(client, build(client))
    assert run.state is not None
    assert run.state.is_completed(), f"{run.state}\n{composed('logs', '--tail', '80', 'worker')}"
    container = composed.container("worker")["Id"]
    docker("cp", f"{container}:/app/runs/small", str(tmp_path))
    out = tmp_path / "small"
    assert published(Store(str(out))) is not None
    rows = table(out, "dataset")
    assert rows.num_rows == 12  # eleven sums, since one is in the benchmark, and the program that adds
    assert pc.sum(pc.equal(rows["category"], "code")).as_py() == 1
    dropped = table(out, "dropped").filter(pc.field("stage") == "verify")
    assert dropped["reason"].to_pylist() == ["incorrect"]
    # The run's process ends a moment after its state does, and they with it.
    deadline = time.monotonic() + SANDBOX_END_S
    while (left := sandboxes(container)) and time.monotonic() < deadline:
        time.sleep(1)
    assert left == [], "the sandbox's containers ended"
    faults = [line for line in composed("logs", "prefect-server").splitlines() if "| ERROR" in line]
    assert faults == [], "the server has recorded every event"

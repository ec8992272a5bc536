"""The docker pool, for real: a worker of Prefect's, runs in containers of the project's image, everything on S3."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from flows.deploy import deploy
from tests.support.programs.forwarded_engine import forwarded
from tests.support.runs.small_run import SmallRun, programs, question
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.composed import docker
from tests.support.servers.docker_pool import DockerPool, build_image
from tests.support.servers.object_store import S3Server
from tests.support.warm.start import children_forked
from tracemill.publish import published
from tracemill.store import Store

pytestmark = [pytest.mark.needs_compose, pytest.mark.needs_work_pools, pytest.mark.slow(150), pytest.mark.timeout(900)]

WAIT_S = 240
IN_FLIGHT = 4
N_ROWS = 40
OUT = "s3://bucket/runs/small"


@pytest.fixture
def pool(prefect_server: None, bucket: str, s3_server: S3Server, tmp_path: Path) -> Iterator[DockerPool]:  # noqa: ARG001
    """The flows on a pool with an S3 server's address and a secret of a block."""
    build_image()
    made = DockerPool(tmp_path, f"tracemill-test-{secrets.token_hex(4)}")
    Secret(value="test").save(f"{made.name}-aws")
    made.write(
        AWS_ENDPOINT_URL=s3_server.url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY=f"{{{{ prefect.blocks.secret.{made.name}-aws }}}}",
        AWS_DEFAULT_REGION="us-east-1",
        NUMBA_DISABLE_JIT="1",  # a new volume has no compiled loops, and forty rows are not worth them
    )
    with children_forked():
        deploy(str(PREFECT_API_URL.value()), pool=str(made.file))
    yield made
    with get_client(sync_client=True) as client:
        client.delete_work_pool(made.name)


def small_run(pool: DockerPool, teacher: ChatServer, engine: int) -> None:
    """Sums for the teacher and two programs for an engine behind TCP; paths are the containers'."""
    sections = {
        "data_dir": "data",
        "sources": [
            {"name": "programs", "path": "programs.jsonl", "layout": "am"},
            {"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"},
        ],
        "distill": {
            "teacher": {
                "model": "demo",
                "base_urls": [teacher.url],
                "max_tokens": 64,
                "max_in_flight": IN_FLIGHT,
            }
        },
        "verify": {"workers": 1, "sandbox": {"engines": [f"tcp://127.0.0.1:{engine}"], "containers": 1}},
        "run": {"store": "s3://bucket/store", "workers": 2},
    }
    run = SmallRun(pool.data, "", rows=[question(n) for n in range(N_ROWS)], sections=sections)
    run.write()
    (pool.data / "programs.jsonl").write_text(programs())


def until(condition: Callable[[], bool], log: Path) -> None:
    """Waits."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-5000:]
        time.sleep(0.5)


def started(client: SyncPrefectClient) -> FlowRun:
    """A run of the recipe, as the UI's form starts it."""
    deployment = client.read_deployment_by_name("build-dataset/build-dataset")
    parameters = {"recipe": "data/recipe.yaml", "out": OUT}
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


def is_over(client: SyncPrefectClient, run: FlowRun, state: str) -> bool:
    """Whether a run has ended; not in another state than this one."""
    found = client.read_flow_run(run.id).state
    assert found is not None
    assert not found.is_final() or found.name == state, found
    return found.is_final()


def test_killed_and_cancelled_containers(pool: DockerPool) -> None:
    """A killed container shows as a crash, Cancel ends one, and the run after them pays for nothing twice."""
    with (
        ChatServer(wrong_percent=0, latency_s=1.0) as teacher,
        forwarded("/var/run/docker.sock") as engine,
        get_client(sync_client=True) as client,
        pool.worker(str(PREFECT_API_URL.value())) as log,
    ):
        small_run(pool, teacher, engine)
        killed = started(client)
        until(lambda: teacher.completed > IN_FLIGHT, log)
        for container in pool.containers(killed.id):
            docker("kill", container)
        until(lambda: is_over(client, killed, "Crashed"), log)
        assert "137" in str(client.read_flow_run(killed.id).state.message)

        cancelled = started(client)
        n_before = teacher.completed
        until(lambda: teacher.completed > n_before + IN_FLIGHT, log)
        client.set_flow_run_state(cancelled.id, Cancelling(), force=True)
        until(lambda: is_over(client, cancelled, "Cancelled"), log)
        until(lambda: not pool.containers(running=True), log)

        teacher.latency_s = 0.0
        last = started(client)
        until(lambda: is_over(client, last, "Completed"), log)
        assert teacher.received <= N_ROWS - 1 + 2 * IN_FLIGHT  # one is a benchmark's
    check_published()


def check_published() -> None:
    """What stands on S3: every sum but the benchmark's, and of two programs the one that adds."""
    standing = published(Store(OUT))
    assert standing is not None
    rows = {(row["source"], row["stage"]): row["rows"] for row in standing["funnel"] if row["stage"] != "source"}
    assert rows == {
        ("programs", "published"): 1,
        ("programs", "verify"): 1,
        ("rows", "decontaminate"): 1,
        ("rows", "published"): N_ROWS - 1,
    }

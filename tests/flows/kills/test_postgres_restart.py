"""Prefect on PostgreSQL, whose database is restarted under a run: the run goes on to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from benchmarks.crash.scene import Scene, until
from demo.free_port import free_port
from tests.support.needs import postgres_programs
from tests.support.runs.killed_run import end, n_ledger_lines, start
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer

pytestmark = [pytest.mark.needs_postgres]


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL of the test's own."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs; it refuses to be root's."""
        found = postgres_programs()
        assert found is not None
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*as_user, str(found / program), *arguments], cwd="/", check=True, stdout=subprocess.DEVNULL)

    def control(self, *arguments: str) -> None:
        """``pg_ctl`` start, restart, stop."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        log = str(self.folder / "log")
        self.run("pg_ctl", *arguments, "--wait", "-D", str(self.folder / "data"), "-l", log, "-o", options)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A running one, not below pytest's folders: those are closed to the user that it runs as."""
    with tempfile.TemporaryDirectory(prefix="tracemill-postgres-") as place:
        if os.geteuid() == 0:
            shutil.chown(place, "postgres")
        cluster = Cluster(Path(place), free_port())
        cluster.run("initdb", "-D", f"{place}/data", "--auth=trust", "--username=postgres", "--no-sync")
        cluster.control("start")
        yield cluster
        cluster.control("stop", "--mode=immediate")


@pytest.fixture
def scene(cluster: Cluster, tmp_path: Path) -> Iterator[Scene]:
    """Prefect's server on it, without deployments: the run is started by its command."""
    scene = Scene(tmp_path / "scene", {"PREFECT_SERVER_DATABASE_CONNECTION_URL": cluster.url})
    try:
        scene.start_server()
        yield scene
    finally:
        scene.end()


def test_postgres_restarts_under_a_run(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """The database is shut down hard and started again while the teacher is asked: the run goes on, and pays once."""
    with ChatServer(latency_s=0.3) as teacher, temporary_settings({PREFECT_API_URL: scene.api_url}):
        run = SmallRun(tmp_path / "run", teacher.url)
        process = start(run, by_flow=True)
        until(lambda: n_ledger_lines(run) >= 10, "nothing is paid for")
        cluster.control("restart", "--mode=immediate")
        end(process, run.folder)
        assert n_ledger_lines(run) == teacher.completed == 60
    states = {found["state_name"] for found in scene.ask("/flow_runs/filter", {})}
    assert states == {"Completed"}

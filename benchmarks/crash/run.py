"""One run of the crash matrix: its recipe and teacher, what was paid for and published, what was left lying about."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import pyarrow.parquet as pq
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from benchmarks.crash.recipe import Problems, crash_recipe
from benchmarks.crash.scene import PATIENCE_S, Scene, until
from demo.free_port import free_port
from flows.crashed_runs import settle_lost_tasks
from tracemill.ledger import Ledger
from verifiers.sandbox.container import LABEL

UNFINISHED = {"type": {"any_": ["PENDING", "RUNNING", "PAUSED", "CANCELLING"]}}
SETTLING_S = 60.0  # Docker removes containers, and Prefect records tasks, a little later


@dataclass
class CrashRun:
    """A build in a folder of its own.

    Attributes:
        name: of its process and its teacher's on the scene.
    """

    scene: Scene
    folder: Path
    problems: Problems
    shard_rows: int
    latency_ms: float

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._port = free_port()
        recipe = crash_recipe(self.problems, f"http://127.0.0.1:{self._port}/v1", self.store, self.shard_rows)
        self.recipe_path.write_text(yaml.safe_dump(recipe))

    def compute_in_processes(self) -> None:
        """Let this build compute in worker processes."""
        recipe = yaml.safe_load(self.recipe_path.read_text())
        recipe["run"]["runner"] = {"kind": "processes"}
        self.recipe_path.write_text(yaml.safe_dump(recipe))

    @property
    def recipe_path(self) -> Path:
        """The recipe."""
        return self.folder / "recipe.yaml"

    @property
    def store(self) -> Path:
        """The store, with the ledger in it."""
        return self.folder / "store"

    @property
    def out(self) -> Path:
        """What is published."""
        return self.folder / "out"

    def start_teacher(self) -> None:
        """On the port that the recipe names."""
        options = {
            "port": self._port,
            "answers": self.problems.answers,
            "log": self._log,
            "latency-ms": self.latency_ms,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.scene.start("teacher", "-m", "benchmarks.crash.teacher", *words)

    def start(self) -> subprocess.Popen[bytes]:
        """Return the build, by hand."""
        return self.scene.start("flow", "-m", "flows.build_dataset", str(self.recipe_path), "--out", str(self.out))

    def schedule(self) -> str:
        """Return the build, for a worker; the id of its flow run."""
        deployment = self.scene.ask("/deployments/filter", {"deployments": {"name": {"any_": ["build-dataset"]}}})[0]
        parameters = {"recipe": str(self.recipe_path), "out": str(self.out)}
        made = self.scene.ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(made["id"])

    def state_of(self, flow_run_id: str) -> str:
        """Type of the state of a flow run."""
        found = self.scene.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}})
        return str(found[0]["state_type"])

    def finish(self) -> int:
        """Build by hand until a build ends well; how many it took.

        Raises:
            RuntimeError: three have failed.
        """
        for attempt in range(1, 4):
            if self.start().wait(PATIENCE_S) == 0:
                return attempt
        raise RuntimeError(f"the run cannot be finished: {self.log_tail()}")

    def log_tail(self) -> str:
        """Return the last that the flow has said."""
        return (self.scene.folder / "flow.log").read_text()[-3000:]

    @property
    def _log(self) -> Path:
        return self.folder / "teacher-requests.log"

    def n_began(self) -> int:
        """Requests that have reached the teacher."""
        return self._count(b"began\n")

    def n_paid(self) -> int:
        """Requests that the teacher has answered."""
        return self._count(b"paid\n")

    def _count(self, line: bytes) -> int:
        return self._log.read_bytes().count(line) if self._log.exists() else 0

    def n_recorded(self) -> int:
        """Return responses in the ledger."""
        place = self.store / "ledger"
        return len(Ledger(place)) if place.exists() else 0

    def digest(self) -> str:
        """Return of every published table and of the reference layout's file; the card names the sources' folder."""
        standing = (self.out / "current").resolve()
        files = sorted(path for path in standing.rglob("*") if path.suffix in {".parquet", ".zst"})
        whole = hashlib.sha256()
        for path in files:
            whole.update(f"{path.relative_to(standing)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return whole.hexdigest()

    def n_unjudged(self) -> int:
        """Return published verdicts that are the sandbox's failure; the next run judges those again."""
        tables = [pq.read_table(path, columns=["outcome"]) for path in self.out.glob("verdicts/*.parquet")]
        return sum(table.column("outcome").to_pylist().count("sandbox_error") for table in tables)

    def leftovers(self) -> list[str]:
        """Return what should not be there once a run has ended: containers, files, processes, flow and task runs.

        A server that is killed may lose the end of a task that it had been told of. The next run, or ``make worker``,
        settles such tasks ten minutes after their run's end; here they do so after a minute.
        """
        with contextlib.suppress(TimeoutError):
            until(lambda: not self._lying_about(), "", SETTLING_S)
            return []
        with temporary_settings({PREFECT_API_URL: self.scene.api_url}):
            settle_lost_tasks(after=timedelta(seconds=SETTLING_S / 2))
        return self._lying_about()

    def _lying_about(self) -> list[str]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        temporary = [path for path in files if ".tmp" in path.parent.name or ".tmp" in path.name]
        return [
            *(
                f"container {found['Id'][:12]}"
                for found in _containers()
                if found["Labels"][LABEL] in self.scene.family
            ),
            *(f"file {path.relative_to(self.folder)}" for path in temporary),
            *(f"process {command}" for command in self.scene.strays()),
            *(
                f"{kind} {run['name']} {run['state_name']}"
                for kind in ("flow_runs", "task_runs")
                for run in self._open(kind)
            ),
        ]

    def _open(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.scene.ask(f"/{kind}/filter", {kind: {"state": UNFINISHED}})
        return found


def kill_containers(pids: set[int]) -> int:
    """SIGKILL to the sandbox containers that these processes own; how many there were."""
    api, n_killed = docker.from_env().api, 0
    for found in _containers():
        if int(found["Labels"][LABEL].split("/")[1]) in pids:
            with contextlib.suppress(docker.errors.APIError):  # it has ended meanwhile
                api.kill(found["Id"], "SIGKILL")
                n_killed += 1
    return n_killed


def _containers() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = docker.from_env().api.containers(all=True, filters={"label": LABEL})
    return found

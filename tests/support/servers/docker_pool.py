"""The docker pool for tests: an image, a pool of one's own as a user would make it, and a real worker."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.work_pools import POOLS
from tests.support.needs import ROOT
from tests.support.servers.composed import docker, one_build

IMAGE = "tracemill-test"


def build_image() -> None:
    """The worker's image, by the command of the docs."""
    with one_build():
        base = os.environ.get("BASE_PYTHON", "python:3.12-slim")
        arguments = ["--file", "deployments/worker.Dockerfile", "--build-arg", f"BASE={base}", "--tag", IMAGE]
        settings = {"DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "0")}
        command = ["docker", "build", "--quiet", *arguments, "."]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@dataclass(frozen=True)
class DockerPool:
    """A copy of deployments/pools/docker.yaml with settings of a test's own.

    Attributes:
        folder: holds the file, and ``data``, which runs read as ``data``.
        name: of the pool, and of its volumes' beginning.
    """

    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / "pool.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write(self, **environment: str) -> None:
        """The file, with these variables in the environment of runs."""
        self.data.mkdir()
        self.data.chmod(0o755)
        said: dict[str, Any] = yaml.safe_load((POOLS / "docker.yaml").read_text())
        properties = said["variables"]["properties"]
        properties["image"]["default"] = IMAGE
        properties["env"]["default"] |= environment
        properties["volumes"]["default"] = [f"{self.name}:/app/.tracemill", "./data:/app/data:ro"]
        self.file.write_text(yaml.safe_dump(said | {"name": self.name}))

    @contextlib.contextmanager
    def worker(self, api_url: str) -> Iterator[Path]:
        """A worker of the pool, and its log; whatever it has started is removed at the end."""
        environment = {**os.environ, "PREFECT_API_URL": api_url, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", self.name, "--type", "docker"]
        log = self.folder / "worker.log"
        with log.open("w") as sink:
            process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=sink, stderr=sink)
        try:
            yield log
        finally:
            process.terminate()
            process.wait(60)
            for container in self.containers():
                docker("rm", "--force", container)
            docker("volume", "rm", "--force", self.name)

    def containers(self, flow_run: object = "", *, running: bool = False) -> list[str]:
        """Ids of the pool's containers, or of one run's."""
        of_run = ["--filter", f"label=io.prefect.flow-run-id={flow_run}"] if flow_run else []
        ours = ["--filter", f"label=io.prefect.work-pool-name={self.name}"]
        return docker("ps", "--quiet", *([] if running else ["--all"]), *ours, *of_run).split()

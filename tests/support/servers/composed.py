"""docker-compose.yml brought up under a name of its own, for tests: on a free port, a chat server as its teacher."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.free_port import free_port
from tests.support.needs import ROOT, compose_command
from tracemill.core.file_lock import locked

SERVICES = {"postgres", "redis", "prefect-server", "worker"}  # that have a health check
HEALTHY_S = 300
LABEL = "com.docker.compose"  # how its labels begin: to ask the engine takes a tenth of what it takes to ask compose


@contextlib.contextmanager
def one_build() -> Iterator[None]:
    """Of two tests that build the worker's image at once, the second waits, and finds the first one's layers."""
    place = Path(tempfile.gettempdir()) / f"tracemill-tests-{os.getuid()}-image.lock"
    with locked(place, lambda _: None):
        yield


@dataclass
class Composed:
    """One project of compose.

    Attributes:
        folder: holds the file of settings, and ``data``, which the worker reads as ``data``.
    """

    folder: Path
    project: str = field(default_factory=lambda: f"tracemill-test-{secrets.token_hex(4)}")
    port: int = field(default_factory=free_port)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write(self) -> None:
        """The file of settings, as `make env` would write it, and the folder of sources."""
        self.data.mkdir(exist_ok=True)
        settings = {
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "SANDBOX_SOCKET_GID": str(Path("/var/run/docker.sock").stat().st_gid),
            "PREFECT_PORT": str(self.port),
            "DATA": str(self.data),
            "TRACEMILL_IMAGE": "tracemill-test",
        }
        (self.folder / "env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def __call__(self, *arguments: str, timeout_s: float = 600) -> str:
        """Runs one command of compose.

        Raises:
            AssertionError: it failed; with its output.
        """
        files = [
            word
            for name in ("docker-compose.yml", "tests/support/servers/compose.chat.yml")
            for word in ("-f", str(ROOT / name))
        ]
        place = [
            "--project-name",
            self.project,
            "--project-directory",
            str(ROOT),
            "--env-file",
            str(self.folder / "env"),
        ]
        done = subprocess.run(
            [*compose_command(), *files, *place, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "0")},
        )
        assert done.returncode == 0, f"compose {arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        labels = {"project": self.project, "service": service}
        ours = [word for name, value in labels.items() for word in ("--filter", f"label={LABEL}.{name}={value}")]
        described = json.loads(docker("inspect", *docker("ps", "--all", "--quiet", *ours).split()))
        found: dict[str, Any] = described[0]
        return found

    def wait_until_healthy(self) -> None:
        """Returns when every service is healthy.

        Raises:
            AssertionError: one is not, after five minutes; with its log.
        """
        deadline = time.monotonic() + HEALTHY_S
        waiting = set(SERVICES)
        while waiting and time.monotonic() < deadline:
            waiting = {name for name in waiting if self.container(name)["State"]["Health"]["Status"] != "healthy"}
            time.sleep(1)
        assert not waiting, self("logs", "--tail", "50", *waiting)

    def left(self) -> list[str]:
        """Containers, volumes and networks of the project that exist."""
        ours = f"label={LABEL}.project={self.project}"
        containers = docker("ps", "--all", "--quiet", "--filter", ours)
        return [
            line
            for text in (
                containers,
                *(docker(kind, "ls", "--quiet", "--filter", ours) for kind in ("volume", "network")),
            )
            for line in text.split()
        ]


def docker(*arguments: str) -> str:
    """Output of one command of the engine's."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout

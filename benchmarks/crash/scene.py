"""The processes of the crash matrix: Prefect's server, a worker, a flow, the teacher; started, SIGKILLed, looked for.

Every process inherits a mark in its environment, so that one that outlives its run is found.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from demo.free_port import free_port
from flows.command_line import TEMPORARY_SERVER
from tracemill.core.process_identity import process_name

ROOT = Path(__file__).parents[2]
MARK = "TRACEMILL_CRASH_MATRIX"
PATIENCE_S = 900.0


@dataclass
class Scene:
    """What all runs of one matrix share: a Prefect server with a database of its own.

    Attributes:
        folder: everything is below it.
        settings: further environment variables of every process.
        family: names of all processes that were started here, and of what they had started when they were killed.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    family: set[str] = field(default_factory=set)
    api_port: int = field(default_factory=free_port)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Of Prefect's server."""
        return f"http://127.0.0.1:{self.api_port}/api"

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process under a name; what it says goes to ``<name>.log``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        self._processes[name] = process
        self.family.add(process_name(process.pid))
        return process

    def start_server(self) -> None:
        """Prefect's server; returns when it answers."""
        port = str(self.api_port)
        self.start("server", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port)
        until(self._answers, "Prefect's server does not answer")

    def start_worker(self) -> None:
        """What `make worker` does: looks for crashed runs, then works."""
        self.start("sweep", "-m", "flows.crashed_runs").wait(PATIENCE_S)
        self.start("worker", "-m", "prefect", "worker", "start", "--pool", "tracemill", "--type", "process")

    def kill(self, name: str) -> None:
        """SIGKILL to a process and all that it has started, the parents first."""
        process = self._processes.pop(name)
        self.family |= {process_name(pid) for pid in (process.pid, *(child.pid for child in _children(process.pid)))}
        kill_tree(process.pid)
        process.wait()

    def end(self) -> None:
        """End everything."""
        for name in list(self._processes):
            self.kill(name)

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """POST to Prefect's API."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.api_url + path, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
            return json.loads(reply.read())

    def strays(self) -> list[str]:
        """Processes that bear the mark, and are none of those that were started here and go on."""
        known = {process.pid for process in self._processes.values()}
        known |= {child.pid for pid in list(known) for child in _children(pid)}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_ours = process.environ().get(MARK) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE
                if is_ours and process.pid not in known | {os.getpid()}:
                    found.append(" ".join(process.cmdline())[:200])
        return found

    def _answers(self) -> bool:
        process = self._processes["server"]
        if process.poll() is not None:
            raise RuntimeError(f"Prefect's server has ended: {(self.folder / 'server.log').read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(self.api_url + "/health", timeout=5) as reply:  # noqa: S310 - loopback
                return bool(reply.status == 200)
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **TEMPORARY_SERVER,
            MARK: str(self.folder),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_SERVER_API_PORT": str(self.api_port),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
            "TRACEMILL_HOME": str(ROOT),
            **self.settings,
        }


@contextlib.contextmanager
def on_scene(folder: Path, settings: dict[str, str] | None = None) -> Iterator[Scene]:
    """Give a scene whose server answers and has the deployments; it ends with the block."""
    scene = Scene(folder, settings or {})
    try:
        scene.start_server()
        deployed = scene.start("deploy", "-m", "flows.deploy").wait(PATIENCE_S)
        if deployed != 0:
            raise RuntimeError(f"cannot deploy: {(folder / 'deploy.log').read_text()[-2000:]}")
        yield scene
    finally:
        scene.end()


def kill_tree(pid: int) -> None:
    """SIGKILL to a process and all that it has started."""
    try:
        family = [psutil.Process(pid), *_children(pid)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def until(met: Callable[[], bool], otherwise: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something that must come.

    Raises:
        TimeoutError: it has not.
    """
    deadline = time.monotonic() + patience_s
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.2)

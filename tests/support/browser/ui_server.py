"""A Prefect server with its UI, all deployments and a process worker, on ports and in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.free_port import free_port
from flows.command_line import TEMPORARY_SERVER
from tests.support.servers.prefect_home import prefect_home
from tests.support.warm.start import python

ROOT = Path(__file__).parents[3]
PATIENCE_S = 180.0


@dataclass(frozen=True)
class UiServer:
    """Where it is.

    Attributes:
        url: of the UI, without a path.
        folder: database, logs and results.
    """

    url: str
    folder: Path

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"


@contextlib.contextmanager
def ui_server(folder: Path) -> Iterator[UiServer]:
    """Starts all of it, and ends it."""
    port = free_port()
    server = UiServer(f"http://127.0.0.1:{port}", folder)
    environment = {
        **os.environ,
        **TEMPORARY_SERVER,
        "PREFECT_HOME": str(prefect_home(folder)),
        "PREFECT_API_URL": server.api_url,
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "results"),
        # Without it the UI asks the API at port 4200, wherever the server is.
        "PREFECT_SERVER_UI_API_URL": server.api_url,
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "TRACEMILL_HOME": str(ROOT),
        "DO_NOT_TRACK": "1",
    }
    with contextlib.ExitStack() as stack:
        serve = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        started = stack.enter_context(running(serve, environment, folder / "server.log"))
        wait_until_it_answers(server, started)
        deploy = [python(), "-m", "flows.deploy"]
        subprocess.run(deploy, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=PATIENCE_S)
        work = ["-m", "prefect", "worker", "start", "--pool", "tracemill", "--type", "process"]
        stack.enter_context(running(work, environment, folder / "worker.log"))
        yield server


@contextlib.contextmanager
def running(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that is ended with the block."""
    with log.open("wb") as output:
        command = [python(), *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_answers(server: UiServer, process: subprocess.Popen[bytes]) -> None:
    """Returns once the API is healthy."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.api_url}/health", timeout=5).is_success:
                return
        time.sleep(0.3)
    raise RuntimeError(f"Prefect's server does not answer: {(server.folder / 'server.log').read_text()[-2000:]}")

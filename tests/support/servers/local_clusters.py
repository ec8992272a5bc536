"""Small real clusters on loopback, started by the commands that docs/scaling.md gives."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from demo.free_port import free_port
from tests.support.needs import ROOT

PATIENCE_S = 400.0
_OBJECT_STORE = 100 << 20  # bytes; only handles travel


@contextlib.contextmanager
def dask_cluster(folder: Path, n_workers: int = 2, cwd: Path = ROOT) -> Iterator[str]:
    """Address of a Dask cluster of so many worker processes, two threads each."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    workers = ["distributed.cli.dask_worker", address, "--nworkers", str(n_workers), "--nthreads", "2"]
    workers += ["--no-dashboard", "--local-directory", str(folder / "dask"), "--death-timeout", "120"]
    with contextlib.ExitStack() as started:
        for command, directory in ((scheduler, ROOT), (workers, cwd)):
            started.enter_context(_running([sys.executable, "-m", *command], directory, folder / "dask.log"))
        yield address


@contextlib.contextmanager
def ray_cluster(folder: Path) -> Iterator[str]:
    """Address of a Ray cluster of one machine with two cores to give."""
    port = free_port()
    ray = str(Path(sys.executable).with_name("ray"))
    sockets = tempfile.mkdtemp(prefix="ray-")  # their paths may have 107 characters
    command = [ray, "start", "--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2"]
    command += [f"--object-store-memory={_OBJECT_STORE}", "--include-dashboard=false", f"--temp-dir={sockets}"]
    command += ["--include-log-monitor=false", "--no-monitor"]  # nobody reads what workers print, or adds machines
    # Workers listen where the kernel likes: else Ray takes 10002 to 19999 for them, and refuses its head one of those.
    command += ["--min-worker-port=0", "--max-worker-port=0"]
    try:
        with _running([*command, "--disable-usage-stats"], ROOT, folder / "ray.log") as process:
            _until(lambda: _listens(port), process, folder / "ray.log")
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


@contextlib.contextmanager
def _running(command: list[str], cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    # Dask's workers look at their own stacks a hundred times a second, for a dashboard that is not there.
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
    with log.open("ab") as sink:
        process = subprocess.Popen(command, cwd=cwd, stdout=sink, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, as an operator would; what is left after a while is killed."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    _, alive = psutil.wait_procs(family, timeout=30)
    for left in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    process.wait()


def _until(come: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

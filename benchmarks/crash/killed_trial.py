"""What a killed distillation runs in: a folder, processes that it ends itself, and the count of what was answered."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crash.killed_outcome import Speeds
from benchmarks.teacher.cores import on_cores
from benchmarks.teacher.server_maximum import Reading, read_server
from demo.free_port import HOST, free_port, is_free
from demo.teacher.serve import DemoServer, die_with_parent, serving

SAY_EVERY_S = 10.0
PATIENCE = 6  # times that a server is asked for its counters, 10 s each, before it counts as gone


@dataclass
class Trial:
    """One distillation that is killed again and again.

    Attributes:
        folder: of everything that it makes.
        stack: ends everything that it has started.
        server_cores: processors of the model's server.
        n_at_server: requests that the servers have answered for builds, the bench's left out.
        in_flight_at_kills: requests at the server when the build was killed, by kill.
        build, bench: tokens/s of the server while either used it.
    """

    given: argparse.Namespace
    folder: Path
    stack: contextlib.ExitStack
    server_cores: set[int]
    port: int = field(default_factory=free_port)
    prefect_port: int = field(default_factory=free_port)
    began: float = field(default_factory=time.monotonic)
    n_at_server: int = 0
    in_flight_at_kills: list[int] = field(default_factory=list)
    build: Speeds = field(default_factory=Speeds)
    bench: Speeds = field(default_factory=Speeds)
    _n_before: int = 0
    _said_at: float = 0.0

    @property
    def url(self) -> str:
        """Of the model's server, dead or alive."""
        return f"http://{HOST}:{self.port}/v1"

    def say(self, what: str) -> None:
        """A line of progress."""
        self._said_at = time.monotonic()
        print(f"[{self._said_at - self.began:4.0f} s] {what}", file=sys.stderr, flush=True)

    def wait(self, until: Callable[[], bool], state: Callable[[], str]) -> None:
        """Waits, and tells now and then how far it is."""
        while not until():
            if time.monotonic() - self._said_at > SAY_EVERY_S:
                self.say(state())
            time.sleep(0.1)

    def serve(self) -> DemoServer:
        """Start the model's server on the one port, once the one before it, which may have been killed, is gone."""
        self.wait(lambda: is_free(self.port), lambda: f"waiting for port {self.port}")
        self.say("starting vLLM")
        log = self.folder / "vllm.log"
        patience_s = 60 * self.given.minutes
        with on_cores(self.server_cores):
            return self.stack.enter_context(
                serving(Path(self.given.vllm_python), port=self.port, log=log, timeout_s=patience_s)
            )

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a Python module in a process group of its own, which ends with the trial."""
        own = {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": f"http://{HOST}:{self.prefect_port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "DO_NOT_TRACK": "1",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **own},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - the child calls prctl and getppid, nothing that locks
            )
        self.stack.callback(end_group, process)
        return process

    def start_build(self, store: str) -> subprocess.Popen[bytes]:
        """Start a build in the store of that name."""
        recipe, out = str(self.folder / "recipe.yaml"), str(self.folder / f"{store}-out")
        return self.start(
            store, "flows.build_dataset", recipe, "--set", f"run.store={self.folder / store}", "--out", out
        )

    def reading(self) -> Reading:
        """Return the counters of the server, which is up."""
        readings = (read_server(self.url) for _ in range(PATIENCE))
        reading = next((found for found in readings if found is not None), None)
        if reading is None:
            sys.exit(f"vLLM does not answer any more\n{self.tail('vllm')}")
        return reading

    def settle(self, reading: Reading) -> None:
        """Count what the server has answered since it was last counted, or since it began."""
        self.n_at_server += reading.n_completed - self._n_before
        self._n_before = reading.n_completed

    def forget(self, n_before: int) -> None:
        """What the server has answered so far was not for a build, or it is another server."""
        self._n_before = n_before

    def tail(self, name: str) -> str:
        """Return the end of a log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

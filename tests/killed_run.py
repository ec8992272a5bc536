"""A flow in a process of its own, so that it can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.settings import PREFECT_API_URL

if TYPE_CHECKING:
    from small_run import SmallRun

ROOT = Path(__file__).parent.parent
PATIENCE_S = 240.0


def start(run: SmallRun) -> subprocess.Popen[bytes]:
    """Starts a build on this test session's Prefect server."""
    run.write()
    return launch(run.folder, "flows.build_dataset", str(run.recipe_path), "--out", str(run.out))


def launch(
    folder: Path, module: str, *arguments: str, prefix: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a flow on this test session's Prefect server; its log and Prefect's results go into ``folder``.

    ``prefix`` comes first on the command line, ``settings`` are further environment variables.
    """
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "prefect-results"),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        **(settings or {}),
    }
    with (folder / "build.log").open("a") as log:
        command = [*prefix, sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)


def finish(run: SmallRun) -> None:
    """Builds to the end."""
    end(start(run), run.folder)


def end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits for a flow that must end well."""
    assert process.wait(PATIENCE_S) == 0, (folder / "build.log").read_text()[-3000:]


def kill_when(run: SmallRun, moment: Callable[[SmallRun], bool]) -> None:
    """Starts a build and SIGKILLs it at a moment; fails if it ends before that moment comes."""
    kill(start(run), run.folder, lambda: moment(run))


def kill(process: subprocess.Popen[bytes], folder: Path, moment: Callable[[], bool]) -> None:
    """SIGKILLs a flow at a moment; fails if it ends before that moment comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not moment():
        assert process.poll() is None, (
            "the flow ended before it could be killed\n" + ((folder / "build.log").read_text()[-3000:])
        )
        assert time.monotonic() < deadline, "the moment to kill the flow never came"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def n_manifests(run: SmallRun, stage: str) -> int:
    """Finished tasks of a stage."""
    return len(list((run.folder / "store" / "manifests" / stage).glob("*.json")))


def n_ledger_lines(run: SmallRun) -> int:
    """Responses that are recorded."""
    segments = (run.folder / "store" / "ledger").glob("*")
    return sum(path.read_bytes().count(b"\n") for path in segments if path.suffix == ".ledger")


def is_collecting(run: SmallRun) -> bool:
    """Some shards are collected, not all."""
    return n_manifests(run, "collect") >= 1


def is_exporting(run: SmallRun) -> bool:
    """The published files are being written."""
    return any((run.out / ".tmp").glob("*")) and n_manifests(run, "select") > 0


def has_paid_for(n: int) -> Callable[[SmallRun], bool]:
    """At least so many responses are recorded."""
    return lambda run: n_ledger_lines(run) >= n

"""A build in a process of its own, so that it can be killed: by a flow, or without Prefect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.support.needs import ROOT
from tests.support.warm import start as programs

if TYPE_CHECKING:
    from tests.support.runs.small_run import SmallRun

Process: TypeAlias = "subprocess.Popen[bytes] | programs.Started"
PATIENCE_S = 240.0


def start(run: SmallRun, *, by_flow: bool = False, out: Path | None = None, **more: Any) -> Process:
    """Starts a build: without Prefect, or as a flow on this test session's server; ``more`` is of :func:`launch`."""
    run.write()
    if by_flow:
        return launch(run.folder, "flows.build_dataset", str(run.recipe_path), "--out", str(out or run.out), **more)
    return _started(
        run.folder, ["tests.support.runs.plain_build", str(run.recipe_path), str(out or run.out)], {}, **more
    )


def launch(
    folder: Path, module: str, *arguments: str, prefix: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Process:
    """Starts a flow on this test session's Prefect server; its log and Prefect's results go into ``folder``.

    ``prefix`` comes first on the command line, ``settings`` are further environment variables; either is of a process
    that has an interpreter of its own.
    """
    from prefect.settings import PREFECT_API_URL

    server = {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(folder / "prefect-results"),
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    return _started(folder, [module, *arguments], server, prefix, settings)


def _started(
    folder: Path,
    words: list[str],
    server: Mapping[str, str],
    prefix: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Process:
    environment = {**os.environ, **server, **(settings or {})}
    with (folder / "build.log").open("ab") as log:
        if not (prefix or settings):
            return programs.start(*words, stdout=log, stderr=log, environment=environment)
        command = [*prefix, sys.executable, "-m", *words]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)


def finish(run: SmallRun, *, by_flow: bool = False) -> None:
    """Builds to the end."""
    end(start(run, by_flow=by_flow), run.folder)


def end(process: Process, folder: Path) -> None:
    """Waits for a flow that must end well."""
    assert process.wait(PATIENCE_S) == 0, (folder / "build.log").read_text()[-3000:]


def kill_when(run: SmallRun, moment: Callable[[SmallRun], bool], *, by_flow: bool = False) -> None:
    """Starts a build and SIGKILLs it at a moment; fails if it ends before that moment comes."""
    kill(start(run, by_flow=by_flow), run.folder, lambda: moment(run))


def kill(process: Process, folder: Path, moment: Callable[[], bool]) -> None:
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

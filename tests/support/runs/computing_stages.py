"""Stages for tests of worker processes: each finds out something about where it runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow as pa
from prefect import task

from tasks.engine.stage import BY_KEY, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Section, SourceError


class Told(Section):
    """What a stage is told to do."""

    folder: str = ""
    deaths: int = 0


@task(name="where", task_run_name="where {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def where(work: Work) -> Produced:  # noqa: ARG001 - it only says where it is
    """The process that it runs in."""
    return Produced({"pids": pa.table({"pid": [os.getpid()]})}, 1, 1)


@task(name="dies", task_run_name="dies {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def dies(work: Work) -> Produced:
    """Its process is killed so often, as when memory runs out; then it does its work."""
    told: Told = work.section
    died = Path(told.folder, "died")
    n_before = len(died.read_text()) if died.exists() else 0
    if n_before < told.deaths:
        died.write_text("x" * (n_before + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return Produced({"pids": pa.table({"pid": [os.getpid()]})}, 1, 1)


@task(name="fails", task_run_name="fails {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def fails(work: Work) -> Produced:  # noqa: ARG001 - it fails
    """An error with all its fields."""
    raise SourceError("it is broken", got="nothing", expected="something", remedy="mend it")


class OddError(Exception):
    """One that cannot be pickled."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")


@task(name="fails_oddly", task_run_name="fails {label}", version="1", cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def fails_oddly(work: Work) -> Produced:  # noqa: ARG001 - it fails
    """An error that does not travel."""
    raise OddError("this", "that")

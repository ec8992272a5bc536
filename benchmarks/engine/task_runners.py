"""What a shard task costs on Dask and on Ray, against threads: tasks that do nothing, through the same subflows.

``python -m benchmarks.engine.task_runners [--dask ADDRESS] [--ray ADDRESS] [--tasks 400]`` prints one ratio for each
cluster that is named; start them first (docs/scaling.md). The processes of the clusters are warm: a round goes before.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from flows.command_line import TEMPORARY_SERVER
from flows.engine.context import RunContext
from flows.engine.steps import Step
from flows.phases.publish import output_of
from tasks.engine.stage import BY_KEY, STORED, stage
from tasks.engine.work import NoSettings, Produced, Work
from tracemill.recipe import Recipe, parse_recipe
from tracemill.store import Manifest, Store

RAW = {"name": "nothing", "sources": [{"name": "a", "path": "a"}], "distill": {"teacher": {"model": "m"}}}


class Number(NoSettings):
    """Makes every task another one."""

    round: str
    number: int


@task(name="nothing", version="1", task_run_name="nothing {label}", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def nothing(work: Work) -> Produced:  # noqa: ARG001 - it does nothing
    """No rows in, none out."""
    return Produced({}, 0, 0)


def one(step: Step, name: str, number: int) -> Manifest:
    """Return one task."""
    return step(nothing, Number(round=name, number=number), {})


def seconds_a_task(recipe: Recipe, name: str, n_tasks: int) -> float:
    """Wall seconds of a phase, by its number of tasks."""

    @flow(name="phase")
    def phase() -> None:
        context = RunContext(recipe, Store(recipe.run.store), logging.getLogger("benchmark"))
        context.prepare(f"{recipe.run.store}-out", output_of(recipe))
        for round_name, n in (("warm", 16), ("measured", n_tasks)):
            work = {f"{i:05d}-{name}": partial(one, name=f"{name} {round_name}", number=i) for i in range(n)}
            began = time.perf_counter()
            context.phase("nothing", "nothing", work)
            seconds[round_name] = time.perf_counter() - began

    seconds: dict[str, float] = {}
    phase()
    return seconds["measured"] / n_tasks


def recipes(folder: str, given: argparse.Namespace) -> Iterator[tuple[str, Recipe]]:
    """Yield the same recipe on each runner."""
    common: list[str] = [f"run.store={folder}/store", "run.workers=4", "run.progress_every_s=60"]
    yield "threads", parse_recipe(RAW, common)
    for kind in ("dask", "ray"):
        if address := getattr(given, kind):
            yield kind, parse_recipe(RAW, [*common, f"run.runner.kind={kind}", f"run.runner.address={address}"])


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dask", metavar="ADDRESS")
    parser.add_argument("--ray", metavar="ADDRESS")
    parser.add_argument("--tasks", type=int, default=400)
    given = parser.parse_args()
    os.environ |= TEMPORARY_SERVER
    logging.getLogger("prefect").setLevel(logging.ERROR)
    found: dict[str, float] = {}
    with prefect_test_harness(server_startup_timeout=180), tempfile.TemporaryDirectory() as folder:
        for kind, recipe in recipes(folder, given):
            found[kind] = seconds_a_task(recipe, kind, given.tasks)
    told: list[Any] = [f"{kind} {1000 * s:.1f} ms ({s / found['threads']:.2f} x)" for kind, s in found.items()]
    print(f"task_runners: {', '.join(told)} a task that does nothing, {given.tasks} tasks, 4 at once")


if __name__ == "__main__":
    main()

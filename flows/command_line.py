"""The command line that the dataset flows share, and what it prints at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from tracemill.errors import TracemillError
from tracemill.funnel import FUNNEL, render

if TYPE_CHECKING:
    from flows.build_dataset import Built


SERVER_START_S = 180  # Prefect's default of 20 s is too short for its first start on a busy machine (43 s seen).


def dataset_command(flow: Callable[..., Any], name: str, about: str) -> int:
    """Runs a dataset flow from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m flows.{name}", description=about.splitlines()[0])
    parser.add_argument("recipe", metavar="RECIPE", help="YAML recipe")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="section.key=value", help="override a setting"
    )
    parser.add_argument("--out", metavar="DIR", help="directory of the finished run (default: runs/<recipe name>)")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}):
            built: Built = flow(recipe=arguments.recipe, overrides=arguments.overrides, out=arguments.out)
    except TracemillError as error:
        print(f"\n{name} failed: {error}", file=sys.stderr)
        return 1
    print(summary(built, time.monotonic() - began))
    return 0


def summary(built: Built, seconds: float) -> str:
    """What was made and where it is."""
    table = pa.Table.from_pylist(built.manifest["funnel"], schema=FUNNEL)
    work = (
        f"everything was cached: {built.n_cached} tasks found finished, none run"
        if built.n_executed == 0
        else f"{built.n_executed} tasks run, {built.n_cached} found finished"
    )
    where = os.path.relpath(built.out)
    return "\n".join(
        [
            "",
            render(table),
            "",
            f"{work}; {seconds:.1f} s",
            f"dataset   {where}/dataset          (Parquet; card in README.md)",
            f"          {where}/am.jsonl.zst     (the reference dataset's row layout)",
            f"dropped   {where}/dropped          (every dropped row: stage, reason, evidence)",
            f"verdicts  {where}/verdicts         (every verdict on every response)",
            f"report    {where}/report.html",
            f"one row   python -m tracemill why ID --run {where}",
            "the run   make ui, then open http://127.0.0.1:4200/runs",
        ]
    )

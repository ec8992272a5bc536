"""The command line that the dataset flows share, and what it prints at the end."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from prefect.client.orchestration import get_client
from prefect.events.worker import EventsWorker
from prefect.exceptions import CancelledRun, PausedRun
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from flows.engine.paused import EXIT_STATUS, render_ended
from flows.engine.terminal import bars_in_terminal
from flows.teacher_from_env import load_recipe_with_env
from tracemill.core import TracemillError
from tracemill.recipe import Recipe

Made = TypeVar("Made")

# For the server that Prefect starts for one run where PREFECT_API_URL names none; what is set outside wins. Its
# defaults record task runs one by one, which on SQLite holds up the run itself (2.6 s to start a subflow), and give up
# on a first start after 20 s (43 s seen on a busy machine).
TEMPORARY_SERVER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
SERVER_START_S = 180
RECORDING_S = 20  # at most; a few seconds are usual


MOST_PREVIEWED = 1_000  # rows of a source: more is a run, with its progress and its UI


def dataset_command(
    flow: Callable[..., Any],
    tell: Callable[[Made, float], str],
    name: str,
    about: str,
    find: Callable[[Recipe, str | None], Made | None],
    preview: Callable[[Recipe, int], str] | None = None,
) -> int:
    """Run a flow that builds a dataset from a recipe, or a preview of it; return the exit status.

    Args:
        flow: takes the recipe's path, its overrides, and the run's directory or None.
        tell: what to print of its result, and of the seconds that it took.
        name: of the flow's module.
        about: its first line is what the command's help says.
        find: what the flow would return if nothing is left to do, else None.
        preview: what to print of so many rows of each source.
    """
    parser = recipe_options(name, about)
    if preview is not None:
        few = "take so many rows of each source through all stages, show them, and publish nothing"
        parser.add_argument("--preview", metavar="N", type=_few, help=few)
    options = parser.parse_args()
    if preview is not None and options.preview:
        if options.out:
            parser.error("a preview has a place of its own: leave out --out, or --preview")
        return _previewed(name, options, preview)

    @functools.cache
    def load() -> Recipe:
        return load_recipe_with_env(options.recipe, options.overrides)

    return run_command(
        name,
        lambda: flow(recipe=options.recipe, overrides=options.overrides, out=options.out),
        tell,
        load,
        lambda: find(load(), options.out),
    )


def _few(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MOST_PREVIEWED:
        raise argparse.ArgumentTypeError(f"{text} is no number of rows from 1 to {MOST_PREVIEWED:,}")
    return number


def _previewed(name: str, options: argparse.Namespace, preview: Callable[[Recipe, int], str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(preview(load_recipe_with_env(options.recipe, options.overrides), options.preview))
    except TracemillError as error:
        print(f"\n{name} failed: {error}", file=sys.stderr)
        return 1
    return 0


def recipe_options(name: str, about: str) -> argparse.ArgumentParser:
    """Return the options of every flow that starts from a recipe."""
    parser = argparse.ArgumentParser(prog=f"python -m flows.{name}", description=about.splitlines()[0])
    parser.add_argument("recipe", metavar="RECIPE", help="YAML recipe")
    add_overrides(parser)
    parser.add_argument("--out", metavar="DIR", help="directory of the finished run (default: below runs/)")
    return parser


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="section.key=value", help="override a setting"
    )


def run_command(
    name: str,
    work: Callable[[], Made],
    tell: Callable[[Made, float], str],
    check: Callable[[], object],
    find: Callable[[], Made | None] = lambda: None,
) -> int:
    """Run a flow from the command line; returns the exit status.

    Args:
        name: of the flow's module.
        work: calls the flow.
        tell: what to print of its result, and of the seconds that it took.
        check: refuses what is wrong with the input before a server is started for the run.
        find: what ``work`` would return if nothing is left to do, else None; then no server is started for it.
    """
    began = time.monotonic()
    for variable, value in TEMPORARY_SERVER.items():
        os.environ.setdefault(variable, value)
    # One line for each of thousands of tasks hides the progress; the UI shows their states.
    logging.getLogger("prefect.task_runs").setLevel(logging.WARNING)
    try:
        check()
        made = None if PREFECT_API_URL.value() else find()  # a server that is there is told of every run
        if made is not None:
            print(tell(made, time.monotonic() - began))
            return 0
        with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}):
            with bars_in_terminal(), _server_ends_with_us():
                made = work()
            seconds = time.monotonic() - began
            _let_task_runs_be_recorded()
    except (PausedRun, CancelledRun) as ended:
        print(f"\n{name}: {render_ended(ended)}", file=sys.stderr)
        return EXIT_STATUS
    except TracemillError as error:
        print(f"\n{name} failed: {error}", file=sys.stderr)
        return 1
    print(tell(made, seconds))
    return 0


@contextlib.contextmanager
def _server_ends_with_us() -> Iterator[None]:
    """Have SIGTERM end Prefect's temporary server, too: its default ends a process without what it does at exit."""

    def end(number: int, _: object) -> None:
        serving = sys.modules.get("prefect.server.api.server")  # where none was started, it is not worth its import
        if serving is not None:
            serving.SubprocessASGIServer().stop()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def how_to_look() -> str:
    """Return how to see the run in Prefect's UI."""
    api_url = PREFECT_API_URL.value()
    if api_url:
        return f"open {api_url.removesuffix('/api')}/runs"
    home = Path(PREFECT_HOME.value()).resolve()
    # The Makefile keeps Prefect's database here; a plain call uses the user's own.
    start = "make ui" if home == Path(".tracemill/prefect").resolve() else f"PREFECT_HOME={home} prefect server start"
    return f"{start}, then open http://127.0.0.1:4200/runs"


def _let_task_runs_be_recorded() -> None:
    """Wait until the server has recorded what it was told: a temporary one ends with this process."""
    EventsWorker.instance().wait_until_empty()
    deadline = time.monotonic() + RECORDING_S
    before, now = -1, 0
    with get_client(sync_client=True) as client:
        while now != before and time.monotonic() < deadline:
            time.sleep(0.7)
            before, now = now, client.request("POST", "/task_runs/count", json={}).json()


def work_done(n_executed: int, n_cached: int, seconds: float) -> str:
    """Return how much had to be done."""
    if n_executed == 0:
        return f"everything was cached: {n_cached} tasks found finished, none run; {seconds:.1f} s"
    return f"{n_executed} tasks run, {n_cached} found finished; {seconds:.1f} s"


def shown_place(out: str) -> str:
    """Return a run's directory as it is best typed: from here, or its URL."""
    return out if "://" in out else os.path.relpath(out)

"""Runs one failed task alone, without Prefect: ``python -m tasks.reproduce STAGE KEY --store DIR``.

The run's error names the command. What the task worked on is in the store, so that this is the same work on the same
bytes; a debugger can be put before it (``python -m pdb -m tasks.reproduce …``). When it ends well, it is done for good:
the next run finds it finished.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any

from tasks.engine.failed_task import FailedTask, failure_path
from tasks.engine.stage import StageTask, key_of, perform
from tracemill.core import StoreError, TracemillError
from tracemill.recipe import parse_section
from tracemill.store import Manifest, Store


def reproduce(store: Store, stage: str, key: str, overrides: list[str]) -> Manifest:
    """Do the failed task's work again.

    Args:
        store: of the run.
        stage: the task's.
        key: the task's.
        overrides: ``key=value`` settings of its section, such as an API key, which no record keeps.

    Raises:
        StoreError: no such task has failed.
        TracemillError: whatever the stage raises; anything else that it raises comes through as it is.
    """
    task = _recorded(store, stage, key)
    section = parse_section(_named(task.settings_kind), task.settings, overrides, origin=f"the settings of {stage}")
    found: StageTask = _named(task.function)
    if key_of(found, section, task.inputs) != key:
        print("Not quite the same task: the stage's version or its settings have changed since it failed.")
    return perform(found, store, section, task.inputs)


def _recorded(store: Store, stage: str, key: str) -> FailedTask:
    path = failure_path(stage, key)
    if not store.exists(path):
        raise StoreError(
            f"no task of stage {stage} with that key has failed",
            got=f"nothing at {store.path(path)}",
            remedy="take the command from the run's error, in the directory where the run was started",
        )
    return FailedTask.model_validate_json(store.read_bytes(path))


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tasks.reproduce", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stage", metavar="STAGE")
    parser.add_argument("key", metavar="KEY")
    parser.add_argument("--store", default=".tracemill/store", metavar="DIR", help="of the run (default: %(default)s)")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="key=value", help="override a setting"
    )
    options = parser.parse_args()
    try:
        manifest = reproduce(Store(options.store), options.stage, options.key, options.overrides)
    except TracemillError as error:
        print(f"{options.stage} failed again: {error}", file=sys.stderr)
        return 1
    print(f"{options.stage} ends well now: {manifest.rows_in} rows in, {manifest.rows_kept} kept, {manifest.dropped}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

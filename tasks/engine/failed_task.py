"""A failed task, told so that somebody can fix it: what failed, on which row, how to run it alone, what comes next.

What it worked on is written into the store, under ``failures/<stage>/<key>.json``; ``tasks/reproduce.py`` reads it.
"""

from __future__ import annotations

import contextlib
import shlex
import traceback
from types import TracebackType
from typing import Any

from pydantic import BaseModel, SecretStr

from tasks.engine.poison import place
from tracemill.core import FailedTaskRun, Problem, Response, Section, StageCrashedError, StoreError, TracemillError
from tracemill.core.secrets import variable_of
from tracemill.store import Shard, Store

EXCERPT = 80  # characters of a row


class FailedTask(BaseModel):
    """One failed task: everything that it takes to run it again.

    Attributes:
        function: of the stage, as "module:name".
        key: the task's cache key.
        label: of the shard.
        settings_kind: class of its section, as "module:name".
        settings: its section; secrets are left out.
        inputs: handles by name.
        error: the last one's text.
    """

    stage: str
    function: str
    key: str
    label: str
    settings_kind: str
    settings: dict[str, Any]
    inputs: dict[str, Shard]
    error: str = ""

    @property
    def path(self) -> str:
        """Where it is kept in the store."""
        return failure_path(self.stage, self.key)

    def command(self, store_url: str) -> str:
        """Run this task alone, without Prefect."""
        return reproduce_command(self.stage, self.key, store_url)


def reproduce_command(stage: str, key: str, store_url: str) -> str:
    """Run one task alone, without Prefect."""
    return f"python -m tasks.reproduce {stage} {key} --store {shlex.quote(store_url)}"


def failure_path(stage: str, key: str) -> str:
    """Return where the store keeps what a failed task worked on."""
    return f"failures/{stage}/{key}.json"


def without_secrets(value: Any) -> Any:
    """Return a section as plain values; its secrets become None, unless they only say where the secret is."""
    if isinstance(value, SecretStr):
        name = variable_of(value)
        return None if name is None else f"env:{name}"
    if isinstance(value, Section):
        return {name: without_secrets(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [without_secrets(item) for item in value]
    if isinstance(value, dict):  # of headers, those whose value is no place are not sent
        plain = {key: without_secrets(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if not (item is None and isinstance(value[key], SecretStr))}
    return value


def explained(error: Exception, task: FailedTask, store: Store, next_step: str) -> TracemillError:
    """Return the error as the UI and the run's end should show it; the task is recorded, so that it can be run alone.

    Args:
        error: what the stage raised.
        task: that it was raised in.
        store: that keeps the record.
        next_step: what will be tried again, and when.
    """
    told = error if isinstance(error, TracemillError) else _crashed(error, task)
    row = None if isinstance(error, TracemillError) else row_at_hand(error.__traceback__)
    alone = ""
    with contextlib.suppress(StoreError):  # It is what fails, perhaps.
        recorded(task.model_copy(update={"error": str(told)}), store)
        alone = task.command(store.url)
    notes = tuple(getattr(error, "__notes__", ()))
    return told.in_task(FailedTaskRun(task.label, row or "", notes, alone, next_step))


def recorded(task: FailedTask, store: Store) -> None:
    """Keep what a task worked on, so that it can be run alone.

    Raises:
        StoreError: it cannot be written.
    """
    store.write_bytes(task.path, task.model_dump_json(indent=1).encode())


def _crashed(error: Exception, task: FailedTask) -> StageCrashedError:
    return StageCrashedError(
        f"stage {task.stage} crashed",
        got=f"{type(error).__name__}: {error}, in {place(error)}",
        remedy="this is a bug, or an unexpected row: run the task alone, and fix the stage",
    )


def row_at_hand(trace: TracebackType | None) -> str | None:
    """Return the problem or response that the innermost function was busy with, or None where none was."""
    frames = [frame for frame, _ in traceback.walk_tb(trace)]
    for frame in reversed(frames):
        for value in frame.f_locals.values():
            if isinstance(value, Problem | Response):
                return _told(value)
    return None


def _told(row: Problem | Response) -> str:
    if isinstance(row, Problem):
        return f"problem {row.id}, row {row.row} of {row.source}: {excerpt(row.prompt)}"
    return f"response {row.id} to problem {row.problem_id}: {excerpt(row.answer)}"


def excerpt(text: str) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…")

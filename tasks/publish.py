"""Export: the last barrier. Writes the run's directory; cached by what it is made from and by what stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task

from tracemill.push import send, shipment
from tracemill.recipe_publish import Publish
from tracemill.run_directory import Published, publish
from tracemill.store import Store


@task(name="export", task_run_name="export {label}", retries=2, retry_delay_seconds=[2, 10])
def export_dataset(
    store_url: str,
    out_url: str,
    publication: Published,
    label: str,  # noqa: ARG001 - for the task run's name
    may_empty: bool = True,
) -> dict[str, Any]:
    """Publishes unless the directory already holds exactly this; returns its manifest."""
    return publish(Store(store_url), Store(out_url), publication, may_empty=may_empty)


@task(name="push", task_run_name="push to {repo}", persist_result=False)
def push_dataset(
    run: str,
    section: Publish,
    token_of: Callable[[Publish], str],
    repo: str,
) -> str:
    """Sends a run's dataset to the Hub; returns the commit's address.

    Args:
        run: its directory.
        section: of the recipe.
        token_of: reads the token here, so that it is no parameter of the task.
        repo: of the section, for the task run's name.
    """
    planned = shipment(Path(run), repo)
    return send(planned, public=not section.private, branch=section.branch, token=token_of(section))

"""Export: the last barrier. Writes the run's directory; cached by what it is made from and by what stands there."""

from __future__ import annotations

from typing import Any

from prefect import task

from tracemill.run_directory import Published, publish, published
from tracemill.store import Store


@task(name="export", task_run_name="export {label}", retries=2, retry_delay_seconds=[2, 10])
def export_dataset(
    store_url: str,
    out_url: str,
    publication: Published,
    label: str,  # noqa: ARG001 - for the task run's name
) -> dict[str, Any]:
    """Publishes unless the directory already holds exactly this; returns its manifest."""
    out = Store(out_url)
    standing = published(out)
    if standing is not None and standing["key"] == publication.key:
        return standing
    return publish(Store(store_url), out, publication)

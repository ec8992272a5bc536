"""Export: the last barrier. Writes the run's directory; cached by what it is made from and by what stands there.

Tally: what the published rows are made of, for the card and the report; one task over all shards, small columns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.publish import Published, Written, publish
from tracemill.publish.tally import PROBLEM_COLUMNS, SAMPLE_COLUMNS, TRACE_COLUMNS, Tallying
from tracemill.recipe.sections.push import Push
from tracemill.runs import send, shipment
from tracemill.store import Store


@task(name="tally", task_run_name="tally {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage()
def tally_published(work: Work) -> Produced:
    """Counts over the shards ``problems-…``, ``selected-…`` and ``traces-…``; its facts are a ``PublishedTally``."""
    tallying = Tallying()
    kinds = {
        "problems": (tallying.add_problems, PROBLEM_COLUMNS),
        "selected": (tallying.add_samples, SAMPLE_COLUMNS),
        "traces": (tallying.add_traces, TRACE_COLUMNS),
    }
    for prefix, (add, columns) in kinds.items():
        for name in work.numbered(prefix):
            add(work.store.read_table(work.inputs[name], columns))
    tally = tallying.result()
    return Produced({}, tally.n_rows, tally.n_rows, facts=tally.model_dump())


@task(name="export", task_run_name="export {label}", retries=2, retry_delay_seconds=[2, 10], cache_policy=NO_CACHE)
def export_dataset(
    store_url: str,
    out_url: str,
    publication: Published,
    label: str,  # noqa: ARG001 - for the task run's name
    may_empty: bool = True,
    told: Callable[[Written], None] | None = None,
) -> dict[str, Any]:
    """Publishes unless the directory already holds exactly this; returns its manifest.

    Args:
        store_url: where its shards are.
        out_url: the run's directory.
        publication: what is published.
        label: for people.
        may_empty: see :func:`tracemill.publish.publish`.
        told: likewise; the task runs in the flow's process, so that whoever watches is there.
    """
    return publish(Store(store_url), Store(out_url), publication, may_empty=may_empty, told=told)


@task(name="push", task_run_name="push to {repo}", persist_result=False)
def push_dataset(
    run: str,
    section: Push,
    token_of: Callable[[Push], str],
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

"""Tally: what the published rows are made of, for the card and the report; one task over all shards, small columns."""

from __future__ import annotations

from prefect import task

from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.published_tally import PROBLEM_COLUMNS, SAMPLE_COLUMNS, TRACE_COLUMNS, Tallying


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

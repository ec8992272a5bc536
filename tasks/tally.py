"""Tally: what the published rows are made of, for the card and the report; one task over all shards, small columns."""

from __future__ import annotations

from tasks.stage import Produced, Work, stage
from tracemill.published_tally import PROBLEM_COLUMNS, SAMPLE_COLUMNS, TRACE_COLUMNS, Tallying


@stage("tally", version=1)
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

"""What becomes of the responses: quality faults, and the one that is published."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from tasks.stage import Produced, Work, split, stage
from tracemill.label_counts import count_columns
from tracemill.quality import FAULTS, fault_of
from tracemill.schema import Problem, Response, Verdict
from tracemill.selection import Sample, Unasked, select
from tracemill.verdicts import settled_by_response


@stage("quality", version=1)
def quality_shard(work: Work) -> Produced:
    """Filters on the form of every response."""
    responses = work.all_rows(Response, "responses")
    found = [(response, fault_of(response, work.section)) for response in responses]
    faults = [
        {"response_id": response.id, "problem_id": response.problem_id, "reason": reason}
        for response, reason in found
        if reason
    ]
    counts = Counter(f"quality/{fault['reason']}" for fault in faults)
    table = pa.Table.from_pylist(faults, schema=FAULTS)
    return Produced({"faults": table}, len(responses), len(responses) - len(faults), dict(counts))


@stage("select", version=2)
def select_shard(work: Work) -> Produced:
    """One passing response per problem; every other problem is dropped where it was lost."""
    problems = work.rows(Problem, "problems")
    samples, dropped = select(
        problems,
        work.all_rows(Response, "responses"),
        settled_by_response(work.all_rows(Verdict, "verdicts")),
        {fault["response_id"]: fault["reason"] for fault in work.table("faults").to_pylist()},
        {
            row["problem_id"]: Unasked(row["reason"], row["message"])
            for name in work.numbered("unasked")
            for row in work.table(name).to_pylist()
        },
        work.section,
    )
    return split(len(problems), samples, Sample, dropped, labels=count_columns(samples))

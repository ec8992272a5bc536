"""Stages of the audits: the responses to judge, and every row with its verdict."""

from __future__ import annotations

import dataclasses

from tasks.stage import Produced, Work, split, stage
from tracemill.audit import AuditedRow, audited, last_traces
from tracemill.references import gold_attempts
from tracemill.schema import Dropped, Problem, Response, Verdict, table_of


@stage("traces", version=1, rows="problems", drops=True)
def traces_shard(work: Work) -> Produced:
    """The rows that bring a response, and the responses."""
    return _with_responses(*last_traces(work.rows(Problem, "problems")))


@stage("gold", version=2, rows="problems", drops=True)
def gold_shard(work: Work) -> Produced:
    """The rows whose reference can be checked, and an attempt that gives it for an answer."""
    return _with_responses(*gold_attempts(work.rows(Problem, "problems")))


def _with_responses(kept: list[Problem], dropped: list[Dropped], responses: list[Response]) -> Produced:
    found = split(len(kept) + len(dropped), kept, Problem, dropped)
    return dataclasses.replace(found, outputs={**found.outputs, "responses": table_of(Response, responses)})


@stage("audit", version=2, rows="problems", drops=True)
def audit_shard(work: Work) -> Produced:
    """Every row of a shard with its verdict."""
    verdicts = {verdict.response_id: verdict for verdict in work.rows(Verdict, "verdicts")}
    responses = {response.id: response for response in work.rows(Response, "responses")}
    rows = audited(work.rows(Problem, "problems"), responses, verdicts)
    return Produced({"audited": table_of(AuditedRow, rows)}, len(rows), len(rows))

"""Stages of the audits: the responses to judge, and every row with its verdict."""

from __future__ import annotations

import dataclasses

from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tracemill.audit import AuditedRow, audited, row_responses
from tracemill.audit.references import gold_attempts
from tracemill.core import Dropped, Problem, Response, Section, Verdict, table_of


class Given(Section):
    """Which responses of a row are judged.

    Attributes:
        last_only: the last one, as they are turns of one conversation.
    """

    last_only: bool = False


@task(name="traces", task_run_name="traces {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def traces_shard(work: Work) -> Produced:
    """The rows that bring responses, and the responses."""
    return _with_responses(*row_responses(work.problems_with_texts("problems"), last_only=work.section.last_only))


@task(name="gold", task_run_name="gold {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def gold_shard(work: Work) -> Produced:
    """The rows whose reference can be checked, and an attempt that gives it for an answer."""
    return _with_responses(*gold_attempts(work.rows(Problem, "problems")))


def _with_responses(kept: list[Problem], dropped: list[Dropped], responses: list[Response]) -> Produced:
    found = split(len(kept) + len(dropped), kept, Problem, dropped)
    return dataclasses.replace(found, outputs={**found.outputs, "responses": table_of(Response, responses)})


@task(name="audit", task_run_name="audit {label}", version="3", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def audit_shard(work: Work) -> Produced:
    """Every response of a shard's rows with its verdict; rows are responses."""
    verdicts = {verdict.response_id: verdict for verdict in work.rows(Verdict, "verdicts")}
    responses = {response.id: response for response in work.rows(Response, "responses")}
    rows = audited(work.rows(Problem, "problems"), responses, verdicts)
    return Produced({"audited": table_of(AuditedRow, rows)}, len(rows), len(rows))

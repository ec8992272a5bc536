"""What becomes of the responses: those that are published, and what is kept of the others."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Container, Mapping
from typing import Final

import pyarrow as pa
from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tracemill.core import Problem, Response, Verdict, table_of
from tracemill.inference.usage import TEACHERS
from tracemill.quality.filters import Fault
from tracemill.recipe.sections.select import Select
from tracemill.select import pairs, rejected_traces, sample_kind, select, traces
from tracemill.select.majority import VotedReference
from tracemill.select.records import Judged, Pair, Rejected
from tracemill.select.selection import Unasked, by_teacher
from tracemill.select.verdicts import settled_by_response

BY_VOTE: Final = "by_vote"  # fact of a shard: published problems on which there was a vote, by what it found


@task(name="select", task_run_name="select {label}", version="3", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def select_shard(work: Work) -> Produced:
    """Passing responses, one per problem or more; every other problem is dropped where it was lost."""
    problems = work.rows(Problem, "problems")
    responses = work.all_rows(Response, "responses")
    verdicts = settled_by_response(work.all_rows(Verdict, "verdicts"))
    faults = _faults(work)
    perplexities = _perplexities(work)
    votes = _votes(work)
    samples, dropped = select(problems, responses, verdicts, faults, _unasked(work), work.section, perplexities, votes)
    judged = Judged(responses, verdicts, faults, frozenset(sample.response_id for sample in samples))
    measures = {row["response_id"]: row for row in work.table("measures").to_pylist()}
    produced = split(len(problems), samples, sample_kind(work.section, is_voted=votes is not None), dropped)
    teachers = by_teacher(responses, verdicts, judged.published)
    facts = produced.facts | ({TEACHERS: teachers} if teachers else {})
    facts |= {BY_VOTE: _by_vote(votes, {sample.id for sample in samples})} if votes is not None else {}
    beside = {"traces": traces(judged, measures, perplexities), **_optional(problems, judged, work.section)}
    n_kept = len({sample.id for sample in samples})  # problems: a row may be one of several
    return dataclasses.replace(produced, outputs={**produced.outputs, **beside}, facts=facts, rows_kept=n_kept)


def _faults(work: Work) -> dict[str, Fault]:
    """By response; of several filters the first that found something."""
    found: dict[str, Fault] = {}
    for name in work.numbered("faults"):
        for row in work.table(name).to_pylist():
            found.setdefault(row["response_id"], Fault(row["reason"], json.loads(row["evidence"])))
    return found


def _perplexities(work: Work) -> dict[str, float]:
    if "perplexities" not in work.inputs:
        return {}
    rows = work.table("perplexities").to_pylist()
    return {row["response_id"]: row["perplexity"] for row in rows if row["perplexity"] is not None}


def _unasked(work: Work) -> dict[str, Unasked]:
    return {
        row["problem_id"]: Unasked(row["reason"], row["message"])
        for name in work.numbered("unasked")
        for row in work.table(name).to_pylist()
    }


def _votes(work: Work) -> dict[str, VotedReference] | None:
    """By problem; None where the recipe counts none."""
    if not work.numbered("references"):
        return None
    return {vote.id: vote for vote in work.all_rows(VotedReference, "references")}


def _by_vote(votes: Mapping[str, VotedReference], published: Container[str]) -> dict[str, int]:
    """Return how many published problems have a reference that was made, and one that their samples contradict."""
    return dict(Counter(vote.finding for vote in votes.values() if vote.id in published))


def _optional(problems: list[Problem], judged: Judged, rules: Select) -> dict[str, pa.Table]:
    """Return tables that the recipe asks for."""
    tables = {}
    if rules.preferences:
        tables["preferences"] = table_of(Pair, pairs(problems, judged, rules.preferences))
    if rules.rejected:
        tables["rejected"] = table_of(Rejected, rejected_traces(problems, judged))
    return tables

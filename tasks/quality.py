"""Filters on responses, apart from whether they are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from prefect import task

from tasks.label import Measure
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.quality import FAULTS, Examined, Fault, fault_of, fault_record
from tracemill.recipe_quality import Quality
from tracemill.recipe_section import Section
from tracemill.schema import Outcome, Response, Verdict, table_of
from tracemill.token_length import count_tokens
from tracemill.trace_measures import TraceMeasures, measure_responses
from tracemill.verdicts import settled_by_response


class QualityPlan(Section):
    """What the filters depend on.

    Attributes:
        counting: how a language model's tokens are counted.
    """

    rules: Quality = Quality()
    counting: Measure = Measure()


@task(name="quality", task_run_name="quality {label}", version="4", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def quality_shard(work: Work) -> Produced:
    """Measures every response, and filters by the form of it; rows are responses."""
    responses = work.all_rows(Response, "responses")
    measures, faulty = examine(responses, _prompts(work), work.section)
    return filtered(len(responses), faulty, measures=table_of(TraceMeasures, measures))


def examine(
    responses: Sequence[Response], prompts: Mapping[str, str], plan: QualityPlan
) -> tuple[list[TraceMeasures], list[tuple[Response, Fault]]]:
    """The measures of every response, and those that have a fault with it; prompts by problem id."""
    measures = measure_responses(responses, prompts, plan.rules.repetition)
    if plan.counting.tokenizer is not None:
        measures = _counted(responses, measures, plan.counting.tokenizer)
    found = [
        (response, fault_of(Examined(response, prompts[response.problem_id], measured), plan.rules))
        for response, measured in zip(responses, measures, strict=True)
    ]
    return list(measures), [(response, fault) for response, fault in found if fault is not None]


def filtered(n_responses: int, faulty: Sequence[tuple[Response, Fault]], **outputs: pa.Table) -> Produced:
    """The outcome of a filter on responses: table ``faults``, and whatever else it has found."""
    table = pa.Table.from_pylist([fault_record(response, fault) for response, fault in faulty], schema=FAULTS)
    counts = Counter(f"quality/{fault.reason}" for _, fault in faulty)
    return Produced({"faults": table, **outputs}, n_responses, n_responses - len(faulty), dict(counts))


def fit_responses(work: Work, number: str = "") -> list[Response]:
    """The correct responses in which no filter has found a fault so far: what a model is asked about.

    ``number`` is that of a shard, where the inputs of several are there: ``responses-00007-000``.
    """
    where = f"-{number}" if number else ""
    verdicts = settled_by_response(work.all_rows(Verdict, f"verdicts{where}"))
    faulty = {
        name for table in work.numbered(f"faults{where}") for name in work.table(table)["response_id"].to_pylist()
    }
    return [
        response
        for response in work.all_rows(Response, f"responses{where}")
        if verdicts[response.id].outcome == Outcome.CORRECT and response.id not in faulty
    ]


def _prompts(work: Work) -> dict[str, str]:
    table = work.table("problems")
    return dict(zip(table["id"].to_pylist(), table["prompt"].to_pylist(), strict=True))


def _counted(responses: Sequence[Response], measures: Sequence[TraceMeasures], tokenizer: str) -> list[TraceMeasures]:
    """The measures with exact numbers of tokens instead of estimates."""
    thinks = count_tokens([response.think or "" for response in responses], tokenizer)
    answers = count_tokens([response.answer for response in responses], tokenizer)
    return [
        replace(measured, think_tokens=think, answer_tokens=answer)
        for measured, think, answer in zip(measures, thinks, answers, strict=True)
    ]

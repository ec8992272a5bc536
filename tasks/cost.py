"""What generation will cost: what is not in the ledger yet is counted, and a sample of it is asked first."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from tasks.distill import response_of
from tasks.model_costs import ModelCosts, ModelsPlan, Pair
from tasks.stage import warn
from tasks.verify import unjudgeable
from tracemill.claims import claimed
from tracemill.cost import Estimate, Measured, Outstanding
from tracemill.errors import TeacherMisconfiguredError
from tracemill.ledger import Completion
from tracemill.ledger_shared import shared_ledger
from tracemill.manifest import Shard
from tracemill.prompts import build_request
from tracemill.recipe_cost import Cost
from tracemill.recipe_distill import Distill
from tracemill.recipe_judge import ModelJudged
from tracemill.recipe_section import Section
from tracemill.recipe_verify import Verify
from tracemill.schema import CUT_OFF, Problem, digest, rows_of
from tracemill.selection import source_traces
from tracemill.store import Store
from tracemill.teacher import Refusal, Request, shared_teacher


class CostPlan(Section):
    """What an estimate is made from.

    Attributes:
        models: where models can judge what rules cannot.
        asked: the models that are asked about responses.
        labellers: those that have been asked about every problem.
    """

    distill: Distill
    models: ModelJudged
    verify: Verify
    asked: ModelsPlan
    labellers: tuple[str, ...] = ()
    ledger: str = Field(json_schema_extra={"operational": True})


# Never cached: it depends on the ledger, which grows.
@task(name="estimate-cost", cache_policy=NO_CACHE, persist_result=False)
def estimate_cost(
    store_url: str, problems: Mapping[str, Shard], over: Mapping[str, Shard], plan: CostPlan, cost: Cost
) -> Estimate:
    """Counts what would be asked about the problems, and asks a sample of it; answers go into the ledger as ever.

    Args:
        store_url: where the handles point.
        problems: by shard label.
        over: by shard label, ids of the problems that the recipe's limit leaves out.
        plan: whom to ask, and what is worth asking.
        cost: size of the sample, and prices.

    Raises:
        TeacherError: the sample cannot be answered.
    """
    store = Store(store_url)
    counts, n_problems = [0, 0, 0, 0, 0], 0
    drawn: list[tuple[str, Request, Problem]] = []
    for label, shard in problems.items():
        rows = list(rows_of(Problem, store.read_table(shard)))
        left_out = set(store.read_table(over[label])["id"].to_pylist()) if label in over else set()
        asked = [row for row in rows if row.id not in left_out]
        hopeless = unjudgeable(asked, plan.verify, plan.models)
        found = [row for row in asked if row.id not in hopeless]
        n_problems += len(rows)
        counts = [total + more for total, more in zip(counts, _counts(found, plan), strict=True)]
        firsts = [(build_request(row, plan.distill.teacher, 0), row) for row in found if not _has_trace(row, plan)]
        drawn = heapq.nsmallest(
            cost.sample, [*drawn, *((first.key, first, row) for first, row in firsts)], key=lambda one: one[0]
        )
    sample = [(request, problem) for _, request, problem in drawn]
    with claimed(store, "estimate-cost", digest([request.key for request, _ in sample]), warn):
        measured, answered = _measured(sample, plan)
        models = ModelCosts(plan.asked, plan.ledger, answered).measure() if plan.asked.any else ()
    labels = tuple((f"label.labellers ({name})", n_problems) for name in plan.labellers)
    return Estimate(Outstanding(*counts), measured, cost, models, labels)


def _has_trace(problem: Problem, plan: CostPlan) -> bool:
    return plan.distill.reuse_traces and bool(source_traces(problem, plan.distill.reuse_models))


def _counts(problems: Iterable[Problem], plan: CostPlan) -> Iterator[int]:
    """The fields of :class:`Outstanding` for one shard."""
    ledger = shared_ledger(plan.ledger)
    n_first = n_traced = n_later = n_paid = n_traces = 0
    rounds, samples = plan.distill.max_rounds, plan.distill.samples_per_round
    for problem in problems:
        keys = [build_request(problem, plan.distill.teacher, index).key for index in range(rounds * samples)]
        paid = ledger.get_many(keys)  # not only recorded: what cannot be read any more is asked again
        new = [key not in paid for key in keys]
        if _has_trace(problem, plan):
            n_traced += sum(new[:samples])
            n_traces += len(source_traces(problem, plan.distill.reuse_models))
        else:
            n_first += sum(new[:samples])
        n_later += sum(new[samples:])
        n_paid += len(new) - sum(new)
    return iter((n_first, n_traced, n_later, n_paid, n_traces))


def _measured(sample: list[tuple[Request, Problem]], plan: CostPlan) -> tuple[Measured, list[Pair]]:
    """The answers' tokens, with speed where some had to be asked; and the responses that stay as they are."""
    if not sample:
        return Measured(0, 0, 0.0, 0.0, None), []
    ledger = shared_ledger(plan.ledger)
    ledger.refresh()
    new = {request.key for request, _ in sample} - ledger.get_many(request.key for request, _ in sample).keys()
    began = time.perf_counter()
    answers = shared_teacher(plan.distill.teacher, plan.ledger).complete([request for request, _ in sample])
    seconds = time.perf_counter() - began
    given = [answer for answer in answers if isinstance(answer, Completion)]
    if not given:
        refusal = next(answer for answer in answers if isinstance(answer, Refusal))
        raise TeacherMisconfiguredError(
            "the teacher refused the whole sample",
            got=refusal.message,
            expected="an answer to some",
            remedy="check distill.teacher: what it says of sampling, templates and the length of answers",
        )
    fresh = sum(answer.completion_tokens or 0 for answer in given if answer.key in new)
    measured = Measured(
        n_responses=len(given),
        n_cut_off=sum(answer.finish_reason == CUT_OFF for answer in given),
        prompt_tokens=sum(answer.prompt_tokens or 0 for answer in given) / len(given),
        completion_tokens=sum(answer.completion_tokens or 0 for answer in given) / len(given),
        tokens_per_s=fresh / seconds if fresh else None,
    )
    # What was cut off may be continued or asked anew: nobody will be asked about it as it is.
    as_they_are = [
        (problem, response_of(problem, 0, answer))
        for (_, problem), answer in zip(sample, answers, strict=True)
        if isinstance(answer, Completion)
        and (answer.finish_reason != CUT_OFF or plan.distill.truncation.policy == "drop")
    ]
    return measured, as_they_are

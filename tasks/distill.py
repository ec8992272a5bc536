"""Reuse before generate: the traces that came with a row, then the teacher for what is still unsolved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tasks.verify import is_for_models, is_for_vote, unjudgeable
from tracemill.core import Dropped, Origin, Problem, Response, Section, Verdict, digest, dropped_problem, table_of
from tracemill.generate import Completer, asking_order, build_request
from tracemill.generate.order import expected
from tracemill.inference import Refusal, Request
from tracemill.inference.refusals import REFUSED_BY_TEACHER
from tracemill.ledger import Completion, shared_ledger
from tracemill.ledger.record import served_by
from tracemill.recipe.sections.distill import Truncation
from tracemill.recipe.sections.judges import ModelJudged
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.sections.verify import Verify
from tracemill.select import source_traces, unsolved
from tracemill.text.think import fault_evidence, split_think

TEACHER_NAME: Final = "teacher"  # the fact of a manifest: which of several was asked
NO_TEACHER: Final = "no_teacher"  # the reason of a drop
# Problems that the teacher was not asked about, or refused: why.
UNASKED = pa.schema([("problem_id", pa.string()), ("reason", pa.string()), ("message", pa.large_string())])


class Reuse(Section):
    """Whose traces may stand for the teacher's."""

    models: tuple[str, ...]


class ReuseOnly(Reuse):
    """The same where there is no teacher: what has no such trace stays without a response."""


@task(name="reuse", task_run_name="reuse {label}", version="3", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", computes=True)
def reuse_traces_shard(work: Work) -> Produced:
    """The traces of a shard's problems as responses: those of the models that the recipe names."""
    problems = work.problems_with_texts("problems")
    responses = [response for problem in problems for response in source_traces(problem, work.section.models)]
    outputs = {"responses": table_of(Response, responses)}
    if isinstance(work.section, ReuseOnly):
        outputs["unasked"] = _without_trace(problems, responses, work.section.models)
    return Produced(outputs, len(responses), len(responses))


def _without_trace(problems: Sequence[Problem], responses: Sequence[Response], models: Sequence[str]) -> pa.Table:
    """Return the problems that nobody has answered, and no teacher will."""
    answered = {response.problem_id for response in responses}
    rows = [
        {"problem_id": problem.id, "reason": NO_TEACHER, "message": _traces_told(problem, models)}
        for problem in problems
        if problem.id not in answered
    ]
    return pa.Table.from_pylist(rows, schema=UNASKED)


def _traces_told(problem: Problem, models: Sequence[str]) -> str:
    if not problem.traces:
        return "no trace came with it, and there is no distill.teacher"
    whose = ", ".join(sorted({str(trace["model"]) for trace in problem.traces}))
    return f"its traces are by {whose}, distill.reuse_models names {', '.join(models)}, and there is no distill.teacher"


class DistillRound(Section):
    """One round of sampling.

    Attributes:
        first_sample: index of the round's first sample of each problem.
        samples: how many samples of each problem.
        truncation: what becomes of responses that were cut off.
        models: what models can judge where rules cannot.
        verify: settings of the check that an answer to the problem could be judged at all.
        ledger: folder of the ledger.
        purse: who pays a teacher whose price is known.
        name: of one of several teachers.
        vote_samples: how many samples of a problem whose reference they make, if not as many as of any other.
    """

    teacher: Teacher
    first_sample: int
    samples: int
    truncation: Truncation = Truncation()
    models: ModelJudged = ModelJudged()
    verify: Verify = Field(json_schema_extra={"operational": True})
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})
    name: str | None = Field(default=None, json_schema_extra={"silent": True})
    vote_samples: int | None = Field(default=None, json_schema_extra={"silent": True})

    def indices(self, problem: Problem) -> range:
        """Return which samples of a problem the round asks for; those of the rounds before it are below them."""
        if self.vote_samples is None or not is_for_vote(problem, self.models):
            return range(self.first_sample, self.first_sample + self.samples)
        first = self.first_sample // self.samples * self.vote_samples
        return range(first, first + self.vote_samples)


@task(name="distill", task_run_name="distill {label}", version="3", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def distill_shard(work: Work) -> Produced:
    """Asks the teacher about every problem that no response has solved yet, and that can be judged."""
    plan: DistillRound = work.section
    problems = work.rows(Problem, "problems")
    for_models = {problem.id for problem in problems if is_for_models(problem, plan.models)}
    refused_before = _refused_before(work, problems, plan)
    pending = [
        problem
        for problem in unsolved(problems, work.all_rows(Verdict, "verdicts"), for_models)
        if problem.id not in refused_before
    ]
    hopeless = unjudgeable(pending, plan.verify, plan.models)
    asked = [(problem, index) for problem in pending if problem.id not in hopeless for index in plan.indices(problem)]
    requests = [build_request(problem, plan.teacher, sample_index=index) for problem, index in asked]
    asking = Asking(work, plan.ledger, plan.purse)
    whole = Completer(plan.teacher, plan.truncation, partial(asking.ask, server=plan.teacher))
    order = _order(asked, requests, plan)
    sent = whole.complete([requests[place] for place in order], [asked[place][1] for place in order])
    answers = [answer for _, answer in sorted(zip(order, sent, strict=True), key=itemgetter(0))]
    responses = [
        response_of(problem, index, answer, plan.name)
        for (problem, index), answer in zip(asked, answers, strict=True)
        if isinstance(answer, Completion)
    ]
    refused = [
        {"problem_id": problem.id, "reason": REFUSED_BY_TEACHER, "message": f"{answer.status}: {answer.message}"}
        for (problem, _), answer in zip(asked, answers, strict=True)
        if isinstance(answer, Refusal)
    ]
    unasked = refused + [
        {"problem_id": problem_id, "reason": "unverifiable", "message": why} for problem_id, why in hopeless.items()
    ]
    produced = Produced(
        outputs={
            "responses": table_of(Response, responses),
            "unasked": pa.Table.from_pylist(unasked, schema=UNASKED),
        },
        rows_in=len(requests),
        rows_kept=len(responses),
        dropped={f"distill/{REFUSED_BY_TEACHER}": len(refused)} if refused else {},
        facts=_facts(responses)
        | {"n_follow_ups": whole.n_follow_ups}
        | ({TEACHER_NAME: plan.name} if plan.name else {}),
    )
    return asking.with_refusals(produced)


def _refused_before(work: Work, problems: Sequence[Problem], plan: DistillRound) -> set[str]:
    """Problems of which an earlier round of this run had every sample refused: another is the same request again."""
    n_samples = {problem.id: len(plan.indices(problem)) for problem in problems}
    return {
        problem_id
        for name in work.numbered("unasked")
        for (problem_id, reason), n in Counter(
            (row["problem_id"], row["reason"]) for row in work.table(name).to_pylist()
        ).items()
        if reason == REFUSED_BY_TEACHER and n >= n_samples.get(problem_id, plan.samples)
    }


def _order(asked: Sequence[tuple[Problem, int]], requests: Sequence[Request], plan: DistillRound) -> list[int]:
    """Places of the requests in the order in which they are sent; see tracemill/generate/order.py."""
    problems = {problem.id: problem for problem, _ in asked}
    earlier = {
        build_request(problem, plan.teacher, sample_index=index).key: problem.id
        for problem in problems.values()
        for index in range(plan.indices(problem).start)
    }
    lengths: dict[str, list[int]] = {}
    if earlier and plan.teacher.order == "longest_first":
        for key, completion in shared_ledger(plan.ledger).get_many(earlier).items():
            lengths.setdefault(earlier[key], []).append(completion.completion_tokens or 0)
    known = {name: expected(problem, lengths.get(name, ())) for name, problem in problems.items()}
    return asking_order([request.key for request in requests], [known[one.id] for one, _ in asked], plan.teacher.order)


def first_responses(
    problems: Sequence[Problem], teacher: Teacher | None, asking: Asking, reused: tuple[str, ...]
) -> list[Response]:
    """Return what the first round has to say about each problem: traces by models of ``reused``, or a first sample."""
    traced = {problem.id: traces for problem in problems if (traces := source_traces(problem, reused))}
    known = [response for responses in traced.values() for response in responses]
    if teacher is None:
        return known
    asked = [problem for problem in problems if problem.id not in traced]
    answers = asking.ask([build_request(problem, teacher, sample_index=0) for problem in asked], teacher)
    answered = [
        response_of(problem, 0, answer)
        for problem, answer in zip(asked, answers, strict=True)
        if isinstance(answer, Completion)
    ]
    return known + answered


def response_of(problem: Problem, sample_index: int, completion: Completion, teacher: str | None = None) -> Response:
    """Return the teacher's answer, taken apart.

    Args:
        problem: that was asked.
        sample_index: of the problem's samples by this teacher.
        completion: the answer.
        teacher: name of one of several.
    """
    served = served_by(completion) | ({"teacher": teacher} if teacher else {})
    split = split_think(completion.content, completion.reasoning)
    return Response(
        id=digest("response", problem.id, completion.key),
        problem_id=problem.id,
        origin=Origin.TEACHER,
        model=completion.model,
        sample_index=sample_index,
        think=split.think,
        answer=split.answer,
        fault=split.fault,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        refusal=completion.refusal,
        fault_evidence=fault_evidence(completion.content, completion.reasoning, split.fault),
        served=served or None,
    )


def _facts(responses: list[Response]) -> dict[str, Any]:
    return {
        "prompt_tokens": sum(response.prompt_tokens or 0 for response in responses),
        "completion_tokens": sum(response.completion_tokens or 0 for response in responses),
    }


@task(name="limit", task_run_name="limit {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage()
def limit_problems(work: Work) -> Produced:
    """Which problems are distilled when the recipe limits their number: the first by content id, over all shards."""
    names = work.numbered("problems")
    ids = {name: work.table(name)["id"].to_pylist() for name in names}
    ordered = sorted(problem_id for shard_ids in ids.values() for problem_id in shard_ids)
    over = set(ordered[work.section.limit :])
    tables = {
        name.replace("problems", "over"): pa.table(
            {"id": pa.array([problem_id for problem_id in ids[name] if problem_id in over], pa.string())}
        )
        for name in names
    }
    dropped = {"distill/over_limit": len(over)} if over else {}
    return Produced(tables, len(ordered), len(ordered) - len(over), dropped)


@task(
    name="apply_limit", task_run_name="apply_limit {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED
)
@stage(rows="problems", drops=True, computes=True)
def apply_limit_shard(work: Work) -> Produced:
    """Drops the rows of one shard that are over the limit."""
    problems = work.rows(Problem, "problems")
    over = set(work.table("over")["id"].to_pylist())
    dropped: list[Dropped] = [
        dropped_problem(problem, "distill", "over_limit", {}) for problem in problems if problem.id in over
    ]
    return split(len(problems), [p for p in problems if p.id not in over], Problem, dropped)

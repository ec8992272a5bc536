"""Verdicts by models, each beside the rules': scores for open answers, and the rescue of what rules call wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pydantic import Field

from tasks.stage import Produced, Work, stage
from tracemill.ledger import Completion
from tracemill.prompts import split_think
from tracemill.recipe import Teacher
from tracemill.recipe_judge import Judge, Reward
from tracemill.recipe_section import Section
from tracemill.recipe_server import ModelServer
from tracemill.schema import Origin, Problem, Response, Verdict, digest, rows_of, table_of
from tracemill.selection import source_traces
from tracemill.teacher import Refusal, Request, build_request, shared_teacher
from tracemill.verdicts import settled
from verifiers.judge import is_to_judge, judge_request, judge_verdict
from verifiers.reward import cut_of, read_score, reward_request, reward_verdict

CUT = pa.schema([("cut", pa.float64())])


class Scoring(Section):
    """The reward, and where its answers are recorded."""

    reward: Reward
    ledger: str = Field(json_schema_extra={"operational": True})


class Rescue(Section):
    """The judge, and where its answers are recorded."""

    judge: Judge
    ledger: str = Field(json_schema_extra={"operational": True})


class Calibration(Section):
    """What the cut is read from: scores of the first problems' traces, or of the teacher's first samples."""

    reward: Reward
    teacher: Teacher
    reuse_traces: bool
    ledger: str = Field(json_schema_extra={"operational": True})


@stage("score", version=1)
def score_shard(work: Work) -> Produced:
    """A verdict by score on every open answer of a shard."""
    plan: Scoring = work.section
    problems, responses = _judged(work)
    open_ = [response for response in responses if problems[response.problem_id].category in plan.reward.categories]
    answers = _ask(plan.reward, plan.ledger, [reward_request(problems[r.problem_id], r, plan.reward) for r in open_])
    cut = float(work.table("cut")["cut"][0].as_py() if "cut" in work.inputs else plan.reward.threshold or 0.0)
    verdicts = [
        reward_verdict(response, read_score(answer, plan.reward), cut, plan.reward)
        for response, answer in zip(open_, answers, strict=True)
    ]
    return _produced(verdicts, cut=cut)


@stage("rescue", version=1)
def rescue_shard(work: Work) -> Produced:
    """The judge's verdict on every response of a shard that the rules did not accept."""
    plan: Rescue = work.section
    problems, responses = _judged(work)
    standing = settled(work.all_rows(Verdict, "verdicts"))
    asked = [r for r in responses if is_to_judge(problems[r.problem_id], r, standing[r.id], plan.judge)]
    answers = _ask(plan.judge, plan.ledger, [judge_request(problems[r.problem_id], r, plan.judge) for r in asked])
    return _produced([judge_verdict(r, answer, plan.judge) for r, answer in zip(asked, answers, strict=True)])


@stage("calibrate", version=1)
def calibrate_cut(work: Work) -> Produced:
    """The cut from the distribution of scores over the problems that come first by content id."""
    plan: Calibration = work.section
    open_ = [p for p in work.all_rows(Problem, "problems") if p.category in plan.reward.categories]
    chosen = sorted(open_, key=lambda problem: problem.id)[: plan.reward.calibration_rows]
    responses = _samples(chosen, plan)
    problems = {problem.id: problem for problem in chosen}
    answers = _ask(
        plan.reward, plan.ledger, [reward_request(problems[r.problem_id], r, plan.reward) for r in responses]
    )
    scores = [score for answer in answers if (score := read_score(answer, plan.reward).value) is not None]
    # With nothing to calibrate on nothing is scored either; the row must only be there.
    cut = cut_of(scores, plan.reward.quantile or 0.0) if scores else 0.0
    table = pa.Table.from_pylist([{"cut": cut}], schema=CUT)
    return Produced({"cut": table}, len(responses), len(responses), facts={"cut": cut, "n_scores": len(scores)})


def _samples(problems: Sequence[Problem], plan: Calibration) -> list[Response]:
    """A trace of each problem, or the teacher's first sample: the very request that distillation begins with."""
    traces = {p.id: source_traces(p)[0] for p in problems if plan.reuse_traces and p.traces}
    asked = [problem for problem in problems if problem.id not in traces]
    answers = _ask(plan.teacher, plan.ledger, [build_request(problem, plan.teacher, 0) for problem in asked])
    sampled = {
        problem.id: teacher_response(problem, 0, answer)
        for problem, answer in zip(asked, answers, strict=True)
        if isinstance(answer, Completion)
    }
    found = traces | sampled
    return [found[problem.id] for problem in problems if problem.id in found and found[problem.id].answer.strip()]


def teacher_response(problem: Problem, sample_index: int, completion: Completion) -> Response:
    """A completion as a response to its problem."""
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
    )


def _judged(work: Work) -> tuple[Mapping[str, Problem], list[Response]]:
    """Problems by id, and the responses of this round."""
    problems = {problem.id: problem for problem in work.rows(Problem, "problems")}
    return problems, list(rows_of(Response, work.table("responses")))


def _ask(server: ModelServer, ledger: str, requests: list[Request]) -> list[Completion | Refusal]:
    return shared_teacher(server, ledger).complete(requests) if requests else []


def _produced(verdicts: list[Verdict], **facts: object) -> Produced:
    outcomes = dict(Counter(verdict.outcome for verdict in verdicts))
    table = table_of(Verdict, verdicts)
    return Produced({"verdicts": table}, len(verdicts), len(verdicts), facts={"outcomes": outcomes, **facts})

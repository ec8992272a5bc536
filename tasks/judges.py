"""Scores for open answers by a reward model or by a rubric, and the cut above which an answer passes.

A judge's second look at what the rules call wrong or cannot judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.distill import first_responses
from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tasks.verify import verdicts_on
from tracemill.core import Problem, RecipeError, Response, Section, Verdict, table_of
from tracemill.core.traces import TraceText, with_texts
from tracemill.inference import Refusal
from tracemill.ledger import Completion
from tracemill.recipe.sections.judges import DEFAULT_CALIBRATION, Judge, Reward, Rubric
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.sections.verify import Verify
from tracemill.select import settled
from tracemill.select.calibration import calibration_set, quantile_threshold
from tracemill.select.verdicts import by_response, rule_of
from verifiers.models.judge import equivalence_request, equivalence_verdict, may_be_asked
from verifiers.models.reward import RewardScorer
from verifiers.models.rubric import RubricScorer
from verifiers.models.scores import Scorer, is_open, score_verdict


class JudgeRound(Section):
    """What the judge's verdicts depend on."""

    judge: Judge
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


@task(name="judge", task_run_name="judge {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def judge_shard(work: Work) -> Produced:
    """The judge's own verdict on every response that it shall look at; rows are responses that it was asked about."""
    plan: JudgeRound = work.section
    problems = {problem.id: problem for problem in work.rows(Problem, "problems")}
    verdicts = by_response(work.all_rows(Verdict, "verdicts"))
    asked = [
        (problems[response.problem_id], response)
        for response in work.rows(Response, "responses")
        if may_be_asked(problems[response.problem_id], response, settled(verdicts[response.id]), plan.judge)
    ]
    requests = [equivalence_request(problem, response, plan.judge) for problem, response in asked]
    asking = Asking(work, plan.ledger, plan.purse)
    answers = asking.ask(requests, plan.judge)
    found = [
        equivalence_verdict(rule_of(verdicts[response.id]), answer, plan.judge)
        for (_, response), answer in zip(asked, answers, strict=True)
    ]
    outcomes = Counter(verdict.outcome for verdict in found)
    facts = {"outcomes": dict(outcomes)}
    return asking.with_refusals(Produced({"verdicts": table_of(Verdict, found)}, len(asked), len(found), facts=facts))


SCORES = pa.schema([("response_id", pa.string()), ("problem_id", pa.string()), ("score", pa.float64())])

Asked = tuple[Problem, Response]


class ScoreRound(Section):
    """What verdicts by score depend on.

    Attributes:
        cut: a higher score passes; None if there was nothing to choose it by.
    """

    scored: Reward | Rubric
    cut: float | None
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


@task(name="reward", task_run_name="reward {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def reward_shard(work: Work) -> Produced:
    """Verdicts by reward model; rows are the responses that no rule can judge."""
    return _scored(work)


@task(name="rubric", task_run_name="rubric {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def rubric_shard(work: Work) -> Produced:
    """Verdicts by rubric; rows are the responses that no rule can judge."""
    return _scored(work)


def _scored(work: Work) -> Produced:
    plan: ScoreRound = work.section
    scorer = scorer_of(plan.scored)
    rules = {verdict.response_id: verdict for verdict in work.rows(Verdict, "verdicts-000")}
    asked = _open(work.rows(Problem, "problems"), work.rows(Response, "responses"), rules, plan.scored)
    if asked and plan.cut is None:
        raise RecipeError(
            f"{plan.scored.place}: there is no cut",
            got="no open answer in the first batch, which the cut is chosen by",
            expected="a fixed cut",
            remedy=f"set {plan.scored.place}.threshold instead of quantile",
        )
    asking = Asking(work, plan.ledger, plan.purse)
    answers = _answers(asked, scorer, asking)
    found = [
        score_verdict(rules[response.id], answers.get(response.id), scorer, plan.cut or 0.0) for _, response in asked
    ]
    outcomes = Counter(verdict.outcome for verdict in found)
    facts = {"outcomes": dict(outcomes), "cut": plan.cut}
    return asking.with_refusals(Produced({"verdicts": table_of(Verdict, found)}, len(asked), len(found), facts=facts))


class Calibration(Section):
    """What a cut depends on.

    Attributes:
        limit: only the first so many problems are distilled.
        reused: traces of these models are scored; problems without one are answered by the teacher, if any.
    """

    scored: Reward | Rubric
    teacher: Teacher | None
    reused: tuple[str, ...]
    limit: int | None
    verify: Verify
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


@task(name="calibrate", task_run_name="calibrate {label}", version="3", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage()
def calibrate(work: Work) -> Produced:
    """The cut of a score, from the first answers to the calibration problems; rows are answers.

    How it is found: tracemill/select/calibration.py. Every request is one that the build sends
    anyway, so nothing is paid twice.
    """
    plan: Calibration = work.section
    problems = _calibration_problems(work, plan)
    asking = Asking(work, plan.ledger, plan.purse)
    responses = first_responses(problems, plan.teacher, asking, plan.reused)
    rules = {verdict.response_id: verdict for verdict in verdicts_on(problems, responses, plan.verify)}
    scorer = scorer_of(plan.scored)
    asked = _open(problems, responses, rules, plan.scored)
    answers = _answers(asked, scorer, asking)
    scores = _known_scores(asked, answers, scorer)
    cut = quantile_threshold([row["score"] for row in scores], plan.scored.quantile or 0.0)
    n_left_out = len(responses) - len(scores)
    produced = Produced(
        outputs={"scores": pa.Table.from_pylist(scores, schema=SCORES)},
        rows_in=len(responses),
        rows_kept=len(scores),
        dropped={"calibrate/no_score": n_left_out} if n_left_out else {},
        facts={"cut": cut, "n_scores": len(scores)},
    )
    return asking.with_refusals(produced)


def _calibration_problems(work: Work, plan: Calibration) -> list[Problem]:
    names = work.numbered("problems")
    pairs: list[tuple[str, str]] = []
    for name in names:
        table = work.table(name)
        pairs += zip(table["id"].to_pylist(), table["category"].to_pylist(), strict=True)
    size = plan.scored.calibration or DEFAULT_CALIBRATION
    chosen = calibration_set(pairs, plan.scored.categories, size, plan.limit)
    return [problem for name in names for problem in _with_texts(work, name, chosen)]


def _with_texts(work: Work, name: str, chosen: Container[str]) -> list[Problem]:
    """The chosen problems of one shard, with the texts of their traces where the shard's are among the inputs."""
    problems = [problem for problem in work.rows(Problem, name) if problem.id in chosen]
    apart = name.replace("problems", "texts")
    if not problems or apart not in work.inputs:
        return problems
    texts = {text.id: text for text in work.rows(TraceText, apart)}
    return [with_texts(problem, texts) for problem in problems]


def _known_scores(
    asked: Sequence[Asked], answers: dict[str, Completion | Refusal], scorer: Scorer
) -> list[dict[str, Any]]:
    """The scores that could be had; answers without an answer part, refusals and babble say nothing about a cut."""
    rows = []
    for problem, response in asked:
        answer = answers.get(response.id)
        marks = scorer.marks(answer.content) if isinstance(answer, Completion) else None
        if marks is not None:
            rows.append({"response_id": response.id, "problem_id": problem.id, "score": marks.score})
    return rows


def scorer_of(settings: Reward | Rubric) -> Scorer:
    """Return the model of a recipe section."""
    return RewardScorer(settings) if isinstance(settings, Reward) else RubricScorer(settings)


def _open(
    problems: Sequence[Problem], responses: Sequence[Response], rules: dict[str, Verdict], scored: Reward | Rubric
) -> list[Asked]:
    """Return the responses that no rule can judge."""
    by_id = {problem.id: problem for problem in problems}
    pairs = [(by_id[response.problem_id], response) for response in responses]
    return [pair for pair in pairs if is_open(pair[0], rules[pair[1].id], scored.categories)]


def _answers(asked: Sequence[Asked], scorer: Scorer, asking: Asking) -> dict[str, Completion | Refusal]:
    """Return what the model says, by response; responses without an answer part are not shown to it."""
    shown = [pair for pair in asked if pair[1].answer.strip()]
    requests = [scorer.request(problem, response) for problem, response in shown]
    answers = asking.ask(requests, scorer.server, scorer.dialect)
    return {response.id: answer for (_, response), answer in zip(shown, answers, strict=True)}

"""A judge's second look at what the rules call wrong or cannot judge."""

from __future__ import annotations

from collections import Counter

from prefect import task
from pydantic import Field

from tasks.asking import Asking
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.recipe_judge import Judge
from tracemill.recipe_section import Section
from tracemill.schema import Problem, Response, Verdict, table_of
from tracemill.verdicts import by_response, rule_of, settled
from verifiers.judge import equivalence_request, equivalence_verdict, may_be_asked


class JudgeRound(Section):
    """What the judge's verdicts depend on."""

    judge: Judge
    ledger: str = Field(json_schema_extra={"operational": True})


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
    asking = Asking(work, plan.ledger)
    answers = asking.ask(requests, plan.judge)
    found = [
        equivalence_verdict(rule_of(verdicts[response.id]), answer, plan.judge)
        for (_, response), answer in zip(asked, answers, strict=True)
    ]
    outcomes = Counter(verdict.outcome for verdict in found)
    facts = {"outcomes": dict(outcomes)}
    return asking.told(Produced({"verdicts": table_of(Verdict, found)}, len(asked), len(found), facts=facts))

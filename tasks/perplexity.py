"""How surprising a model finds the responses that may be published."""

from __future__ import annotations

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.asking import Asking
from tasks.quality import filtered, fit_responses
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.logprob_dialect import LogprobDialect
from tracemill.perplexity import PERPLEXITIES, perplexity_fault, perplexity_of, perplexity_request
from tracemill.recipe_perplexity import Perplexity
from tracemill.recipe_section import Section
from tracemill.schema import Problem


class PerplexityRound(Section):
    """What perplexities depend on."""

    perplexity: Perplexity
    ledger: str = Field(json_schema_extra={"operational": True})


@task(
    name="perplexity", task_run_name="perplexity {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED
)
@stage(rows="problems")
def perplexity_shard(work: Work) -> Produced:
    """Perplexity of every correct response without a fault; rows are those responses."""
    plan: PerplexityRound = work.section
    problems = {problem.id: problem for problem in work.rows(Problem, "problems")}
    responses = fit_responses(work)
    requests = [perplexity_request(problems[given.problem_id], given, plan.perplexity) for given in responses]
    asking = Asking(work, plan.ledger)
    answers = asking.ask(requests, plan.perplexity, LogprobDialect(plan.perplexity))
    rows = [
        {
            "response_id": response.id,
            "problem_id": response.problem_id,
            "perplexity": perplexity_of(answer),
            "n_tokens": getattr(answer, "prompt_tokens", None),
        }
        for response, answer in zip(responses, answers, strict=True)
    ]
    faulty = [
        (response, fault)
        for response, answer in zip(responses, answers, strict=True)
        if (fault := perplexity_fault(answer, plan.perplexity)) is not None
    ]
    perplexities = pa.Table.from_pylist(rows, schema=PERPLEXITIES)
    return asking.told(filtered(len(responses), faulty, perplexities=perplexities))

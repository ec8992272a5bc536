"""Answers to a benchmark's items: a student is asked for every sample, or a file of responses is read."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.distill import response_of
from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Problem, Response, Section, SourceError, table_of
from tracemill.evaluate.given import responses_in
from tracemill.evaluate.items import name_of
from tracemill.generate import asking_order, build_request
from tracemill.generate.order import expected
from tracemill.inference import Refusal
from tracemill.inference.refusals import REFUSED_BY_TEACHER
from tracemill.ledger import Completion
from tracemill.recipe.evaluation import Student

# Samples that no server has answered: which, and in whose words.
UNANSWERED: Final = pa.schema([("problem_id", pa.string()), ("sample", pa.int32()), ("message", pa.large_string())])


class Questions(Section):
    """What a student is asked.

    Attributes:
        student: with the benchmark's template.
        samples: of each item; the index is in the key of a request, so that more of them pay only for those.
        ledger: folder of the ledger.
    """

    student: Student
    samples: int
    ledger: str = Field(json_schema_extra={"operational": True})


@task(name="ask", task_run_name="ask {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def ask_student_shard(work: Work) -> Produced:
    """Every sample of every item; a refused one is asked again by the next run, and is never a wrong answer."""
    plan: Questions = work.section
    problems = work.rows(Problem, "problems")
    asked = [(problem, sample) for problem in problems for sample in range(plan.samples)]
    requests = [build_request(problem, plan.student, sample_index=sample) for problem, sample in asked]
    lengths = {problem.id: expected(problem, ()) for problem in problems}
    order = asking_order(
        [request.key for request in requests], [lengths[problem.id] for problem, _ in asked], plan.student.order
    )
    asking = Asking(work, plan.ledger)
    ask = partial(asking.ask, server=plan.student)
    sent = ask([requests[place] for place in order])
    answers = [answer for _, answer in sorted(zip(order, sent, strict=True), key=itemgetter(0))]
    pairs = list(zip(asked, answers, strict=True))
    responses = [
        response_of(problem, sample, answer) for (problem, sample), answer in pairs if isinstance(answer, Completion)
    ]
    refused = [
        {"problem_id": problem.id, "sample": sample, "message": f"{answer.status}: {answer.message}"}
        for (problem, sample), answer in pairs
        if isinstance(answer, Refusal)
    ]
    produced = Produced(
        outputs={
            "responses": table_of(Response, responses),
            "unanswered": pa.Table.from_pylist(refused, schema=UNANSWERED),
        },
        rows_in=len(requests),
        rows_kept=len(responses),
        dropped={f"ask/{REFUSED_BY_TEACHER}": len(refused)} if refused else {},
        facts=_facts(responses),
    )
    return asking.with_refusals(produced)


def _facts(responses: list[Response]) -> dict[str, Any]:
    return {
        "prompt_tokens": sum(response.prompt_tokens or 0 for response in responses),
        "completion_tokens": sum(response.completion_tokens or 0 for response in responses),
        "models": sorted({response.model for response in responses}),
    }


class GivenResponses(Section):
    """A file of responses, and the state that it is in.

    Attributes:
        path: of the file.
        state: its size and time.
        model: who wrote them.
        samples: how many each item has, by benchmark.
    """

    path: str = Field(json_schema_extra={"operational": True})
    state: tuple[int, int]
    model: str
    samples: dict[str, int]


def given_responses(path: str, model: str, samples: dict[str, int]) -> GivenResponses:
    """Return the section of :func:`read_responses`.

    Raises:
        SourceError: there is no such file.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise SourceError(
            "there is no file of responses", got=f"{path}: {error.strerror}", remedy="correct student.responses"
        ) from error
    return GivenResponses(path=path, state=(found.st_size, found.st_mtime_ns), model=model, samples=samples)


@task(name="given", task_run_name="given {label}", version="1", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def read_responses(work: Work) -> Produced:
    """The responses of a file, a table for each shard of items; all samples of all items, or an error."""
    plan: GivenResponses = work.section
    shards = {name: work.rows(Problem, name) for name in work.numbered("problems")}
    items = {
        (problem.source, name_of(problem.info, problem.row)): problem.id
        for problems in shards.values()
        for problem in problems
    }
    found = responses_in(Path(plan.path), plan.model, items, plan.samples)
    tables = {
        name.replace("problems", "responses"): table_of(
            Response, [response for problem in problems for response in found[problem.id]]
        )
        for name, problems in shards.items()
    }
    n_responses = sum(table.num_rows for table in tables.values())
    return Produced(tables, n_responses, n_responses)

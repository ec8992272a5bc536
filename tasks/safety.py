"""What is unsafe, by rules and by the models that the recipe names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prefect import task
from pydantic import Field

from tasks.asking import Asking
from tasks.quality import filtered, fit_responses
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.ledger import Completion
from tracemill.quality import Fault
from tracemill.recipe_safety import Safety
from tracemill.recipe_section import Section
from tracemill.recipe_server import ModelServer
from tracemill.safety import (
    UNSAFE,
    classifier_dialect,
    classifier_fault,
    classifier_request,
    guard_fault,
    guard_request,
    pieces,
    rule_fault,
)
from tracemill.schema import Problem, Response
from tracemill.teacher import Refusal, Request
from tracemill.teacher_dialect import ChatDialect, Dialect

Piece = tuple[Response, str]


class SafetyRound(Section):
    """What verdicts about safety depend on."""

    safety: Safety
    ledger: str = Field(json_schema_extra={"operational": True})


@task(name="safety", task_run_name="safety {label}", version="2", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def safety_shard(work: Work) -> Produced:
    """Drops what is unsafe; rows are the correct responses without a fault. Whoever costs nothing is asked first."""
    plan: SafetyRound = work.section
    problems = {problem.id: problem for problem in work.rows(Problem, "problems")}
    responses = fit_responses(work)
    found: dict[str, Fault] = {}
    if plan.safety.rules:
        found |= {given.id: fault for given in responses if (fault := rule_fault(given)) is not None}
    asking = Asking(work, plan.ledger)
    for model_says in _models(plan, problems, asking):
        left = [(given, piece) for given in responses if given.id not in found for piece in _pieces(given, plan.safety)]
        found |= model_says(left)
    return asking.told(filtered(len(responses), [(given, found[given.id]) for given in responses if given.id in found]))


def _pieces(response: Response, settings: Safety) -> list[str]:
    return pieces(response, settings.window_chars)


def _models(
    plan: SafetyRound, problems: Mapping[str, Problem], asking: Asking
) -> list[Callable[[Sequence[Piece]], dict[str, Fault]]]:
    """The models that the recipe names, as functions from pieces to faults by response."""
    models: list[Callable[[Sequence[Piece]], dict[str, Fault]]] = []
    guard, classifier = plan.safety.guard, plan.safety.classifier
    if classifier is not None:
        models.append(
            lambda left: _asked(
                left,
                [classifier_request(problems[given.problem_id], piece, classifier) for given, piece in left],
                classifier,
                classifier_dialect(classifier),
                asking,
                lambda piece, answer: classifier_fault(piece, answer, classifier),
            )
        )
    if guard is not None:
        models.append(
            lambda left: _asked(
                left,
                [guard_request(problems[given.problem_id], piece, guard) for given, piece in left],
                guard,
                ChatDialect(guard),
                asking,
                lambda piece, answer: guard_fault(piece, answer, guard),
            )
        )
    return models


def _asked(
    left: Sequence[Piece],
    requests: list[Request],
    server: ModelServer,
    dialect: Dialect,
    asking: Asking,
    fault_in: Callable[[str, Completion | Refusal], Fault | None],
) -> dict[str, Fault]:
    """Faults by response: an unsafe piece before one that got no verdict, an earlier piece before a later one."""
    found: dict[str, Fault] = {}
    for (response, piece), answer in zip(left, asking.ask(requests, server, dialect), strict=True):
        fault = fault_in(piece, answer)
        known = found.get(response.id)
        if fault is not None and (known is None or (fault.reason == UNSAFE != known.reason)):
            found[response.id] = fault
    return found

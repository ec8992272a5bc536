"""Filters on responses, apart from whether they are right.

Corpus-wide n-gram frequency filter: count once per batch, drop per shard.

How surprising a model finds the responses that may be published.

What is unsafe, by rules and by the models that the recipe names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tasks.label import Measure
from tracemill.core import Outcome, Problem, Response, Section, Verdict, table_of
from tracemill.inference import ChatDialect, Dialect, Refusal, Request
from tracemill.ledger import Completion
from tracemill.quality.filters import FAULTS, Examined, Fault, fault_of, fault_record
from tracemill.quality.frequent_strings import Frequent, Strings, frequent_fault, frequent_strings, strings_of
from tracemill.quality.measures import TraceMeasures, measure_responses
from tracemill.quality.perplexity import (
    PERPLEXITIES,
    LogprobDialect,
    perplexity_fault,
    perplexity_of,
    perplexity_request,
)
from tracemill.quality.safety import (
    UNSAFE,
    classifier_dialect,
    classifier_fault,
    classifier_request,
    guard_fault,
    guard_request,
    pieces,
    rule_fault,
)
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.quality import FrequentStrings, Perplexity, Quality, Safety
from tracemill.recipe.sections.server import ModelServer
from tracemill.select.verdicts import settled_by_response
from tracemill.text.language.guess import VERSION as LANGUAGE_VERSION
from tracemill.text.tokens import count_tokens


class QualityPlan(Section):
    """What the filters depend on.

    Attributes:
        counting: how a language model's tokens are counted.
    """

    rules: Quality = Quality()
    counting: Measure = Measure()


VERSION = f"4-{LANGUAGE_VERSION}"


@task(name="quality", task_run_name="quality {label}", version=VERSION, retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", computes=True)
def quality_shard(work: Work) -> Produced:
    """Measures every response, and filters by the form of it; rows are responses."""
    responses = work.all_rows(Response, "responses")
    measures, faulty = examine(responses, _prompts(work), work.section)
    return filtered(len(responses), faulty, measures=table_of(TraceMeasures, measures))


def examine(
    responses: Sequence[Response], prompts: Mapping[str, str], plan: QualityPlan
) -> tuple[list[TraceMeasures], list[tuple[Response, Fault]]]:
    """Return the measures of every response, and those that have a fault with it; prompts by problem id."""
    measures = measure_responses(responses, prompts, plan.rules.repetition)
    if plan.counting.tokenizer is not None:
        measures = _counted(responses, measures, plan.counting.tokenizer)
    found = [
        (response, fault_of(Examined(response, prompts[response.problem_id], measured), plan.rules))
        for response, measured in zip(responses, measures, strict=True)
    ]
    return list(measures), [(response, fault) for response, fault in found if fault is not None]


def filtered(n_responses: int, faulty: Sequence[tuple[Response, Fault]], **outputs: pa.Table) -> Produced:
    """Return the outcome of a filter on responses: table ``faults``, and whatever else it has found."""
    table = pa.Table.from_pylist([fault_record(response, fault) for response, fault in faulty], schema=FAULTS)
    counts = Counter(f"quality/{fault.reason}" for _, fault in faulty)
    return Produced({"faults": table, **outputs}, n_responses, n_responses - len(faulty), dict(counts))


def fit_responses(work: Work, number: str = "") -> list[Response]:
    """Return the correct responses in which no filter has found a fault so far: what a model is asked about.

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
    """Return the measures with exact numbers of tokens instead of estimates."""
    thinks = count_tokens([response.think or "" for response in responses], tokenizer)
    answers = count_tokens([response.answer for response in responses], tokenizer)
    return [
        replace(measured, think_tokens=think, answer_tokens=answer)
        for measured, think, answer in zip(measures, thinks, answers, strict=True)
    ]


STRINGS = pa.schema([("gram", pa.uint64()), ("count", pa.int64())])
# Of a stored table a byte is less than a token of its text, so that this is more memory than is needed.
_COUNTERS_PER_BYTE = 4


@task(
    name="frequent_strings",
    task_run_name="frequent_strings {label}",
    version="1",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def find_frequent_strings(work: Work) -> Produced:
    """Counts the strings of all correct responses without a fault, in all shards of all batches so far."""
    settings: FrequentStrings = work.section
    numbers = sorted({name.split("-")[1] for name in work.numbered("responses")})
    stored = sum(shard.size for name, shard in work.inputs.items() if name.startswith("responses-"))
    memory = min(settings.sketch_mib << 20, _COUNTERS_PER_BYTE * stored)

    def shards() -> Iterator[Strings]:
        for number in numbers:
            yield _strings(fit_responses(work, number), settings.tokens)

    found = frequent_strings(shards, settings.times, memory)
    table = pa.table([pa.array(found.grams), pa.array(found.counts)], schema=STRINGS)
    return Produced({"strings": table}, len(numbers), len(numbers), facts={"n_frequent": table.num_rows})


def _strings(responses: Sequence[Response], size: int) -> Strings:
    """Think and answer apart; both belong to the response's problem."""
    problems = {name: number for number, name in enumerate(sorted({given.problem_id for given in responses}))}
    # A response counts as one text: what it thinks and answers adds up.
    texts = [text for given in responses for text in (given.think or "", given.answer)]
    found = strings_of(texts, [problems[given.problem_id] for given in responses for _ in range(2)], size)
    return found._replace(texts=found.texts // 2)


@task(
    name="drop_frequent",
    task_run_name="drop_frequent {label}",
    version="1",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", computes=True)
def drop_frequent_shard(work: Work) -> Produced:
    """Drops the responses of one shard that hold frequent strings; rows are responses without another fault."""
    table = work.table("strings")
    found = Frequent(table["gram"].to_numpy().astype(np.uint64), table["count"].to_numpy())
    responses = fit_responses(work)
    faulty: list[tuple[Response, Fault]] = []
    for response in responses:
        fault = frequent_fault(response, found, work.section)
        if fault is not None:
            faulty.append((response, fault))
    return filtered(len(responses), faulty)


class PerplexityRound(Section):
    """What perplexities depend on."""

    perplexity: Perplexity
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


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
    asking = Asking(work, plan.ledger, plan.purse)
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
    return asking.with_refusals(filtered(len(responses), faulty, perplexities=perplexities))


Piece = tuple[Response, str]


class SafetyRound(Section):
    """What verdicts about safety depend on."""

    safety: Safety
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


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
    asking = Asking(work, plan.ledger, plan.purse)
    for model_says in _models(plan, problems, asking):
        left = [(given, piece) for given in responses if given.id not in found for piece in _pieces(given, plan.safety)]
        found |= model_says(left)
    return asking.with_refusals(
        filtered(len(responses), [(given, found[given.id]) for given in responses if given.id in found])
    )


def _pieces(response: Response, settings: Safety) -> list[str]:
    return pieces(response, settings.window_chars)


def _models(
    plan: SafetyRound, problems: Mapping[str, Problem], asking: Asking
) -> list[Callable[[Sequence[Piece]], dict[str, Fault]]]:
    """Return the models that the recipe names, as functions from pieces to faults by response."""
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

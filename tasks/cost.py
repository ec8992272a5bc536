"""What generation will cost: what is not in the ledger yet is counted, and a sample of it is asked first.

What the models that judge and filter will cost beside the teacher: each is asked about the sample's responses.

Every request is one that the run sends anyway, so nothing is paid twice: a model that filters is asked only about what
rules call correct and the filters before it have left. A server that is not there yet leaves its time unknown.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from tasks.distill import response_of
from tasks.engine.models import ask
from tasks.engine.stage import warn
from tasks.judges import scorer_of
from tasks.quality import QualityPlan, examine
from tasks.verify import is_for_vote, unjudgeable, verdicts_on
from tracemill.core import (
    Outcome,
    Problem,
    RecipeError,
    Response,
    Section,
    ServerUnavailableError,
    TeacherMisconfiguredError,
    digest,
    rows_of,
)
from tracemill.core.schema import CUT_OFF
from tracemill.generate import Estimate, build_request
from tracemill.generate.cost import Measured, ModelMeasured, Other, Outstanding
from tracemill.inference import Dialect, Refusal, Request, shared_client
from tracemill.ledger import Completion, shared_ledger
from tracemill.quality.perplexity import LogprobDialect, perplexity_fault, perplexity_request
from tracemill.quality.safety import (
    classifier_dialect,
    classifier_fault,
    classifier_request,
    guard_request,
    pieces,
    rule_fault,
)
from tracemill.recipe.sections.distill import Asked, Cost, Distill, Turn
from tracemill.recipe.sections.judges import Judge, ModelJudged, Reward, Rubric
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.quality import Classifier, Guard, Perplexity, Safety
from tracemill.recipe.sections.server import ModelServer, Teacher
from tracemill.recipe.sections.verify import Verify
from tracemill.store import Shard, Store, claimed
from tracemill.text.tokens import estimated_tokens
from verifiers.models.judge import equivalence_request, may_be_asked
from verifiers.models.scores import is_open

Pair = tuple[Problem, Response]
Answers = Sequence[Completion | Refusal | None]
Part = TypeVar("Part")
PLACES: dict[type[ModelServer], Asked] = {
    Reward: "reward",
    Rubric: "rubric",
    Judge: "judge",
    Perplexity: "perplexity",
    Guard: "safety.guard",
    Classifier: "safety.classifier",
}


class ModelsPlan(Section):
    """The models that are asked about responses, and what decides about which."""

    verify: Verify
    reward: Reward | None = None
    rubric: Rubric | None = None
    judge: Judge | None = None
    quality: QualityPlan = QualityPlan()
    perplexity: Perplexity | None = None
    safety: Safety | None = None

    @property
    def any(self) -> bool:
        """Whether there is any."""
        asked = self.safety and (self.safety.guard or self.safety.classifier)
        return bool(self.reward or self.rubric or self.judge or self.perplexity or asked)


@dataclass
class ModelCosts:
    """Asks the models of a recipe about the responses of a sample.

    Attributes:
        found: what each of them took.
        purse: who pays those whose price is known.
    """

    plan: ModelsPlan
    ledger: str
    sample: Sequence[Pair]
    found: list[ModelMeasured] = field(default_factory=list)
    purse: Purse | None = None

    def measure(self) -> tuple[ModelMeasured, ...]:
        """Ask all; judges first, then what filters."""
        verdicts = verdicts_on(
            [problem for problem, _ in self.sample], [given for _, given in self.sample], self.plan.verify
        )
        judged = list(zip(self.sample, verdicts, strict=True))
        scored: set[str] = set()
        for scores in (self.plan.reward, self.plan.rubric):
            if scores is not None:
                shown = [pair for pair, rule in judged if is_open(pair[0], rule, scores.categories)]
                scored |= {given.id for _, given in shown}
                scorer = scorer_of(scores)
                shown = [pair for pair in shown if pair[1].answer.strip()]
                self._ask(scores, [scorer.request(*pair) for pair in shown], scorer.dialect)
        if (judge := self.plan.judge) is not None:
            again = [pair for pair, rule in judged if pair[1].id not in scored and may_be_asked(*pair, rule, judge)]
            self._ask(judge, [equivalence_request(*pair, judge) for pair in again])
        self._filter([pair for pair, rule in judged if rule.outcome == Outcome.CORRECT])
        return tuple(self.found)

    def _filter(self, correct: list[Pair]) -> None:
        prompts = {problem.id: problem.prompt for problem, _ in correct}
        _, faulty = examine([given for _, given in correct], prompts, self.plan.quality)
        bad = {given.id for given, _ in faulty}
        left = [pair for pair in correct if pair[1].id not in bad]
        if (perplexity := self.plan.perplexity) is not None:
            requests = [perplexity_request(*pair, perplexity) for pair in left]
            answers = self._ask(perplexity, requests, LogprobDialect(perplexity))
            left = _passing(left, answers, lambda _, answer: perplexity_fault(answer, perplexity) is None)
        if self.plan.safety is not None:
            self._filter_unsafe(left, self.plan.safety)

    def _filter_unsafe(self, left: list[Pair], safety: Safety) -> None:
        kept = [pair for pair in left if not (safety.rules and rule_fault(pair[1]))]
        parts = [(problem, piece) for problem, given in kept for piece in pieces(given, safety.window_chars)]
        if (classifier := safety.classifier) is not None:
            requests = [classifier_request(*part, classifier) for part in parts]
            answers = self._ask(classifier, requests, classifier_dialect(classifier))
            parts = _passing(parts, answers, lambda part, answer: classifier_fault(part[1], answer, classifier) is None)
        if (guard := safety.guard) is not None:
            self._ask(guard, [guard_request(*part, guard) for part in parts])

    def _ask(self, server: ModelServer, requests: list[Request], dialect: Dialect | None = None) -> Answers:
        """Ask one model; None for every answer where no server is there."""
        ledger = shared_ledger(self.ledger)
        n_new = len({request.key for request in requests} - ledger.get_many(each.key for each in requests).keys())
        answers: Answers = [None] * len(requests)
        began, rate = time.perf_counter(), None
        try:
            answers = ask(requests, server, self.ledger, dialect, self.purse)
            rate = n_new / (time.perf_counter() - began) if n_new else None
        except ServerUnavailableError:
            pass
        tokens = [_tokens(request, answer) for request, answer in zip(requests, answers, strict=True)]
        mean = sum(tokens) / len(tokens) if tokens else 0.0
        self.found.append(
            ModelMeasured(PLACES[type(server)], server.model, len(self.sample), len(requests), mean, rate)
        )
        return answers


def _tokens(request: Request, answer: Completion | Refusal | None) -> int:
    """Read and written, as the server counts; estimated where it does not say."""
    if isinstance(answer, Completion) and answer.prompt_tokens is not None:
        return answer.prompt_tokens + (answer.completion_tokens or 0)
    return sum(estimated_tokens(message["content"]) for message in request.messages)


def _passing(given: list[Part], answers: Answers, passes: Callable[[Part, Completion | Refusal], bool]) -> list[Part]:
    """Those whose answer lets them pass, and those without an answer."""
    return [part for part, answer in zip(given, answers, strict=True) if answer is None or passes(part, answer)]


class CostPlan(Section):
    """What an estimate is made from.

    Attributes:
        models: where models can judge what rules cannot.
        asked: the models that are asked about responses.
        labellers: those that have been asked about every problem.
        vote_samples: of a problem whose reference they make, in a round, if not as many as of any other.
    """

    distill: Distill
    models: ModelJudged
    verify: Verify
    asked: ModelsPlan
    labellers: tuple[str, ...] = ()
    vote_samples: int | None = Field(default=None, json_schema_extra={"silent": True})
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})

    def samples(self, problem: Problem, turn: Turn) -> int:
        """Return how often a teacher is asked about a problem in a round."""
        return self.vote_samples if self.vote_samples and is_for_vote(problem, self.models) else turn.samples

    @property
    def turn(self) -> Turn:
        """Who is asked first; a recipe without a teacher has no ``distill.cost``, and so no estimate.

        Raises:
            RecipeError: there is none.
        """
        if not self.distill.turns:
            raise RecipeError("nobody is asked, so that nothing can be estimated", expected="distill.teacher")
        return self.distill.turns[0]

    @property
    def teacher(self) -> Teacher:
        """Who is asked first, and about the sample."""
        return self.turn.teacher


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
    n_others = [0] * (len(plan.distill.turns) - 1)
    drawn: list[tuple[str, Request, Problem]] = []
    for label, shard in problems.items():
        rows = list(rows_of(Problem, store.read_table(shard)))
        left_out = set(store.read_table(over[label])["id"].to_pylist()) if label in over else set()
        asked = [row for row in rows if row.id not in left_out]
        hopeless = unjudgeable(asked, plan.verify, plan.models)
        found = [row for row in asked if row.id not in hopeless]
        n_problems += len(rows)
        counts = [total + more for total, more in zip(counts, _counts(found, plan), strict=True)]
        n_others = [n + _n_left(found, turn, plan) for n, turn in zip(n_others, plan.distill.turns[1:], strict=True)]
        firsts = [(build_request(row, plan.teacher, 0), row) for row in found if not _has_trace(row, plan)]
        drawn = heapq.nsmallest(
            cost.sample, [*drawn, *((first.key, first, row) for first, row in firsts)], key=lambda one: one[0]
        )
    sample = [(request, problem) for _, request, problem in drawn]
    with claimed(store, "estimate-cost", digest([request.key for request, _ in sample]), warn):
        measured, answered = _measured(sample, plan)
        models = ModelCosts(plan.asked, plan.ledger, answered, purse=plan.purse).measure() if plan.asked.any else ()
    labels = tuple((f"label.labellers ({name})", n_problems) for name in plan.labellers)
    others = tuple(
        Other(turn.teacher.named, n_left, turn.teacher.paid)
        for turn, n_left in zip(plan.distill.turns[1:], n_others, strict=True)
    )
    return Estimate(Outstanding(*counts), measured, cost, models, labels, plan.teacher.paid, plan.distill.money, others)


def _costs(given: Sequence[Completion]) -> Iterator[float]:
    return (answer.cost or 0.0 for answer in given)


def _has_trace(problem: Problem, plan: CostPlan) -> bool:
    return plan.distill.reuse_traces and bool(_reused(problem, plan))


def _reused(problem: Problem, plan: CostPlan) -> list[dict[str, Any]]:
    return [trace for trace in problem.traces if trace["model"] in plan.distill.reuse_models]


def _counts(problems: Iterable[Problem], plan: CostPlan) -> Iterator[int]:
    """Return the fields of :class:`Outstanding` for one shard."""
    ledger = shared_ledger(plan.ledger)
    n_first = n_traced = n_later = n_paid = n_traces = 0
    rounds = plan.distill.max_rounds
    for problem in problems:
        samples = plan.samples(problem, plan.turn)
        keys = [build_request(problem, plan.teacher, index).key for index in range(rounds * samples)]
        paid = ledger.get_many(keys)  # not only recorded: what cannot be read any more is asked again
        new = [key not in paid for key in keys]
        if _has_trace(problem, plan):
            n_traced += sum(new[:samples])
            n_traces += len(_reused(problem, plan))
        else:
            n_first += sum(new[:samples])
        n_later += sum(new[samples:])
        n_paid += len(new) - sum(new)
    return iter((n_first, n_traced, n_later, n_paid, n_traces))


def _n_left(problems: Sequence[Problem], turn: Turn, plan: CostPlan) -> int:
    """Return how many requests of a teacher are not in the ledger yet, if nothing is ever solved."""
    keys = [
        build_request(problem, turn.teacher, index).key
        for problem in problems
        for index in range(plan.distill.max_rounds * plan.samples(problem, turn))
    ]
    return len(keys) - len(shared_ledger(plan.ledger).get_many(keys))


def _measured(sample: list[tuple[Request, Problem]], plan: CostPlan) -> tuple[Measured, list[Pair]]:
    """Return the answers' tokens, with speed where some had to be asked; and the responses that stay as they are."""
    if not sample:
        return Measured(0, 0, 0.0, 0.0, None), []
    ledger = shared_ledger(plan.ledger)
    ledger.refresh()
    new = {request.key for request, _ in sample} - ledger.get_many(request.key for request, _ in sample).keys()
    began = time.perf_counter()
    answers = shared_client(plan.teacher, plan.ledger, purse=plan.purse).complete([request for request, _ in sample])
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
        reported_cost=None if any(answer.cost is None for answer in given) else fmean(_costs(given)),
    )
    # What was cut off may be continued or asked anew: nobody will be asked about it as it is.
    as_they_are = [
        (problem, response_of(problem, 0, answer))
        for (_, problem), answer in zip(sample, answers, strict=True)
        if isinstance(answer, Completion)
        and (answer.finish_reason != CUT_OFF or plan.distill.truncation.policy == "drop")
    ]
    return measured, as_they_are

"""What the models that judge and filter will cost beside the teacher: each is asked about the sample's responses.

Every request is one that the run sends anyway, so nothing is paid twice: a model that filters is asked only about what
rules call correct and the filters before it have left. A server that is not there yet leaves its time unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.asking import ask
from tasks.quality import QualityPlan, examine
from tasks.score import scorer_of
from tasks.verify import verdicts_on
from tracemill.cost import ModelMeasured
from tracemill.errors import TeacherUnavailableError
from tracemill.ledger import Completion
from tracemill.ledger_shared import shared_ledger
from tracemill.logprob_dialect import LogprobDialect
from tracemill.perplexity import perplexity_fault, perplexity_request
from tracemill.recipe_cost import Asked
from tracemill.recipe_judge import Judge, Reward, Rubric
from tracemill.recipe_perplexity import Perplexity
from tracemill.recipe_safety import Classifier, Guard, Safety
from tracemill.recipe_section import Section
from tracemill.recipe_server import ModelServer
from tracemill.recipe_verify import Verify
from tracemill.safety import (
    classifier_dialect,
    classifier_fault,
    classifier_request,
    guard_request,
    pieces,
    rule_fault,
)
from tracemill.schema import Outcome, Problem, Response
from tracemill.teacher import Refusal, Request
from tracemill.teacher_dialect import Dialect
from tracemill.token_length import estimated_tokens
from verifiers.judge import equivalence_request, may_be_asked
from verifiers.scores import is_open

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
    """

    plan: ModelsPlan
    ledger: str
    sample: Sequence[Pair]
    found: list[ModelMeasured] = field(default_factory=list)

    def measure(self) -> tuple[ModelMeasured, ...]:
        """Asks all; judges first, then what filters."""
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
        """Asks one model; None for every answer where no server is there."""
        ledger = shared_ledger(self.ledger)
        n_new = len({request.key for request in requests} - ledger.get_many(each.key for each in requests).keys())
        answers: Answers = [None] * len(requests)
        began, rate = time.perf_counter(), None
        try:
            answers = ask(requests, server, self.ledger, dialect)
            rate = n_new / (time.perf_counter() - began) if n_new else None
        except TeacherUnavailableError:
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

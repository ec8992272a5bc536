"""Scores for open answers, by whatever model: what is asked about, and the verdict by a cut; thoughts never count."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from tracemill.core import Cause, Outcome, Verdict
from tracemill.inference import Refusal, Request
from tracemill.ledger import Completion
from tracemill.select.verdicts import SCORE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracemill.core import Problem, Response
    from tracemill.inference import Dialect
    from tracemill.recipe.sections.server import ModelServer

_SHOWN_CHARS = 500


class Marks(NamedTuple):
    """What a model gave an answer.

    Attributes:
        score: one number, on the model's scale.
        attributes: what it was made of.
    """

    score: float
    attributes: Mapping[str, float]


class Scorer(Protocol):
    """A model that scores answers: how it is asked, and how it is understood."""

    @property
    def version(self) -> str:
        """Name and version."""

    @property
    def server(self) -> ModelServer:
        """Where it is."""

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to."""

    def request(self, problem: Problem, response: Response) -> Request:
        """Return what is asked about a response."""

    def marks(self, content: str) -> Marks | None:
        """Return what a completion's content says, or None if it is not understood."""


def is_open(problem: Problem, rule: Verdict, categories: Collection[str]) -> bool:
    """Tell whether a response is one that scores are wanted for: no rule can judge it."""
    return problem.category in categories and rule.outcome == Outcome.UNVERIFIABLE


def score_verdict(rule: Verdict, answer: Completion | Refusal | None, scorer: Scorer, cut: float) -> Verdict:
    """Return the verdict by score, beside the rule's.

    Args:
        rule: the rule's verdict on the response.
        answer: what came of the request; None if the response has no answer part, so that nothing was asked.
        scorer: the model.
        cut: a higher score passes.
    """
    outcome, score, detail = _judged(answer, scorer, cut)
    return Verdict(
        response_id=rule.response_id,
        problem_id=rule.problem_id,
        outcome=outcome,
        score=score,
        verifier=SCORE + scorer.version,
        extracted=None,
        detail=detail,
        provenance=scorer.server.named,
        cause=Cause.VERIFIER if outcome == Outcome.UNVERIFIABLE else None,
    )


def _judged(answer: Completion | Refusal | None, scorer: Scorer, cut: float) -> tuple[Outcome, float | None, str]:
    if answer is None:
        return Outcome.INCORRECT, None, "there is no answer part"
    if isinstance(answer, Refusal):
        return Outcome.UNVERIFIABLE, None, f"there is no score: {answer.message}"
    marks = scorer.marks(answer.content)
    if marks is None:
        return Outcome.UNVERIFIABLE, None, f"the marks are not understood: {answer.content[:_SHOWN_CHARS]}"
    passes = marks.score > cut
    made_of = ", ".join(f"{name} {value:.4g}" for name, value in marks.attributes.items())
    detail = f"score {marks.score:.6g}, {'above' if passes else 'not above'} the cut {cut:.6g}; {made_of}"
    return Outcome.CORRECT if passes else Outcome.INCORRECT, marks.score, detail

"""What a verifier is, and what it judges: the seam between the dispatch and each kind of verification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tracemill.core import Cause, Outcome
from tracemill.text.missing_answer import missing_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tracemill.core import Problem, Response
    from tracemill.text.missing_answer import Missing
    from verifiers.sandbox.protocol import Sandbox
    from verifiers.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One response beside everything it is judged by.

    Attributes:
        id: the response's id.
        answer: what follows the think part; the think part is never judged.
        fault: why the response does not follow the think template (see ``tracemill.text.think.split_think``), or None.
        missing: why there is no answer to judge, or None.
        tests: a test object of the verification contract, or None.
        constraints: ``[{"id", "kwargs"}]``, or None.
    """

    id: str
    category: str
    prompt: str
    answer: str
    think: str | None = None
    reference_answer: str | None = None
    tests: dict[str, Any] | None = None
    constraints: list[dict[str, Any]] | None = None
    problem_id: str = ""
    fault: str | None = None
    missing: Missing | None = None


def attempt_of(problem: Problem, response: Response) -> Attempt:
    """Return the response as an attempt at the problem."""
    return Attempt(
        id=response.id,
        category=problem.category,
        prompt=problem.prompt,
        answer=response.answer,
        think=response.think,
        reference_answer=problem.reference_answer,
        tests=problem.tests,
        constraints=problem.constraints,
        problem_id=problem.id,
        fault=response.fault,
        missing=missing_answer(response),
    )


class Judgement(NamedTuple):
    """A verdict without its ids.

    Attributes:
        score: 0.0 to 1.0, or None when nothing was scored.
        extracted: the answer as it was read from the response, or None.
        detail: why, for people.
        provenance: what judged beside this code, as in the sandbox image's digest; None where nothing did.
        cause: of an unverifiable or a timeout: whose fault it is.
    """

    outcome: Outcome
    score: float | None
    extracted: str | None
    detail: str
    provenance: str | None = None
    cause: Cause | None = None


def correct(extracted: str | None, detail: str) -> Judgement:
    """Return the answer is right."""
    return Judgement(Outcome.CORRECT, 1.0, extracted, detail)


def incorrect(extracted: str | None, detail: str) -> Judgement:
    """Return the answer is wrong, or there is none."""
    return Judgement(Outcome.INCORRECT, 0.0, extracted, detail)


def unusable(detail: str, extracted: str | None = None) -> Judgement:
    """No answer to this problem could be judged: its reference, tests or constraints cannot be used."""
    return Judgement(Outcome.UNVERIFIABLE, None, extracted, detail, cause=Cause.REFERENCE)


def unreadable(extracted: str | None, detail: str) -> Judgement:
    """This answer cannot be read, or not be compared for certain; another one may."""
    return Judgement(Outcome.UNVERIFIABLE, None, extracted, detail, cause=Cause.RESPONSE)


def unjudged(extracted: str | None, detail: str) -> Judgement:
    """Return a verifier of ours broke or came to its limits: nothing is said about answer or problem."""
    return Judgement(Outcome.UNVERIFIABLE, None, extracted, detail, cause=Cause.VERIFIER)


def too_slow(extracted: str | None, detail: str) -> Judgement:
    """Return the time that judging may take was over."""
    return Judgement(Outcome.TIMEOUT, None, extracted, detail, cause=Cause.VERIFIER)


class Pending(NamedTuple):
    """A judgement that waits for a worker or a container: the work, and what its result means."""

    future: Future[Any]
    conclude: Callable[[Any], Judgement]


@dataclass(frozen=True, slots=True)
class VerifierResources:
    """What verifiers work with, shared by any number of threads.

    Attributes:
        pool: killable worker processes, for our own code over strangers' text.
        sandbox: containers, for strangers' code.
    """

    pool: WorkerPool
    sandbox: Sandbox


class Verifier(Protocol):
    """Judges the attempts of one category.

    ``version`` is "name@n"; n grows whenever any attempt may be judged otherwise than before.
    """

    @property
    def version(self) -> str:
        """Name and version."""
        ...

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement | Pending:
        """Judge at once what is cheap, and hand the rest to the resources.

        Must not block, raise on any attempt, or depend on other attempts.
        """
        ...

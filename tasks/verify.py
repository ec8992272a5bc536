"""Verdicts on responses, by the verifiers in their killable worker processes."""

from __future__ import annotations

import atexit
import functools
from collections import Counter
from collections.abc import Iterable

from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Cause, Outcome, Problem, Response, Verdict, digest, rows_of, table_of
from tracemill.recipe.sections.judges import ModelJudged
from tracemill.recipe.sections.verify import Verify
from tracemill.text import missing_answer
from verifiers import Attempt, VerifierSet, attempt_of, verifier_versions, verify
from verifiers.maths.words import why_missing

# Fact of a shard: responses that the sandbox failed to judge, by reason.
UNJUDGED = "unjudged"

_LAYOUT = 2  # of a verdict: 2 names the cause
VERSION = digest("verify", _LAYOUT, sorted(verifier_versions().items()), missing_answer.VERSION)[:16]


@functools.lru_cache(maxsize=2)
def verifier_set_of(settings: Verify) -> VerifierSet:
    """Return one verifier_set per process, shared by all shard tasks; what it started ends with the process."""
    verifier_set = VerifierSet(settings)
    atexit.register(verifier_set.close)
    return verifier_set


@task(name="verify", task_run_name="verify {label}", version=VERSION, retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def verify_shard(work: Work) -> Produced:
    """One verdict for every response of a shard; where the sandbox failed, the next run judges again."""
    responses = work.rows(Response, "responses")
    settled = _settled(work)
    pending = [response for response in responses if response.id not in settled]
    found = verdicts_on(work.rows(Problem, "problems"), pending, work.section)
    settled |= {verdict.response_id: verdict for verdict in found}
    verdicts = [settled[response.id] for response in responses]
    unjudged = Counter(verdict.detail for verdict in verdicts if verdict.outcome == Outcome.SANDBOX_ERROR)
    facts = {
        "outcomes": dict(Counter(verdict.outcome for verdict in verdicts)),
        "causes": dict(Counter(f"{verdict.outcome} by {verdict.cause}" for verdict in verdicts if verdict.cause)),
        UNJUDGED: dict(unjudged),
    }
    table = table_of(Verdict, verdicts)
    return Produced({"verdicts": table}, len(responses), table.num_rows, facts=facts, provisional=bool(unjudged))


def _settled(work: Work) -> dict[str, Verdict]:
    """Return verdicts by response id that stand from an earlier try, in which the sandbox failed for the others."""
    if "verdicts" not in work.before:
        return {}
    found = rows_of(Verdict, work.store.read_table(work.before["verdicts"]))
    return {verdict.response_id: verdict for verdict in found if verdict.outcome != Outcome.SANDBOX_ERROR}


def verdicts_on(problems: Iterable[Problem], responses: Iterable[Response], settings: Verify) -> list[Verdict]:
    """Return the rules' verdict on every response, in order."""
    by_id = {problem.id: problem for problem in problems}
    attempts = [attempt_of(by_id[response.problem_id], response) for response in responses]
    return list(verify(attempts, verifier_set_of(settings)))


def unjudgeable(problems: Iterable[Problem], settings: Verify, models: ModelJudged) -> dict[str, str]:
    """Problems on which no answer could be judged (no verifier, no usable reference), and why: not worth paying for.

    Found by judging an empty answer: it is ``incorrect`` wherever a rule can judge an answer at all. A verifier that
    fails at it says nothing of the others.
    """
    listed = [problem for problem in problems if not is_for_models(problem, models)]
    verdicts = verify((_empty_answer(problem) for problem in listed), verifier_set_of(settings))
    return {
        problem.id: verdict.detail
        for problem, verdict in zip(listed, verdicts, strict=True)
        if verdict.outcome == Outcome.UNVERIFIABLE and verdict.cause == Cause.REFERENCE
    }


def is_for_models(problem: Problem, models: ModelJudged) -> bool:
    """Tell whether a model of the recipe can judge answers to a problem where no rule can."""
    return problem.category in models.scored or (
        problem.category in models.compared and why_missing(problem.reference_answer) is None
    )


def _empty_answer(problem: Problem) -> Attempt:
    return Attempt(
        id=problem.id,
        category=problem.category,
        prompt=problem.prompt,
        answer="",
        reference_answer=problem.reference_answer,
        tests=problem.tests,
        constraints=problem.constraints,
        problem_id=problem.id,
    )

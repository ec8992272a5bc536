"""Verdicts on responses, by the verifiers in their killable worker processes."""

from __future__ import annotations

import atexit
import functools
from collections import Counter
from collections.abc import Iterable

from tasks.stage import Produced, Work, stage
from tracemill.recipe_judge import ModelJudged
from tracemill.recipe_verify import Verify
from tracemill.schema import Outcome, Problem, Response, Verdict, digest, table_of
from verifiers import Attempt, Bench, attempt_of, verifier_versions, verify
from verifiers.answer_words import why_no_answer

VERSION = digest("verify", sorted(verifier_versions().items()))[:16]


@functools.lru_cache(maxsize=2)
def _bench(settings: Verify) -> Bench:
    """One bench per process, shared by all shard tasks; what it started ends with the process."""
    bench = Bench(settings)
    atexit.register(bench.close)
    return bench


@stage("verify", version=VERSION)
def verify_shard(work: Work) -> Produced:
    """One verdict for every response of a shard."""
    responses = work.rows(Response, "responses")
    verdicts = verdicts_on(work.rows(Problem, "problems"), responses, work.section)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    table = table_of(Verdict, verdicts)
    return Produced({"verdicts": table}, len(responses), table.num_rows, facts={"outcomes": dict(outcomes)})


def verdicts_on(problems: Iterable[Problem], responses: Iterable[Response], settings: Verify) -> list[Verdict]:
    """The rules' verdict on every response, in order."""
    by_id = {problem.id: problem for problem in problems}
    attempts = [attempt_of(by_id[response.problem_id], response) for response in responses]
    return list(verify(attempts, _bench(settings)))


def unjudgeable(problems: Iterable[Problem], settings: Verify, models: ModelJudged) -> dict[str, str]:
    """Problems on which no answer could be judged (no verifier, no usable reference), and why: not worth paying for.

    Found by judging an empty answer: it is ``incorrect`` wherever a rule can judge an answer at all.
    """
    listed = [problem for problem in problems if not _is_for_models(problem, models)]
    verdicts = verify((_empty_answer(problem) for problem in listed), _bench(settings))
    return {
        problem.id: verdict.detail
        for problem, verdict in zip(listed, verdicts, strict=True)
        if verdict.outcome == Outcome.UNVERIFIABLE
    }


def _is_for_models(problem: Problem, models: ModelJudged) -> bool:
    return problem.category in models.scored or (
        problem.category in models.compared and why_no_answer(problem.reference_answer) is None
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

"""Samples with their verdicts and votes, and the score of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from prefect import task
from pydantic import Field

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tasks.verify import VERSION as VERIFIERS
from tasks.verify import verifier_set_of
from tracemill.core import Category, Outcome, Problem, Response, Section, Verdict, table_of
from tracemill.evaluate import ItemScore, JudgedSample, item_scores
from tracemill.evaluate.items import date_of, name_of
from tracemill.evaluate.scores import REFUSED
from tracemill.evaluate.votes import contested, merged
from tracemill.recipe.sections.verify import Verify
from tracemill.select.verdicts import by_response, rule_of, settled
from verifiers import verify
from verifiers.ballots import comparison

VOTING = frozenset({Category.MATH, Category.CHOICE})


@task(
    name="samples",
    task_run_name="samples {label}",
    version=f"1-{VERIFIERS}",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems")
def judged_samples_shard(work: Work) -> Produced:
    """Every sample with its verdict and its vote; equal votes are answers that the verifier takes for the same."""
    problems = {problem.id: problem for problem in work.rows(Problem, "problems")}
    opinions = work.rows(Verdict, "opinions") if "opinions" in work.inputs else []  # of the judge
    verdicts = by_response([*work.rows(Verdict, "verdicts"), *opinions])
    answered = [
        _sample(problems[response.problem_id], response, verdicts[response.id])
        for response in work.rows(Response, "responses")
    ]
    refused = work.table("unanswered").to_pylist() if "unanswered" in work.inputs else []
    missing = [_refused(problems[row["problem_id"]], row["sample"], row["message"]) for row in refused]
    samples = with_votes(problems, [*answered, *missing], work.section)
    return Produced({"samples": table_of(JudgedSample, samples)}, len(samples), len(samples))


def _sample(problem: Problem, response: Response, verdicts: Sequence[Verdict]) -> JudgedSample:
    """Return a response with the verdict that counts, and the answer that the rule has read."""
    verdict, extracted = settled(verdicts), rule_of(verdicts).extracted
    return JudgedSample(
        benchmark=problem.source,
        item=name_of(problem.info, problem.row),
        sample=response.sample_index,
        problem_id=problem.id,
        response_id=response.id,
        outcome=verdict.outcome,
        cause=verdict.cause,
        vote=extracted,
        extracted=extracted,
        detail=verdict.detail,
        verifier=verdict.verifier,
        finish_reason=response.finish_reason,
        fault=response.fault,
        completion_tokens=response.completion_tokens,
        date=date_of(problem.info),
    )


def _refused(problem: Problem, sample: int, message: str) -> JudgedSample:
    item, date = name_of(problem.info, problem.row), date_of(problem.info)
    return JudgedSample(problem.source, item, sample, problem.id, "", REFUSED, detail=message, date=date)


def with_votes(
    problems: Mapping[str, Problem], samples: Sequence[JudgedSample], settings: Verify
) -> list[JudgedSample]:
    """Return samples whose votes are equal where the verifier takes their answers for the same.

    Answers are compared only where that can change who is in the majority: see ``contested``.
    """
    by_problem: dict[str, list[JudgedSample]] = defaultdict(list)
    for sample in samples:
        by_problem[sample.problem_id].append(sample)
    pairs = {
        problem_id: list(combinations(texts, 2))
        for problem_id, found in by_problem.items()
        if problems[problem_id].category in VOTING and (texts := contested(found))
    }
    attempts = [
        comparison(problems[problem_id], one, other, f"{problem_id} {number}")
        for problem_id, listed in pairs.items()
        for number, (one, other) in enumerate(listed)
    ]
    verdicts = iter(verify(attempts, verifier_set_of(settings)))
    same = {
        problem_id: [pair for pair in listed if next(verdicts).outcome == Outcome.CORRECT]
        for problem_id, listed in pairs.items()
    }
    return [
        sample
        for problem_id, found in by_problem.items()
        for sample in merged(found, same.get(problem_id, ()), votes=problems[problem_id].category in VOTING)
    ]


class Scoring(Section):
    """What is scored.

    Attributes:
        votes: benchmarks whose answers can be compared.
        verify: settings of the verifiers, for the record.
    """

    votes: tuple[str, ...]
    groups: dict[str, str] = Field(default_factory=dict, description="far, near or inside, by problem id.")


@task(name="score", task_run_name="score {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage()
def score_items(work: Work) -> Produced:
    """The score of every item, over all shards."""
    plan: Scoring = work.section
    items = item_scores(_all_samples(work), plan.votes, plan.groups or None)
    return Produced({"items": table_of(ItemScore, items)}, len(items), len(items))


def _all_samples(work: Work) -> Iterable[JudgedSample]:
    return work.all_rows(JudgedSample, "samples")

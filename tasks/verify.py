"""Verdicts on responses, by the verifiers in their killable worker processes; and by votes where no reference is."""

from __future__ import annotations

import atexit
import functools
from collections import Counter
from collections.abc import Iterable

from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Cause, Outcome, Problem, Response, Section, Verdict, digest, rows_of, table_of
from tracemill.recipe.sections.judges import ModelJudged
from tracemill.recipe.sections.verify import Majority, Verify
from tracemill.select.majority import VotedReference, finding_counts
from tracemill.select.verdicts import by_response, rule_of, settled
from tracemill.text import missing_answer
from verifiers import Attempt, VerifierSet, attempt_of, ballots, verifier_versions, verify
from verifiers.maths.words import why_missing
from verifiers.votes import polls_of, verdicts_by_vote, voted

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


class VoteRound(Section):
    """What a vote depends on."""

    majority: Majority
    verify: Verify


FINDINGS = "findings"  # fact of a vote: problems by what was found of their references
AUDITED = "audited"  # and how many problems with a reference had votes enough
VOTE_VERSION = digest("vote", 1, VERSION, ballots.VERSION)[:16]


@task(name="vote", task_run_name="vote {label}", version=VOTE_VERSION, retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def vote_shard(work: Work) -> Produced:
    """What most samples of each problem say, in all rounds so far: references, and verdicts by them; rows are polls."""
    plan: VoteRound = work.section
    verifier_set = verifier_set_of(plan.verify)
    told = by_response(work.all_rows(Verdict, "verdicts"))
    rules = {response_id: rule_of(verdicts) for response_id, verdicts in told.items()}
    counting = {response_id: settled(verdicts) for response_id, verdicts in told.items()}
    polls = polls_of(work.rows(Problem, "problems"), work.all_rows(Response, "responses"), plan.majority)
    found = voted(polls, counting, plan.majority, verifier_set)
    judged = list(verdicts_by_vote(polls, found, rules, verifier_set))
    n_audited = sum(not poll.is_open and len(poll.texts) >= plan.majority.votes for poll in polls)
    return Produced(
        outputs={"verdicts": table_of(Verdict, judged), "references": table_of(VotedReference, found)},
        rows_in=len(polls),
        rows_kept=len(polls),
        facts={FINDINGS: finding_counts(found), AUDITED: n_audited},
    )


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
    """Tell whether a model of the recipe, or a vote, can judge answers to a problem where no rule can."""
    return (
        problem.category in models.scored
        or (problem.category in models.compared and why_missing(problem.reference_answer) is None)
        or is_for_vote(problem, models)
    )


def is_for_vote(problem: Problem, models: ModelJudged) -> bool:
    """Tell whether the samples of a problem make its reference."""
    return problem.category in models.voted and why_missing(problem.reference_answer) is not None


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

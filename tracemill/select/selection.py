"""The responses to a problem that are published, and where each problem without one was lost."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tracemill.core import (
    Category,
    Cause,
    Dropped,
    Int32,
    Messages,
    Origin,
    Outcome,
    Problem,
    ReferenceBy,
    Response,
    Row,
    Text,
    Verdict,
    digest,
    dropped_problem,
    json_text,
)
from tracemill.core.json_values import parsed
from tracemill.core.schema import CUT_OFF, REFERENCE_BY
from tracemill.label import labels_of
from tracemill.quality.filters import published_turn
from tracemill.select.difficulty import Measured, measured, spread_of
from tracemill.select.majority import CONTRADICTED_REFERENCE, MADE, NO_MAJORITY
from tracemill.select.records import content_digest
from tracemill.select.verdicts import settled_by_response

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from tracemill.quality.filters import Fault
    from tracemill.recipe.sections.select import Select
    from tracemill.select.majority import VotedReference

# Of several failed responses, the outcome that says most about why the problem was lost.
_TELLING = (
    Outcome.SANDBOX_ERROR,
    Outcome.UNVERIFIABLE,
    Outcome.TIMEOUT,
    Outcome.REFUSED,
    Outcome.UNFINISHED,
    Outcome.NO_ANSWER,
    Outcome.INCORRECT,
)


@dataclass(frozen=True, slots=True)
class Sample(Row):
    """One published row: a problem with its verified response.

    Attributes:
        response_id: of the published response, as in traces/ and verdicts/.
        category_label: one of P1's seven, by a model; ``category`` is what decides who judges.
        difficulty: one of P1's five levels, by a model.
        difficulty_by_pass_rate: the level that the teacher's own samples say, see tracemill/select/difficulty.py.
        pass_rate: share of the teacher's samples that were judged correct, None where there are too few.
        quality: of the question, 1 to 5, by a model.
        language: ISO 639-1 code, or "und".
        n_prompt_tokens: of the prompt alone; ``info`` says by what it was counted, and why a label is missing.
        info: what else the source said; ``served``, what the teacher's server said of how it answered.
        n_correct: responses to this problem that were judged correct.
        n_judged: responses that were judged correct or incorrect; the pass rate is the quotient.
    """

    id: str
    response_id: str
    source: str
    category: str
    category_label: str | None
    difficulty: str | None
    difficulty_by_pass_rate: str | None
    pass_rate: float | None
    quality: Int32 | None
    language: str | None
    n_prompt_tokens: int | None
    messages: Messages
    prompt: Text
    think: Text
    answer: Text
    reference_answer: Text | None
    tests: Text | None
    constraints: Text | None
    model: str
    origin: str
    outcome: str
    score: float | None
    verifier: str
    n_correct: Int32
    n_judged: Int32
    prompt_tokens: int | None
    completion_tokens: int | None
    licence: str
    non_commercial: bool
    info: Text


@dataclass(frozen=True, slots=True)
class NumberedSample(Sample):
    """One published row where a problem may have several, which share its id.

    Attributes:
        sample_index: of the response, as in traces/; with ``origin`` it tells a problem's rows apart, as
            ``response_id`` does.
    """

    sample_index: Int32


@dataclass(frozen=True, slots=True)
class VotedSample(Sample):
    """One published row where votes may make references.

    Attributes:
        reference_by: ``source`` where the reference answer came with the row, ``majority`` where samples made it, None
            where there is none.
    """

    reference_by: str | None


@dataclass(frozen=True, slots=True)
class NumberedVotedSample(NumberedSample):
    """The same where a problem may have several rows."""

    reference_by: str | None


def sample_kind(rules: Select, *, is_voted: bool = False) -> type[Sample]:
    """Return what published rows are.

    Args:
        rules: how many rows a problem may have.
        is_voted: whether the recipe has a section ``majority``.
    """
    if is_voted:
        return VotedSample if rules.keep == 1 else NumberedVotedSample
    return Sample if rules.keep == 1 else NumberedSample


class Unasked(NamedTuple):
    """Why there is no response to a problem."""

    reason: str
    message: str


def select(
    problems: Iterable[Problem],
    responses: Iterable[Response],
    verdicts: Mapping[str, Verdict],
    faults: Mapping[str, Fault],
    unasked: Mapping[str, Unasked],
    rules: Select,
    perplexities: Mapping[str, float] | None = None,
    votes: Mapping[str, VotedReference] | None = None,
) -> tuple[list[Sample], list[Dropped]]:
    """Choose among the correct responses without a fault; every other problem is dropped where it was lost.

    The rows of a problem come one after the other, the preferred one first; they are ``sample_kind(rules)``, or those
    of a recipe with votes.

    Args:
        problems: of one shard.
        responses: to those problems, source traces first, then samples in order.
        verdicts: by response id, the one that counts on every response (see ``verdicts.settled``).
        faults: by response id, from the quality filters.
        unasked: by problem id, why the teacher was not asked or did not answer.
        rules: which passing responses are preferred, and how many are kept.
        perplexities: by response id, where they were measured.
        votes: by problem id, what votes found of references; None where the recipe counts none.
    """
    kind = sample_kind(rules, is_voted=votes is not None)
    answered: dict[str, list[Response]] = defaultdict(list)
    for response in responses:
        answered[response.problem_id].append(response)
    samples: list[Sample] = []
    dropped: list[Dropped] = []
    for problem in problems:
        given, vote = answered[problem.id], (votes or {}).get(problem.id)
        correct = [r for r in given if verdicts[r.id].outcome == Outcome.CORRECT]
        passing = [r for r in correct if r.id not in faults]
        if vote is not None and vote.is_dropped:
            dropped.append(_contradicted(problem, vote))
        elif passing and (low := _too_little_spread(problem, given, verdicts, rules)) is not None:
            dropped.append(dropped_problem(problem, "quality", "low_spread", low))
        elif passing:
            found = measured(given, verdicts, rules.pass_rate)
            kept = _preferred(passing, rules, perplexities or {})
            shown = [_sample(problem, chosen, given, verdicts, found, kind) for chosen in kept]
            samples += shown if votes is None else [_with_vote(sample, problem, vote) for sample in shown]
        else:
            dropped.append(_lost(problem, given, correct, verdicts, faults, unasked, vote))
    return samples, dropped


def _too_little_spread(
    problem: Problem, given: list[Response], verdicts: Mapping[str, Verdict], rules: Select
) -> dict[str, float] | None:
    """Return what shows that a problem's samples tell too little; None where they do not, or are too few to say."""
    least = rules.spread.get(Category(problem.category))
    found = None if least is None else spread_of(given, verdicts, rules.pass_rate)
    return None if least is None or found is None or found >= least else {"spread": found, "min": least}


def _preferred(passing: list[Response], rules: Select, perplexities: Mapping[str, float]) -> list[Response]:
    """By the recipe; equals by what they say, so that neither ids nor the order of answers decide."""
    ordered = passing
    if rules.prefer == "lowest_perplexity":
        ordered = sorted(passing, key=lambda r: (perplexities.get(r.id, math.inf), content_digest(r), r.id))
    elif rules.prefer != "first":
        sign = 1 if rules.prefer == "shortest" else -1
        ordered = sorted(passing, key=lambda r: (sign * (len(r.think or "") + len(r.answer)), content_digest(r), r.id))
    ordered = _preferred_teachers_first(ordered, rules)
    if rules.keep == 1:
        return ordered[:1]
    distinct: dict[str, Response] = {}
    for response in ordered:
        distinct.setdefault(content_digest(response), response)
    return list(distinct.values())[: None if rules.keep == "all" else rules.keep]


def _preferred_teachers_first(ordered: list[Response], rules: Select) -> list[Response]:
    """Return the responses in the recipe's order of teachers, those of others behind; as they are where it has none."""
    rank = {name: place for place, name in enumerate(rules.teachers)}
    return sorted(ordered, key=lambda response: rank.get(teacher_of(response) or "", len(rank))) if rank else ordered


def teacher_of(response: Response) -> str | None:
    """Return which of several teachers has answered; None where there is one, or of traces that came along."""
    return (response.served or {}).get("teacher")


def by_teacher(
    responses: Iterable[Response], verdicts: Mapping[str, Verdict], published: Container[str]
) -> dict[str, dict[str, int]]:
    """Return how each of several teachers did: responses, those judged, judged correct, and published."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for response in responses:
        if (name := teacher_of(response)) is not None:
            outcome = verdicts[response.id].outcome
            is_correct = outcome == Outcome.CORRECT
            found[name].update(
                responses=1,
                judged=int(is_correct or outcome == Outcome.INCORRECT),
                correct=int(is_correct),
                published=int(response.id in published),
            )
    return {name: dict(counts) for name, counts in sorted(found.items())}


def _lost(
    problem: Problem,
    given: list[Response],
    correct: list[Response],
    verdicts: Mapping[str, Verdict],
    faults: Mapping[str, Fault],
    unasked: Mapping[str, Unasked],
    vote: VotedReference | None,
) -> Dropped:
    if correct:
        found = [faults[response.id] for response in correct]
        counts = Counter(fault.reason for fault in found)
        reason = min(counts, key=lambda name: (-counts[name], name))
        shown = next(fault.evidence for fault in found if fault.reason == reason)
        return dropped_problem(problem, "quality", reason, {"faults": dict(counts), **shown})
    if not given:
        why = unasked.get(problem.id, Unasked("no_response", "no round of sampling was left"))
        stage = "verify" if why.reason == Outcome.UNVERIFIABLE else "distill"
        return dropped_problem(problem, stage, why.reason, {"message": why.message})
    if all(response.finish_reason == CUT_OFF for response in given):  # nothing is said about an answer
        evidence = {"n_responses": len(given), "verdicts": _judged(given, verdicts)}
        return dropped_problem(problem, "distill", "truncated", evidence)
    outcomes = {verdicts[response.id].outcome for response in given}
    outcome = next(outcome for outcome in _TELLING if outcome in outcomes)
    evidence = {"verdicts": _judged(given, verdicts)} | ({"vote": vote.evidence()} if vote else {})
    is_undecided = vote is not None and vote.finding == NO_MAJORITY and outcome == Outcome.UNVERIFIABLE
    return dropped_problem(problem, "verify", NO_MAJORITY if is_undecided else str(outcome), evidence)


def _contradicted(problem: Problem, vote: VotedReference) -> Dropped:
    evidence = {"reference": problem.reference_answer, "vote": vote.evidence()}
    return dropped_problem(problem, "verify", CONTRADICTED_REFERENCE, evidence)


def _with_vote(sample: Sample, problem: Problem, vote: VotedReference | None) -> Sample:
    """Return a row of a recipe with votes: how its reference came about, and what its samples say of it."""
    told: dict[str, Any] = {REFERENCE_BY: None}
    if vote is not None and vote.finding == MADE:
        told = {REFERENCE_BY: str(ReferenceBy.MAJORITY), "reference_answer": vote.answer}
    elif problem.reference_answer is not None:  # a row that was published before may say that samples made it
        told = {REFERENCE_BY: problem.info.get(REFERENCE_BY, str(ReferenceBy.SOURCE))}
    if vote is not None and vote.finding != NO_MAJORITY:
        info = parsed(sample.info.encode()) | {"vote": {"finding": vote.finding, **vote.evidence()}}
        told |= {"info": json_text(info)}
    return replace(sample, **told)


def _judged(given: list[Response], verdicts: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """Return the verdicts in short; in full they stand in verdicts/."""
    chosen = [verdicts[response.id] for response in given[:4]]
    return [
        {"outcome": v.outcome, "extracted": (v.extracted or "")[:200], "detail": v.detail[:300]}
        | ({"cause": v.cause} if v.cause else {})
        for v in chosen
    ]


def _sample(
    problem: Problem,
    chosen: Response,
    given: list[Response],
    verdicts: Mapping[str, Verdict],
    found: Measured,
    kind: type[Sample],
) -> Sample:
    verdict = verdicts[chosen.id]
    outcomes = Counter(verdicts[response.id].outcome for response in given)
    record, labels = problem.as_record(), labels_of(problem)
    think = chosen.think or ""
    turn = {"role": "assistant", "content": published_turn(think, chosen.answer)}
    beside: dict[str, Any] = {"sample_index": chosen.sample_index} if issubclass(kind, NumberedSample) else {}
    beside |= {"reference_by": None} if issubclass(kind, VotedSample | NumberedVotedSample) else {}
    return kind(
        **beside,
        id=problem.id,
        response_id=chosen.id,
        source=problem.source,
        category=problem.category,
        category_label=labels.get("category"),
        difficulty=labels.get("difficulty"),
        difficulty_by_pass_rate=found.difficulty,
        pass_rate=found.pass_rate,
        quality=labels.get("quality"),
        language=labels.get("language"),
        n_prompt_tokens=labels.get("n_prompt_tokens"),
        messages=[*problem.history, {"role": "user", "content": problem.prompt}, turn],
        prompt=problem.prompt,
        think=think,
        answer=chosen.answer,
        reference_answer=problem.reference_answer,
        tests=record["tests"],
        constraints=record["constraints"],
        model=chosen.model,
        origin=chosen.origin,
        outcome=verdict.outcome,
        score=verdict.score,
        verifier=verdict.verifier,
        n_correct=outcomes[Outcome.CORRECT],
        n_judged=outcomes[Outcome.CORRECT] + outcomes[Outcome.INCORRECT],
        prompt_tokens=chosen.prompt_tokens,
        completion_tokens=chosen.completion_tokens,
        licence=problem.licence,
        non_commercial=problem.non_commercial,
        info=json_text({**problem.info, "served": chosen.served}) if chosen.served else record["info"],
    )


def unsolved(
    problems: Iterable[Problem], verdicts: Iterable[Verdict], for_models: Container[str] = frozenset()
) -> list[Problem]:
    """Return the problems that another sample may still solve.

    Closed are those with a correct response, those whose sandbox failed (the next run judges the same response), and
    those that an ``unverifiable`` calls beyond judging: by its reference, or by a cause that an old verdict does not
    name. A response that cannot be read, one that is no answer, and a limit of our verifiers, are asked again like a
    wrong answer.

    Args:
        problems: of one shard.
        verdicts: all verdicts on all responses to them.
        for_models: ids of problems that models can judge where rules cannot: no rule's verdict closes them.
    """
    solved_or_closed = {
        verdict.problem_id
        for verdict in settled_by_response(verdicts).values()
        if verdict.outcome in {Outcome.CORRECT, Outcome.SANDBOX_ERROR}
        or (_is_beyond_judging(verdict) and verdict.problem_id not in for_models)
    }
    return [problem for problem in problems if problem.id not in solved_or_closed]


def _is_beyond_judging(verdict: Verdict) -> bool:
    return verdict.outcome == Outcome.UNVERIFIABLE and verdict.cause in {Cause.REFERENCE, None}


def source_traces(problem: Problem, models: Container[str] | None = None) -> list[Response]:
    """Return the responses that came with a problem.

    Args:
        problem: with its traces.
        models: only those of these models; None: all.
    """
    return [
        Response(
            id=digest("trace", problem.id, index, trace["think"], trace["answer"]),
            problem_id=problem.id,
            origin=Origin.SOURCE,
            model=trace["model"],
            sample_index=index,
            think=trace["think"],
            answer=trace["answer"],
            fault=trace["fault"],
            finish_reason=None,
            prompt_tokens=None,
            completion_tokens=None,
            fault_evidence=trace.get("fault_evidence"),
        )
        for index, trace in enumerate(problem.traces)
        if models is None or trace["model"] in models
    ]

"""Votes of samples: what most of a problem's responses say by its verifier, and the verdicts by a reference so made."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from tracemill.core import Cause, Origin, Outcome, Verdict, json_text
from tracemill.select.majority import (
    CONTRADICTED,
    MADE,
    NO_MAJORITY,
    Count,
    VotedReference,
    compared,
    counted,
    voted_reference,
)
from tracemill.select.records import content_digest
from tracemill.select.verdicts import VOTE
from verifiers.ballots import ballot_of, comparison
from verifiers.dispatch import verify
from verifiers.maths.words import why_missing
from verifiers.protocol import attempt_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from tracemill.core import Problem, Response
    from tracemill.recipe.sections.verify import Majority
    from verifiers.dispatch import VerifierSet

COPY: Final = "the same trace again"  # why a trace that came along has no vote


@dataclass(frozen=True)
class Poll:
    """The votes on one problem.

    Attributes:
        responses: to it that have a verdict.
        texts: what those say that have a vote, by response id.
        without_vote: the others, by why.
    """

    problem: Problem
    responses: Sequence[Response]
    texts: Mapping[str, str]
    without_vote: Mapping[str, int]

    @property
    def is_open(self) -> bool:
        """Whether there is no reference answer."""
        return why_missing(self.problem.reference_answer) is not None


def polls_of(problems: Iterable[Problem], responses: Iterable[Response], majority: Majority) -> list[Poll]:
    """Return the problems whose samples can vote; those without a reference answer only if the recipe makes some."""
    by_problem: dict[str, list[Response]] = defaultdict(list)
    for response in responses:
        by_problem[response.problem_id].append(response)
    polls = [
        _poll(problem, by_problem[problem.id])
        for problem in problems
        if problem.category in majority.categories and by_problem[problem.id]
    ]
    return [poll for poll in polls if majority.make or not poll.is_open]


def _poll(problem: Problem, responses: list[Response]) -> Poll:
    """Read every response. Of equal traces that came along one counts: a source may list one in two places."""
    texts, without, seen = {}, Counter[str](), set()
    for response in responses:
        same = content_digest(response) if response.origin == Origin.SOURCE else response.id
        text, why = (None, COPY) if same in seen else ballot_of(problem, response)
        seen.add(same)
        if text is None:
            without[why] += 1
        else:
            texts[response.id] = text
    return Poll(problem, responses, texts, without)


def voted(
    polls: Sequence[Poll], verdicts: Mapping[str, Verdict], majority: Majority, verifier_set: VerifierSet
) -> list[VotedReference]:
    """Return what is found of each poll, in order: of those without a reference always something.

    Args:
        polls: of :func:`polls_of`.
        verdicts: what counts on every response so far, by its id.
        majority: section of the recipe.
        verifier_set: says which answers are the same.
    """
    wanted = [poll for poll in polls if poll.is_open or _may_contradict(poll, verdicts, majority)]
    counts = _counts(wanted, majority, verifier_set)
    found = []
    for poll, count in zip(wanted, counts, strict=True):
        if poll.is_open:
            finding = NO_MAJORITY if count.missed(majority) else MADE
        elif count.missed(majority) or not _opposes(poll, count, verdicts):
            continue
        else:
            finding = CONTRADICTED
        found.append(voted_reference(poll.problem, finding, count, poll.without_vote, majority))
    return found


def _may_contradict(poll: Poll, verdicts: Mapping[str, Verdict], majority: Majority) -> bool:
    """Tell whether enough samples were judged incorrect, so that most problems cost no comparison."""
    n_wrong = sum(verdicts[name].outcome == Outcome.INCORRECT for name in poll.texts)
    return n_wrong >= majority.votes and n_wrong >= majority.share * len(poll.texts)


def _opposes(poll: Poll, count: Count, verdicts: Mapping[str, Verdict]) -> bool:
    """Tell whether every sample of the majority is wrong by the reference; one that is right, or open, excuses it."""
    said = [name for name, text in poll.texts.items() if text in count.supporters]
    return all(verdicts[name].outcome == Outcome.INCORRECT for name in said)


def _counts(polls: Sequence[Poll], majority: Majority, verifier_set: VerifierSet) -> list[Count]:
    """Count the votes of all polls; answers are compared only where they are many enough."""
    texts = [Counter(poll.texts.values()) for poll in polls]
    pairs = [compared(each) if each.total() >= majority.votes else [] for each in texts]
    attempts = (comparison(poll.problem, *pair) for poll, listed in zip(polls, pairs, strict=True) for pair in listed)
    verdicts = verify(attempts, verifier_set)
    passing = [{pair for pair in listed if next(verdicts).outcome == Outcome.CORRECT} for listed in pairs]
    return [counted(each, partial(_is_among, same)) for each, same in zip(texts, passing, strict=True)]


def _is_among(same: Container[tuple[str, str]], answer: str, reference: str) -> bool:
    return (answer, reference) in same


def verdicts_by_vote(
    polls: Sequence[Poll],
    found: Iterable[VotedReference],
    rules: Mapping[str, Verdict],
    verifier_set: VerifierSet,
) -> Iterator[Verdict]:
    """Yield a verdict on every response that a rule calls unverifiable for want of a reference.

    Where one was made, it is the verifier's by that reference; where none could be, it says what is lacking. Its
    verifier begins with ``VOTE``, and its provenance is the vote, so that none is taken for one by a given reference.

    Args:
        polls: of :func:`polls_of`.
        found: of :func:`voted`.
        rules: the rule's verdict on every response, by its id.
        verifier_set: judges by what was made.
    """
    by_id = {poll.problem.id: poll for poll in polls}
    open_ = [(by_id[each.id], each) for each in found if each.finding in {MADE, NO_MAJORITY}]
    made = [(poll, each) for poll, each in open_ if each.finding == MADE]
    attempts = (
        attempt_of(replace(poll.problem, reference_answer=each.answer), response)
        for poll, each in made
        for response in _unjudged(poll, rules)
    )
    judged = verify(attempts, verifier_set)
    for poll, each in open_:
        for response in _unjudged(poll, rules):
            if each.finding == MADE:
                yield _marked(next(judged), f"the reference {each.answer} was made of {each.told()}", each)
            else:
                yield _marked(_undecided(rules[response.id], poll.texts.get(response.id)), _why_none(each), each)


def _unjudged(poll: Poll, rules: Mapping[str, Verdict]) -> list[Response]:
    return [response for response in poll.responses if rules[response.id].outcome == Outcome.UNVERIFIABLE]


def _undecided(rule: Verdict, extracted: str | None) -> Verdict:
    return replace(rule, extracted=extracted, detail="", cause=Cause.REFERENCE)


def _why_none(each: VotedReference) -> str:
    return f"there is no reference, and no majority to make one of: {each.why}" + (
        f" ({each.told()})" if each.voters else ""
    )


def _marked(verdict: Verdict, why: str, vote: VotedReference) -> Verdict:
    return replace(
        verdict,
        verifier=VOTE + verdict.verifier,
        detail=f"{verdict.detail}; {why}" if verdict.detail else why,
        provenance=json_text({"vote": vote.evidence()}),
    )

"""What most samples of a problem say: references where there are none, and references that the samples contradict.

Whether one answer may stand for another is the verifier's to say, who is asked about both directions, and need not be
transitive: 3.14 may pass for pi and 3.1416 too, and neither for the other. So nothing is chained as in
``evaluate/votes.py``, where only the number of equal votes counts. Every answer is tried as the reference; the one by
which most samples are right wins, and exactly those are its votes.

Nothing depends on the order of samples.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from tracemill.core import Int32, Row, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tracemill.core import Problem
    from tracemill.recipe.sections.verify import Majority

MADE: Final = "made"
NO_MAJORITY: Final = "no_majority"
CONTRADICTED: Final = "contradicted"
FINDINGS: Final = (MADE, NO_MAJORITY, CONTRADICTED)
# Reasons of drops.
CONTRADICTED_REFERENCE: Final = "contradicted_reference"
_MOST_TEXTS: Final = 40  # distinct answers of one problem that are compared, each with each: 1,560 comparisons
_ROUNDING: Final = 1e-9  # of a share: 0.7 of 10 is 7


class Count(NamedTuple):
    """The votes of one problem.

    Attributes:
        answer: by which most samples are right; None where nobody voted.
        votes: of them.
        voters: samples whose answer could be read.
        answers: each with its votes, the first one as above; together they are all voters.
        is_tied: whether another answer, which is not the same, has as many.
        supporters: the answers that stand for the first one, itself among them.
    """

    answer: str | None
    votes: int
    voters: int
    answers: tuple[tuple[str, int], ...]
    is_tied: bool
    supporters: frozenset[str]

    @property
    def share(self) -> float | None:
        """Of the voters."""
        return self.votes / self.voters if self.voters else None

    def missed(self, wanted: Majority) -> str:
        """Return what a majority lacks; "" where it is one."""
        if not self.voters:
            return "no answer could be read"
        if self.votes < wanted.votes:
            return f"{self.votes} of {self.voters} answers say the same, and {wanted.votes} have to"
        if self.votes < wanted.share * self.voters - _ROUNDING:
            return f"{self.votes} of {self.voters} answers say the same, and a share of {wanted.share:g} has to"
        return "two answers have equally many votes" if self.is_tied else ""


def compared(texts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the pairs (answer, reference) of which :func:`counted` asks whether one passes by the other."""
    shown = _by_number(texts)[:_MOST_TEXTS]
    return [(answer, reference) for reference in shown for answer in shown if answer != reference]


def counted(texts: Mapping[str, int], passes: Callable[[str, str], bool]) -> Count:
    """Count votes.

    Args:
        texts: how many samples say each answer.
        passes: whether an answer is right where another one is the reference; asked of :func:`compared` alone.
    """
    shown = _by_number(texts)[:_MOST_TEXTS]
    passing = {text: frozenset([text]) for text in texts}
    passing |= {by: frozenset(text for text in shown if text == by or passes(text, by)) for by in shown}
    left, sides = dict(texts), list[tuple[str, int]]()
    while left:
        votes = {text: sum(left.get(other, 0) for other in passing[text]) for text in left}
        best = min(left, key=lambda text: (-votes[text], -left[text], len(text), text))
        sides.append((best, votes[best]))
        left = {text: n for text, n in left.items() if text not in passing[best]}
    if not sides:
        return Count(None, 0, 0, (), is_tied=False, supporters=frozenset())
    answer, most = sides[0]
    is_tied = any(
        sum(texts[text] for text in passing[other]) == most
        and answer not in passing[other]
        and other not in passing[answer]
        for other in texts
    )
    return Count(answer, most, sum(texts.values()), tuple(sides), is_tied, passing[answer])


def _by_number(texts: Mapping[str, int]) -> list[str]:
    return sorted(texts, key=lambda text: (-texts[text], len(text), text))


@dataclass(frozen=True, slots=True)
class VotedReference(Row):
    """A problem whose reference was made by a vote, could not be made, or is contradicted by its samples.

    Attributes:
        id: of the problem.
        finding: one of ``FINDINGS``.
        reference: what the source gives, or None.
        answer: what most samples say; the reference that was made, where one was.
        votes, voters, share: see :class:`Count`.
        why: what a majority lacks, or "".
        answers: ``[[answer, votes], …]``, most votes first.
        without_vote: samples by why they have none.
        is_dropped: whether the recipe drops the problem for its reference.
    """

    id: str
    source: str
    row: int
    category: str
    finding: str
    reference: Text | None
    answer: Text | None
    votes: Int32
    voters: Int32
    share: float | None
    why: Text
    answers: list[list[Any]]
    without_vote: dict[str, int]
    is_dropped: bool
    prompt: Text

    json_fields: ClassVar[frozenset[str]] = frozenset({"answers", "without_vote"})

    def evidence(self) -> dict[str, Any]:
        """Return the vote, for verdicts, drops and the column ``info``."""
        told: dict[str, Any] = {
            "answer": self.answer,
            "votes": self.votes,
            "voters": self.voters,
            "answers": self.answers,
        }
        told |= {"share": None if self.share is None else round(self.share, 4)}
        told |= {"without_vote": self.without_vote} if self.without_vote else {}
        return told | ({"why": self.why} if self.why else {})

    def told(self) -> str:
        """Return the vote in words."""
        answers = ", ".join(f"{answer} ({votes})" for answer, votes in self.answers[:_SHOWN])
        more = f", and {len(self.answers) - _SHOWN} more" if len(self.answers) > _SHOWN else ""
        return f"{self.votes} of {self.voters} votes: {answers}{more}"


_SHOWN: Final = 6  # answers that a verdict's words name


def voted_reference(
    problem: Problem, finding: str, count: Count, without_vote: Mapping[str, int], wanted: Majority
) -> VotedReference:
    """Return the record of a vote.

    Args:
        problem: that was voted on.
        finding: one of ``FINDINGS``.
        count: of its votes.
        without_vote: samples by why they have none.
        wanted: section ``majority`` of the recipe.
    """
    return VotedReference(
        id=problem.id,
        source=problem.source,
        row=problem.row,
        category=problem.category,
        finding=finding,
        reference=problem.reference_answer,
        answer=count.answer,
        votes=count.votes,
        voters=count.voters,
        share=count.share,
        why=count.missed(wanted) if finding == NO_MAJORITY else "",
        answers=[list(side) for side in count.answers],
        without_vote=dict(sorted(without_vote.items())),
        is_dropped=finding == CONTRADICTED and wanted.contradicted == "drop",
        prompt=problem.prompt,
    )


def finding_counts(found: Iterable[VotedReference]) -> dict[str, int]:
    """Return how many problems of each finding there are."""
    counts = Counter(each.finding for each in found)
    return {finding: counts[finding] for finding in FINDINGS if counts[finding]}

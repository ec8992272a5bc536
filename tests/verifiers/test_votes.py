"""Ballots and polls: which responses vote, what makes a reference, and the verdicts by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Outcome, Problem, Response, Verdict
from tracemill.recipe.sections.verify import Majority, Verify
from tracemill.select.majority import VotedReference
from verifiers import VerifierSet, attempt_of, verify
from verifiers.ballots import CUT, MISSING, UNFIT, UNREAD, ballot_of
from verifiers.maths.verifier import MathVerifier
from verifiers.votes import COPY, Poll, polls_of, verdicts_by_vote, voted

SUM = problem("What is the sum?", None)
PICK = problem("Which is it?\nA. red\nB. green\nC. blue", None, category="choice")
FREE = problem("Who was it?", None, category="choice")


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1)) as found:
        yield found


@pytest.mark.parametrize(
    ("asked", "answer", "text"),
    [
        (SUM, r"So it is \boxed{42}.", "42"),
        (SUM, r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (SUM, r"First \boxed{1}. No: \boxed{2}.", "2"),
        (SUM, "The answer is 42.", "42"),
        (SUM, r"\boxed{\text{Monday}}", r"\text{Monday}"),
        (PICK, r"\boxed{B}", "B"),
        (PICK, "The answer is green.", "B"),
        (PICK, r"\boxed{A, C}", "A, C"),
        (FREE, r"\boxed{Euler}", "Euler"),
    ],
)
def test_what_votes(asked: Problem, answer: str, text: str) -> None:
    """An answer that is stated once and for certain votes as a reference would state it."""
    assert ballot_of(asked, response(asked, "r", answer=answer)).text == text


@pytest.mark.parametrize(
    ("asked", "changes", "why"),
    [
        (SUM, {"answer": r"\boxed{42}", "finish_reason": "length"}, CUT),
        (SUM, {"answer": "", "think": None, "fault": "unclosed_think", "finish_reason": None}, CUT),
        (SUM, {"answer": "I cannot say."}, MISSING),
        (SUM, {"answer": ""}, MISSING),
        (SUM, {"answer": r"\boxed{42}", "refusal": "no"}, MISSING),
        (SUM, {"answer": "It is either 7 or 8."}, UNREAD),
        (SUM, {"answer": r"It is not \boxed{8}."}, UNREAD),
        (SUM, {"answer": r"\boxed{none}"}, UNFIT),
        (SUM, {"answer": r"\boxed{\text{It depends on how many there were before it began}}"}, UNFIT),
        (PICK, {"answer": "A or B"}, UNREAD),
        (PICK, {"answer": r"\boxed{purple}"}, UNFIT),
        (PICK, {"answer": r"\boxed{E}"}, UNFIT),
    ],
)
def test_what_has_no_vote(asked: Problem, changes: dict[str, Any], why: str) -> None:
    """What was cut off, gives no answer, can be read in two ways or is no reference has none, and says why."""
    found = ballot_of(asked, response(asked, "r", **changes))
    assert (found.text, found.why) == (None, why)


def answered(asked: Problem, answers: list[str], **changes: Any) -> list[Response]:
    return [
        response(asked, f"r{n}", answer=rf"\boxed{{{text}}}", sample_index=n, think=f"way {n}", **changes)
        for n, text in enumerate(answers)
    ]


class Held:
    """A vote on one problem, and what came of it."""

    def __init__(self, asked: Problem, responses: list[Response], wanted: Majority, verifier_set: VerifierSet) -> None:
        attempts = (attempt_of(asked, each) for each in responses)
        rules = {found.response_id: found for found in verify(attempts, verifier_set)}
        self.polls: list[Poll] = polls_of([asked], responses, wanted)
        self.found: list[VotedReference] = voted(self.polls, rules, wanted, verifier_set)
        judged = verdicts_by_vote(self.polls, self.found, rules, verifier_set)
        self.verdicts: dict[str, Verdict] = {found.response_id: found for found in judged}

    @property
    def outcomes(self) -> list[str]:
        return [found.outcome for _, found in sorted(self.verdicts.items())]


def test_a_majority_makes_a_reference_and_judges_by_it(verifier_set: VerifierSet) -> None:
    """Forms of one value vote together, by the verifier; the others are judged as by any reference."""
    held = Held(SUM, answered(SUM, ["1/2", "0.5", r"\frac12", r"\frac{1}{2}", "2"]), Majority(), verifier_set)
    [found] = held.found
    assert (found.finding, found.votes, found.voters) == ("made", 4, 5)
    assert held.outcomes == ["correct"] * 4 + ["incorrect"]
    told = held.verdicts["r0"]
    assert told.verifier == f"majority-{MathVerifier.version}"
    assert "4 of 5 votes" in told.detail
    assert told.provenance is not None
    assert '"votes":4' in told.provenance


def test_options_vote_by_what_they_name(verifier_set: VerifierSet) -> None:
    """A letter, and an option's text, are one vote."""
    held = Held(PICK, answered(PICK, ["B", "green", r"\text{(B) green}", "B", "A"]), Majority(), verifier_set)
    assert [(each.finding, each.answer, each.votes) for each in held.found] == [("made", "B", 4)]
    assert held.outcomes == ["correct"] * 4 + ["incorrect"]


@pytest.mark.parametrize("answers", [["1", "1", "2", "2"], ["1", "1", "1"], ["1", "2", "3", "4", "5"]])
def test_without_a_majority_nothing_is_wrong(answers: list[str], verifier_set: VerifierSet) -> None:
    """A tie and too few votes leave every response unverifiable, for the reference's sake."""
    held = Held(SUM, answered(SUM, answers), Majority(share=0.5), verifier_set)
    assert [each.finding for each in held.found] == ["no_majority"]
    assert set(held.outcomes) == {"unverifiable"}
    assert {found.cause for found in held.verdicts.values()} == {"reference"}


def test_a_response_without_an_answer_keeps_its_verdict(verifier_set: VerifierSet) -> None:
    """Nothing that there is no answer in is judged by a vote."""
    responses = [*answered(SUM, ["7"] * 4), response(SUM, "blank", answer="")]
    held = Held(SUM, responses, Majority(), verifier_set)
    assert "blank" not in held.verdicts
    assert held.found[0].without_vote == {MISSING: 1}


def test_a_trace_that_is_listed_twice_votes_once(verifier_set: VerifierSet) -> None:
    """Copies in a source are no second opinion; equal samples of a teacher are."""
    copies = [response(SUM, f"c{n}", answer=r"\boxed{7}", origin="source", finish_reason=None) for n in range(4)]
    held = Held(SUM, copies, Majority(), verifier_set)
    assert (held.found[0].finding, held.found[0].voters) == ("no_majority", 1)
    assert held.found[0].without_vote == {COPY: 3}
    sampled = [response(SUM, f"s{n}", answer=r"\boxed{7}") for n in range(4)]
    assert Held(SUM, sampled, Majority(), verifier_set).found[0].finding == "made"


@pytest.mark.parametrize(
    ("answers", "finding"),
    [
        (["42"] * 4 + ["41"], ["contradicted"]),
        (["42"] * 4 + ["41"] * 3, []),
        (["41"] * 5, []),
        (["1", "2", "3", "4", "5"], []),
        (["42"] * 3, []),
    ],
)
def test_a_reference_that_most_samples_contradict(
    answers: list[str], finding: list[str], verifier_set: VerifierSet
) -> None:
    """Enough samples have to say the same other thing; their verdicts stay as they are."""
    held = Held(problem("Sum?", "41"), answered(problem("Sum?", "41"), answers), Majority(), verifier_set)
    assert [each.finding for each in held.found] == finding
    assert held.verdicts == {}


def test_a_sample_that_a_judge_calls_right_excuses_the_reference(verifier_set: VerifierSet) -> None:
    """Where what most samples say passes in the end, nothing is contradicted."""
    asked = problem("Sum?", "41")
    responses = answered(asked, ["42"] * 5)
    polls = polls_of([asked], responses, Majority())
    outcomes = [Outcome.INCORRECT] * 4 + [Outcome.CORRECT]
    verdicts = {each.id: verdict(each, outcome) for each, outcome in zip(responses, outcomes, strict=True)}
    assert voted(polls, verdicts, Majority(), verifier_set) == []


def test_problems_of_other_categories_and_those_not_wanted_are_left_alone(verifier_set: VerifierSet) -> None:
    """Without ``make`` nobody votes on a problem that has no reference; other categories never vote."""
    assert Held(SUM, answered(SUM, ["7"] * 4), Majority(make=False), verifier_set).found == []
    only = Majority.model_validate({"categories": ["choice"]})
    assert Held(SUM, answered(SUM, ["7"] * 4), only, verifier_set).found == []

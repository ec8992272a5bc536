"""Votes of samples: who wins, what a majority lacks, and that nothing depends on the order of samples."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Outcome, Verdict, rows_of, table_of
from tracemill.recipe.sections.select import Select
from tracemill.recipe.sections.verify import Majority
from tracemill.select import select, settled
from tracemill.select.majority import (
    CONTRADICTED,
    MADE,
    NO_MAJORITY,
    VotedReference,
    compared,
    counted,
    voted_reference,
)

TEXTS = st.lists(st.sampled_from("abcdef"), max_size=12)
PAIRS = st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")))


def same_text(answer: str, reference: str) -> bool:
    return answer == reference


@given(TEXTS, PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    texts: list[str], pairs: set[tuple[str, str]], rng: random.Random
) -> None:
    """However the verifier judges, the same samples in another order give the same count."""
    shuffled = rng.sample(texts, len(texts))
    found = counted(Counter(texts), lambda *pair: pair in pairs)
    assert counted(Counter(shuffled), lambda *pair: pair in pairs) == found


@given(TEXTS, PAIRS)
def test_every_voter_is_counted_once_and_the_winner_has_most(texts: list[str], pairs: set[tuple[str, str]]) -> None:
    """The sides add up to the voters; the votes of the winner are the samples that pass by it, and nobody has more."""
    number = Counter(texts)
    found = counted(number, lambda *pair: pair in pairs)
    assert sum(votes for _, votes in found.answers) == found.voters == len(texts)
    by = {one: sum(n for text, n in number.items() if text == one or (text, one) in pairs) for one in number}
    assert found.votes == max(by.values(), default=0)
    if found.answer is not None:
        assert by[found.answer] == found.votes == sum(number[text] for text in found.supporters)


def test_what_is_alike_is_not_chained() -> None:
    """3.14 and 3.1416 each pass for pi and not for one another: pi wins, and without it neither has both."""
    alike = {("3.14", "pi"), ("3.1416", "pi"), ("pi", "3.14"), ("pi", "3.1416")}
    found = counted({"3.14": 2, "pi": 1, "3.1416": 2}, lambda *pair: pair in alike)
    assert (found.answer, found.votes) == ("pi", 5)
    apart = counted({"3.14": 2, "3.1416": 2}, lambda *pair: pair in alike)
    assert (apart.votes, apart.is_tied) == (2, True)


@pytest.mark.parametrize(
    ("texts", "lacks"),
    [
        ({}, "no answer could be read"),
        ({"1": 3}, "3 of 3 answers say the same, and 4 have to"),
        ({"1": 4, "2": 3}, "4 of 7 answers say the same, and a share of 0.6 has to"),
        ({"1": 6, "2": 4}, ""),
        ({"1": 4}, ""),
    ],
)
def test_what_a_majority_lacks(texts: dict[str, int], lacks: str) -> None:
    """Number and share have to be reached, and reaching them exactly is enough."""
    assert counted(texts, same_text).missed(Majority()) == lacks


def test_a_tie_is_no_majority() -> None:
    """Of two answers with as many votes none wins, whatever the thresholds."""
    found = counted({"1": 4, "2": 4}, same_text)
    assert found.missed(Majority(share=0.5)) == "two answers have equally many votes"


def test_seven_tenths_of_ten_are_seven() -> None:
    """A share is not missed for how a fraction is written in binary."""
    assert not counted({"1": 7, "2": 3}, same_text).missed(Majority(share=0.7))


def test_only_so_many_answers_are_compared() -> None:
    """Of a problem on which everybody says something else, the comparisons are bounded; every voter counts."""
    texts = {str(n): 1 for n in range(200)}
    asked = compared(texts)
    assert len(asked) == 40 * 39
    found = counted(texts, lambda *pair: pair in set(asked))
    assert found.voters == 200
    assert found.votes == 40


PROBLEM = problem("What is one plus one?", None)


def voted(finding: str, texts: dict[str, int], wanted: Majority | None = None) -> VotedReference:
    return voted_reference(PROBLEM, finding, counted(texts, same_text), {"cut off": 1}, wanted or Majority())


def test_a_vote_is_stored_and_read_again() -> None:
    """A record comes back from its table as it was."""
    rows = [voted(MADE, {"2": 4, "3": 1}), voted(NO_MAJORITY, {})]
    assert list(rows_of(VotedReference, table_of(VotedReference, rows))) == rows
    assert rows[1].why == "no answer could be read"


def made(outcome: Outcome) -> list[Verdict]:
    """The verdicts on a response to a problem without a reference: the rule's, and the one by vote."""
    rule = verdict(response(PROBLEM, "r"), Outcome.UNVERIFIABLE)
    return [rule, Verdict("r", PROBLEM.id, outcome, None, "majority-math@8", "2", "")]


@pytest.mark.parametrize("outcome", [Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNVERIFIABLE, Outcome.TIMEOUT])
def test_a_vote_stands_for_the_rule(outcome: Outcome) -> None:
    """What the verifier says by a reference that was made counts, in any order of verdicts."""
    assert settled(made(outcome)).outcome == settled(made(outcome)[::-1]).outcome == outcome


def test_a_score_never_makes_up_for_what_the_vote_calls_wrong() -> None:
    """It decides only where the vote leaves it open."""
    score = Verdict("r", PROBLEM.id, Outcome.CORRECT, 0.9, "score-reward@1", None, "")
    assert settled([*made(Outcome.INCORRECT), score]).outcome == Outcome.INCORRECT
    assert settled([*made(Outcome.UNVERIFIABLE), score]).outcome == Outcome.CORRECT


def test_a_row_says_that_its_reference_was_made() -> None:
    """Column, verdict and info tell it; the problem itself stays as it came."""
    vote = voted(MADE, {"2": 4, "3": 1})
    rows, _ = select(
        [PROBLEM], [response(PROBLEM, "r")], {"r": made(Outcome.CORRECT)[1]}, {}, {}, Select(), votes={PROBLEM.id: vote}
    )
    record = rows[0].as_record()
    assert (record["reference_answer"], record["reference_by"]) == ("2", "majority")
    assert record["verifier"] == "majority-math@8"
    assert '"vote":{"answer":"2","answers":[["2",4],["3",1]],"finding":"made","share":0.8' in record["info"]
    assert PROBLEM.reference_answer is None


@pytest.mark.parametrize(("reference", "by"), [("2", "source"), (None, None)])
def test_a_row_that_nobody_voted_on_says_whose_reference_it_has(reference: str | None, by: str | None) -> None:
    """The source's, or nobody's; and without section majority there is no such column."""
    asked = problem("How many?", reference)
    arguments = ([asked], [response(asked, "r")], {"r": verdict(response(asked, "r"), Outcome.CORRECT)}, {}, {})
    rows, _ = select(*arguments, Select(), votes={})
    assert rows[0].as_record()["reference_by"] == by
    plain, _ = select(*arguments, Select())
    assert "reference_by" not in plain[0].as_record()
    numbered, _ = select(*arguments, Select(keep="all"), votes={})
    assert {"reference_by", "sample_index"} <= numbered[0].as_record().keys()


def test_no_majority_is_a_reason_of_its_own() -> None:
    """Such a problem is never lost as incorrect, and the evidence has the votes."""
    vote = voted(NO_MAJORITY, {"2": 2, "3": 2})
    verdicts = {"r": made(Outcome.UNVERIFIABLE)[1]}
    _, dropped = select([PROBLEM], [response(PROBLEM, "r")], verdicts, {}, {}, Select(), votes={PROBLEM.id: vote})
    assert (dropped[0].stage, dropped[0].reason) == ("verify", "no_majority")
    assert dropped[0].evidence["vote"]["why"] == "2 of 4 answers say the same, and 4 have to"


@pytest.mark.parametrize("contradicted", ["keep", "drop"])
def test_a_contradicted_reference_is_marked_or_dropped(contradicted: str) -> None:
    """By recipe: the row stays and says so, or goes with what its samples say."""
    asked = problem("How many?", "3")
    wanted = Majority.model_validate({"contradicted": contradicted})
    vote = voted_reference(asked, CONTRADICTED, counted({"2": 5, "3": 1}, same_text), {}, wanted)
    verdicts = {"r": verdict(response(asked, "r"), Outcome.CORRECT)}
    rows, dropped = select([asked], [response(asked, "r")], verdicts, {}, {}, Select(), votes={asked.id: vote})
    if contradicted == "drop":
        assert (len(rows), dropped[0].reason) == (0, "contradicted_reference")
        assert dropped[0].evidence == {"reference": "3", "vote": vote.evidence()}
    else:
        assert (rows[0].as_record()["reference_by"], rows[0].reference_answer) == ("source", "3")
        assert '"finding":"contradicted"' in rows[0].info

"""Preference pairs, rejected traces, and the order in which equals are preferred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.samples import problem, response, verdict
from tracemill.core import Outcome, Response
from tracemill.quality.filters import Fault
from tracemill.recipe.sections.select import Select
from tracemill.select import pairs, rejected_traces, select
from tracemill.select.records import NOT_PREFERRED, Judged, content_digest

PROBLEM = problem("What is one plus one?")
OUTCOMES = st.lists(st.sampled_from(list(Outcome)), max_size=7)


def judged(outcomes: list[Outcome], faulty: set[int], rules: Select) -> tuple[Judged, list[Response]]:
    responses = [response(PROBLEM, str(n), answer=f"a{n}") for n in range(len(outcomes))]
    verdicts = {r.id: verdict(r, outcome) for r, outcome in zip(responses, outcomes, strict=True)}
    faults = {str(n): Fault("no_think", {"n": n}) for n in faulty if n < len(outcomes)}
    samples, _ = select([PROBLEM], responses, verdicts, faults, {}, rules)
    return Judged(responses, verdicts, faults, frozenset(s.response_id for s in samples)), responses


@given(OUTCOMES, st.sets(st.integers(0, 6)), st.integers(1, 3))
def test_pairs_are_of_right_and_wrong(outcomes: list[Outcome], faulty: set[int], most: int) -> None:
    """A pair has the published response and one that was judged incorrect and is well-formed; nothing else is wrong."""
    found, _ = judged(outcomes, faulty, Select())
    made = list(pairs([PROBLEM], found, most))
    wrong = [n for n, outcome in enumerate(outcomes) if outcome == Outcome.INCORRECT and n not in faulty]
    assert len(made) == (min(most, len(wrong)) if found.published else 0)
    assert {int(pair.rejected_id) for pair in made} <= set(wrong)
    assert {pair.chosen_id for pair in made} <= found.published


@given(OUTCOMES, st.sets(st.integers(0, 6)))
def test_every_response_is_published_or_rejected(outcomes: list[Outcome], faulty: set[int]) -> None:
    """Each response is in exactly one of the two, and a rejected one has a reason and what shows it."""
    found, responses = judged(outcomes, faulty, Select())
    rejected = list(rejected_traces([PROBLEM], found))
    assert {row.response_id for row in rejected} | found.published == {r.id for r in responses}
    assert len(rejected) + len(found.published) == len(responses)
    for row in rejected:
        n = int(row.response_id)
        if outcomes[n] != Outcome.CORRECT:
            assert row.reason == outcomes[n]
        else:
            assert row.reason == ("no_think" if n in faulty else NOT_PREFERRED)
        assert (row.fault is not None) == (n in faulty)
        assert '"verifier"' in row.evidence


@pytest.mark.parametrize("prefer", ["shortest", "longest"])
def test_equals_are_told_apart_by_content(prefer: str) -> None:
    """Of equally long responses the first by content digest is published, whatever their ids and order."""
    given_ = [response(PROBLEM, name, answer=text) for name, text in (("x", "aaa"), ("y", "bbb"), ("z", "ccc"))]
    verdicts = {r.id: verdict(r, Outcome.CORRECT) for r in given_}
    first = min(given_, key=content_digest)
    for order in (given_, given_[::-1]):
        samples, _ = select([PROBLEM], order, verdicts, {}, {}, Select(prefer=prefer))
        assert samples[0].answer == first.answer

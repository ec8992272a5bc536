"""Which response is published, and where the other problems are said to be lost."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.samples import problem, response, verdict
from tracemill.core import ConservationError, Dropped, Outcome, Response
from tracemill.publish import Funnel
from tracemill.publish.funnel import render
from tracemill.quality.filters import Fault
from tracemill.recipe.sections.select import Select
from tracemill.select import Sample, select, source_traces, unsolved
from tracemill.select.selection import Unasked
from tracemill.store import Manifest

PROBLEM = problem("What is one plus one?")
OUTCOMES = st.sampled_from(list(Outcome))


def chosen(
    outcomes: list[Outcome], faults: dict[str, Fault] | None = None, unasked: dict[str, Unasked] | None = None
) -> tuple[list[Sample], list[Dropped]]:
    responses = [response(PROBLEM, str(n), sample_index=n) for n in range(len(outcomes))]
    verdicts = {r.id: verdict(r, outcome) for r, outcome in zip(responses, outcomes, strict=True)}
    return select([PROBLEM], responses, verdicts, faults or {}, unasked or {}, Select())


@given(st.lists(OUTCOMES, max_size=6), st.sets(st.integers(0, 5)))
def test_a_problem_is_published_exactly_when_it_passed(outcomes: list[Outcome], faulty: set[int]) -> None:
    """One response is published if any is correct and without a fault; otherwise the problem is dropped, once."""
    faults = {str(n): Fault("unclosed_think", {}) for n in faulty}
    samples, dropped = chosen(outcomes, faults)
    passing = [n for n, outcome in enumerate(outcomes) if outcome == Outcome.CORRECT and n not in faulty]
    assert (len(samples), len(dropped)) == ((1, 0) if passing else (0, 1))
    if passing:
        assert samples[0].n_correct == outcomes.count(Outcome.CORRECT)


@pytest.mark.parametrize(
    ("outcomes", "stage", "reason"),
    [
        ([Outcome.INCORRECT, Outcome.INCORRECT], "verify", "incorrect"),
        ([Outcome.INCORRECT, Outcome.TIMEOUT], "verify", "timeout"),
        ([Outcome.TIMEOUT, Outcome.UNVERIFIABLE], "verify", "unverifiable"),
        ([Outcome.INCORRECT, Outcome.SANDBOX_ERROR], "verify", "sandbox_error"),
        ([], "distill", "no_response"),
    ],
)
def test_infrastructure_is_never_a_wrong_answer(outcomes: list[Outcome], stage: str, reason: str) -> None:
    """Where not all responses were judged, the problem is not dropped as incorrect."""
    _, dropped = chosen(outcomes)
    assert (dropped[0].stage, dropped[0].reason) == (stage, reason)


def test_a_right_answer_in_bad_form_is_lost_to_quality() -> None:
    """A correct response with a fault is dropped at quality, with the fault as the reason."""
    _, dropped = chosen([Outcome.CORRECT, Outcome.INCORRECT], {"0": Fault("no_think", {"starts": "x"})})
    assert (dropped[0].stage, dropped[0].reason) == ("quality", "no_think")
    assert dropped[0].evidence == {"faults": {"no_think": 1}, "starts": "x"}


@pytest.mark.parametrize(("reason", "stage"), [("refused_by_teacher", "distill"), ("unverifiable", "verify")])
def test_unasked_problems_say_why(reason: str, stage: str) -> None:
    """A problem that was not answered is dropped where that was decided, with the message."""
    _, dropped = chosen([], unasked={PROBLEM.id: Unasked(reason, "why")})
    assert (dropped[0].stage, dropped[0].reason, dropped[0].evidence) == (stage, reason, {"message": "why"})


@pytest.mark.parametrize(("prefer", "expected"), [("first", "b"), ("shortest", "a"), ("longest", "c")])
def test_preference(prefer: str, expected: str) -> None:
    """Among passing responses the recipe's preference decides."""
    responses = [response(PROBLEM, name, answer="x" * n) for name, n in (("b", 5), ("a", 2), ("c", 9))]
    verdicts = {r.id: verdict(r, Outcome.CORRECT) for r in responses}
    samples, _ = select([PROBLEM], responses, verdicts, {}, {}, Select(prefer=prefer))
    assert samples[0].answer == next(r.answer for r in responses if r.id == expected)


@pytest.mark.parametrize(
    ("outcomes", "again"),
    [
        ([], True),
        ([Outcome.INCORRECT], True),
        ([Outcome.TIMEOUT], True),
        ([Outcome.CORRECT], False),
        ([Outcome.INCORRECT, Outcome.CORRECT], False),
        ([Outcome.UNVERIFIABLE], False),
        ([Outcome.SANDBOX_ERROR], False),
    ],
)
def test_resampling(outcomes: list[Outcome], again: bool) -> None:
    """Another sample is worth paying for only while none is correct and answers can be judged."""
    verdicts = [verdict(response(PROBLEM, str(n)), outcome) for n, outcome in enumerate(outcomes)]
    assert unsolved([PROBLEM], verdicts) == ([PROBLEM] if again else [])


def test_source_traces_have_ids_of_their_own() -> None:
    """Every trace of a row is a response, told apart by its text."""
    traces = [{"model": "r1", "think": "t", "answer": text, "fault": None} for text in ("a", "b")]
    found: list[Response] = source_traces(dataclasses.replace(PROBLEM, traces=traces))
    assert [r.answer for r in found] == ["a", "b"]
    assert len({r.id for r in found}) == 2


def manifest(stage: str, rows_in: int, rows_kept: int, **dropped: int) -> Manifest:
    counts = {name.replace("__", "/"): count for name, count in dropped.items()}
    return Manifest(
        stage=stage, version="1", key="", inputs={}, outputs={}, rows_in=rows_in, rows_kept=rows_kept, dropped=counts
    )


def test_funnel_adds_shards_and_ignores_other_units() -> None:
    """The funnel sums the problem stages over shards; stages that count responses are no part of it."""
    funnel = Funnel()
    for _ in range(2):
        funnel.add(
            "a",
            [manifest("collect", 10, 8, collect__malformed=2), manifest("verify", 50, 50), manifest("select", 8, 8)],
        )
    rows = {(row["stage"], row["reason"]): row["rows"] for row in funnel.table().to_pylist()}
    assert rows == {("source", "rows"): 20, ("collect", "malformed"): 4, ("published", "rows"): 16}
    assert "published" in render(funnel.table())


def test_funnel_that_does_not_add_up_is_refused() -> None:
    """A lost row stops the publication."""
    funnel = Funnel()
    funnel.add("a", [manifest("collect", 10, 8), manifest("select", 8, 8)])
    with pytest.raises(ConservationError, match="does not add up"):
        funnel.table()

"""Responses without an answer to judge: what they are called, that they are asked again, and never published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tasks.distill import response_of
from tasks.verify import unjudgeable, verdicts_on
from tests.support.runs.samples import problem, response, verdict
from tracemill.audit.references import gold_attempts
from tracemill.core import Outcome, Response, rows_of, table_of
from tracemill.generate.truncation import joined
from tracemill.ledger import Completion
from tracemill.recipe.sections.distill import Truncation
from tracemill.recipe.sections.judges import Judge, ModelJudged
from tracemill.recipe.sections.label import PassRate
from tracemill.recipe.sections.select import Select
from tracemill.recipe.sections.verify import Verify
from tracemill.select import pairs, select, settled, unsolved
from tracemill.select.difficulty import measured
from tracemill.select.records import Judged
from tracemill.text.missing_answer import VERSION, missing_answer
from verifiers.models.judge import may_be_asked

PROBLEM = problem("What is one plus one?", "2")
RIGHT = r"<think>add</think>It is \boxed{2}."
NONE = (Outcome.NO_ANSWER, Outcome.REFUSED, Outcome.UNFINISHED)


def completion(content: str = RIGHT, finish_reason: str | None = "stop", **changes: Any) -> Completion:
    return replace(Completion("a" * 64, content, None, finish_reason, 3, 5, "m"), **changes)


CASES = [
    (completion(), "correct"),
    (completion(r"\boxed{2}"), "correct"),
    (completion(r"\boxed{3}"), "incorrect"),
    (completion("I'm sorry, I can't help with that."), "incorrect"),
    (completion(""), "no_answer"),
    (completion(" \n"), "no_answer"),
    (completion("", reasoning="add"), "no_answer"),
    (completion("<think>add</think>"), "no_answer"),
    (completion("<think>add</think>\n<answer> </answer>"), "no_answer"),
    (completion("", tool_calls="[{}]"), "no_answer"),
    (completion("", "tool_calls", tool_calls="[{}]"), "no_answer"),
    (completion("Let me compute that.", "tool_calls", tool_calls="[{}]"), "no_answer"),
    (completion("", "function_call"), "no_answer"),
    (completion("", None), "no_answer"),
    (completion("", refusal="I can't help with that."), "refused"),
    (completion(refusal="I can't help with that."), "refused"),
    (completion("", "content_filter"), "refused"),
    (completion(RIGHT, "content_filter"), "refused"),
    (completion("", "SAFETY"), "refused"),
    (completion(RIGHT, None), "unfinished"),
    (completion(r"\boxed{3}", None), "unfinished"),
    (completion("<think>add", None), "unfinished"),
    (completion(RIGHT, "other"), "unfinished"),
    (completion(RIGHT, "eos"), "correct"),
    (completion(RIGHT, "length"), "correct"),
    (completion("<think>add", "length"), "incorrect"),
    (completion("", "length", reasoning="add"), "incorrect"),
    (completion("<think>add"), "incorrect"),
]


def test_outcomes() -> None:
    """What the server says and a blank answer part make a response no answer; a text, and a cut one, is judged."""
    responses = [response_of(PROBLEM, n, said) for n, (said, _) in enumerate(CASES)]
    found = verdicts_on([PROBLEM], responses, Verify(workers=1))
    assert [(said, one.outcome) for (said, _), one in zip(CASES, found, strict=True)] == CASES
    for one in found:
        assert (one.verifier == VERSION) == (one.outcome in NONE)
        assert one.outcome not in NONE or (one.score is None and one.detail)


def test_why_is_said() -> None:
    """The detail has the model's own words, or the server's."""
    found = missing_answer(response_of(PROBLEM, 0, completion("", refusal="I can't help with that.")))
    assert found is not None
    assert found.detail == "the model refused: I can't help with that."
    filtered = missing_answer(response_of(PROBLEM, 0, completion("", "content_filter")))
    assert filtered is not None
    assert "finish_reason content_filter" in filtered.detail


@pytest.mark.parametrize("category", ["math", "choice", "code", "instruction", "other"])
def test_whatever_judges(category: str) -> None:
    """No answer is none for every verifier, also for constraints that an empty text might satisfy."""
    asked = replace(PROBLEM, category=category, constraints=[{"id": "punctuation:no_comma", "kwargs": {}}])
    [found] = verdicts_on([asked], [response_of(asked, 0, completion(""))], Verify(workers=1))
    assert found.outcome == Outcome.NO_ANSWER


def test_traces_of_sources_have_no_finish_reason() -> None:
    """A trace that came with a row is judged although nobody says how it ended; a blank one is no answer."""
    assert missing_answer(response(PROBLEM, "a", origin="source", finish_reason=None)) is None
    blank = missing_answer(response(PROBLEM, "a", origin="source", finish_reason=None, answer=" "))
    assert blank is not None
    assert blank.outcome == Outcome.NO_ANSWER


def test_problems_that_can_be_judged_are_asked() -> None:
    """Whether an answer to a problem could be judged is found as before."""
    assert unjudgeable([PROBLEM], Verify(workers=1), ModelJudged()) == {}
    assert list(unjudgeable([replace(PROBLEM, reference_answer=None)], Verify(workers=1), ModelJudged())) == [
        PROBLEM.id
    ]


@pytest.mark.parametrize("outcome", NONE)
def test_they_are_asked_again_and_never_published(outcome: Outcome) -> None:
    """A problem with no answer yet is asked again; it is dropped by that name, and never half of a pair."""
    given = [response(PROBLEM, "a"), response(PROBLEM, "b")]
    verdicts = {"a": verdict(given[0], outcome), "b": verdict(given[1], outcome)}
    assert unsolved([PROBLEM], verdicts.values()) == [PROBLEM]
    samples, [lost] = select([PROBLEM], given, verdicts, {}, {}, Select())
    assert (samples, lost.stage, lost.reason) == ([], "verify", outcome)
    verdicts["b"] = verdict(given[1], Outcome.CORRECT)
    [sample], _ = select([PROBLEM], given, verdicts, {}, {}, Select())
    assert (sample.response_id, sample.n_correct, sample.n_judged) == ("b", 1, 1)
    assert list(pairs([PROBLEM], Judged(given, verdicts, {}, frozenset("b")), 2)) == []
    assert measured(given, verdicts, PassRate(min_samples=2)).pass_rate is None


@pytest.mark.parametrize("outcome", NONE)
def test_a_problem_that_was_not_answered_is_not_called_wrong(outcome: Outcome) -> None:
    """Where one response was judged wrong and another was no answer, the latter tells why the problem was lost."""
    given = [response(PROBLEM, "a"), response(PROBLEM, "b")]
    verdicts = {"a": verdict(given[0], Outcome.INCORRECT), "b": verdict(given[1], outcome)}
    _, [lost] = select([PROBLEM], given, verdicts, {}, {}, Select())
    assert lost.reason == outcome


@pytest.mark.parametrize("outcome", NONE)
def test_no_model_makes_an_answer_of_it(outcome: Outcome) -> None:
    """A judge is not asked about what is no answer, and what one said of it does not count."""
    rule = verdict(response(PROBLEM, "a"), outcome)
    judge = Judge.model_validate({"model": "j", "base_urls": ["http://x/v1"]})
    assert not may_be_asked(PROBLEM, response(PROBLEM, "a"), rule, judge)
    rescued = replace(rule, outcome=Outcome.CORRECT, verifier="judge-equivalence@1")
    assert settled([rescued, rule]) == rule


def test_what_a_continuation_says_counts_for_the_whole() -> None:
    """A response that was continued ends as its last piece does: refused, called, or not known to be done."""
    rules = Truncation(policy="continue", max_tokens=9)
    first = completion("<think>add", "length")
    refused = joined([first, completion("", refusal="no")], rules)
    assert missing_answer(response_of(PROBLEM, 0, refused)) is not None
    assert refused.refusal == "no"
    silent = joined([first, completion(r"</think>\boxed{2}", None)], rules)
    assert [one.outcome for one in [missing_answer(response_of(PROBLEM, 0, silent))] if one] == [Outcome.UNFINISHED]


def test_responses_of_earlier_stores_are_read() -> None:
    """A table of responses that was written before they had a column for refusals is read as having none."""
    written = table_of(Response, [response(PROBLEM, "a")])
    assert list(rows_of(Response, written.drop_columns(["refusal"]))) == [response(PROBLEM, "a")]


def test_an_attempt_made_of_a_reference_is_judged_also_where_it_is_blank() -> None:
    """Whether constraints are known is found by a blank attempt, which is no model's and not called no answer."""
    asked = replace(PROBLEM, category="instruction", constraints=[{"id": "punctuation:no_comma", "kwargs": {}}])
    _, _, attempts = gold_attempts([asked])
    [found] = verdicts_on([asked], attempts, Verify(workers=1))
    assert found.outcome == Outcome.INCORRECT

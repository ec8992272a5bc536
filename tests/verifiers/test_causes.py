"""Whose fault it is that nothing is said about an answer: on every path of every verifier, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from tasks.verify import is_for_models, unjudgeable
from tests.support.programs.fake_session import ECHO, FINE, LIMITS, STOPPED, FakeSession
from tests.support.runs.samples import problem
from tracemill.audit.references import status_of
from tracemill.core import Cause, Outcome, Verdict, rows_of, table_of
from tracemill.inference import Refusal
from tracemill.ledger import Completion
from tracemill.recipe.sections.judges import Judge, ModelJudged, Rubric
from tracemill.recipe.sections.verify import CodeTests, Verify
from tracemill.select import unsolved
from verifiers import Attempt, VerifierSet, verify
from verifiers.maths.verifier import MathVerifier, judge
from verifiers.models.judge import equivalence_verdict
from verifiers.models.rubric import RubricScorer
from verifiers.models.scores import score_verdict
from verifiers.programs.judges import read_reports
from verifiers.programs.results import CaseResult, Code
from verifiers.programs.verifier import Judged, conclude
from verifiers.protocol import VerifierResources
from verifiers.rows import BadRow, read_row, refusal, verdict_line
from verifiers.sandbox.protocol import NoSandbox, Run
from verifiers.workers.pool import Crashed, TimedOut

LINES = "Which is largest?\nA. a mouse\nB. a whale\nC. a cat\nD. 12 cm"
TWINS = "Which?\nA) red\nB) blue\nC) blue"
GERMAN = [{"id": "language:response_language", "kwargs": {"language": "de"}}]


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1), sandbox=NoSandbox("none")) as verifier_set:
        yield verifier_set


def attempt(category: str, prompt: str, answer: str, reference: str | None = None, **more: Any) -> Attempt:
    return Attempt("r", category, prompt, answer, reference_answer=reference, **more)


def stdio(*cases: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"kind": "stdio", "cases": [{"stdin": given, "stdout": said} for given, said in cases], **more}


PATHS = [
    # mathematics: the reference
    (attempt("math", "?", r"\boxed{5}", None), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "proof"), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", r"\boxed{}"), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", r"\boxed{5"), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "1" * 3000), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "It is prime. So there is none."), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "All integers that are not divisible by any smaller prime"), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "???"), Cause.REFERENCE),
    (attempt("math", "?", r"\boxed{5}", "1/0"), Cause.REFERENCE),
    (attempt("math", "?", "", "proof"), Cause.REFERENCE),  # both are at fault: another answer would not help
    # mathematics: the response
    (attempt("math", "?", r"\boxed{???}", "5"), Cause.RESPONSE),
    (attempt("math", "?", rf"\boxed{{{'1' * 3000}}}", "5"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{5\text{ kg}}", r"5\text{ cm}"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{\$18}", "€18"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{2x+3=7}", "7"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{\emptyset}", r"\text{no solution}"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{CBA}", "ABC"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{(C)\ 5}", r"\textbf{(B)}\ 5"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{\frac{1}{2^{98}}}", r"\frac{1}{2^{99}}"), Cause.RESPONSE),
    (attempt("math", "?", "There are either 4 or 5 of them.", "4"), Cause.RESPONSE),
    (attempt("math", "?", r"\boxed{5\text{ is wrong}}", "5"), Cause.RESPONSE),
    # choices: the reference
    (attempt("choice", LINES, r"\boxed{B}", None), Cause.REFERENCE),
    (attempt("choice", LINES, r"\boxed{B}", "notfound"), Cause.REFERENCE),
    (attempt("choice", LINES, r"\boxed{B}", "H"), Cause.REFERENCE),
    (attempt("choice", TWINS, r"\boxed{B}", "blue"), Cause.REFERENCE),
    (attempt("choice", LINES, r"\boxed{B}", "an elephant"), Cause.REFERENCE),
    (attempt("choice", LINES, "B", "what one takes for large is a matter of how that is measured here and now"),
     Cause.REFERENCE),
    # choices: the response
    (attempt("choice", LINES, "The answer is A or B.", "B"), Cause.RESPONSE),
    (attempt("choice", LINES, r"\boxed{A or B}", "B"), Cause.RESPONSE),
    (attempt("choice", LINES, "I am not sure.", "B"), Cause.RESPONSE),
    (attempt("choice", LINES, r"\boxed{an elephant}", "B"), Cause.RESPONSE),
    (attempt("choice", LINES, r"\boxed{B. a cat}", "B"), Cause.RESPONSE),
    (attempt("choice", TWINS, r"\boxed{blue}", "B"), Cause.RESPONSE),
    (attempt("choice", LINES, "The answer is A. No: the answer is B.", "B"), Cause.RESPONSE),
    (attempt("choice", "Which one?", r"\boxed{the second}", "B"), Cause.RESPONSE),
    (attempt("choice", "Which one?", r"\boxed{B}", "the second"), Cause.RESPONSE),
    # instructions
    (attempt("instruction", "?", "yes", constraints=None), Cause.REFERENCE),
    (attempt("instruction", "?", "yes", constraints=[{"id": "no:such", "kwargs": {}}]), Cause.REFERENCE),
    (attempt("instruction", "?", "yes", constraints=[{"id": "punctuation:no_comma", "kwargs": [1]}]), Cause.REFERENCE),
    (attempt("instruction", "?", "12345 67890", constraints=GERMAN), Cause.RESPONSE),
    # programs
    (attempt("code", "?", "", tests=None), Cause.REFERENCE),
    (attempt("code", "?", "```python\n1\n```", tests={"kind": "stdio", "cases": []}), Cause.REFERENCE),
    (attempt("code", "?", "```python\n1\n```", tests=stdio(("", "1"), language="cobol")), Cause.REFERENCE),
    # nothing to judge by
    (attempt("other", "?", "5", "5"), Cause.REFERENCE),
]  # fmt: skip


@pytest.mark.parametrize(("given", "cause"), PATHS, ids=lambda value: getattr(value, "answer", value))
def test_the_cause_of_an_unverifiable(given: Attempt, cause: Cause, verifier_set: VerifierSet) -> None:
    """Every way to be unverifiable says whether the reference or the response is at fault."""
    [found] = verify([given], verifier_set)
    assert (found.outcome, found.cause) == (Outcome.UNVERIFIABLE, cause), found.detail


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (attempt("math", "?", "", "5"), "incorrect"),
        (attempt("math", "?", "I am not sure.", "5"), "incorrect"),
        (attempt("math", "?", r"\boxed{5}", "5"), "correct"),
        (attempt("choice", LINES, "", "B"), "incorrect"),
        (attempt("code", "?", "```python\n1", tests=stdio(("", "1"))), "incorrect"),
        (attempt("code", "?", "```cpp\n1\n```", tests=stdio(("", "1"))), "incorrect"),
        (attempt("code", "?", "```python\n1\n```", tests=stdio(("", "1"))), "sandbox_error"),
        (attempt("instruction", "?", "", constraints=GERMAN), "incorrect"),
    ],
)
def test_other_outcomes_have_no_cause(given: Attempt, outcome: str, verifier_set: VerifierSet) -> None:
    """What is judged, or failed in the sandbox, names no cause; no answer at all is wrong, as before."""
    [found] = verify([given], verifier_set)
    assert (found.outcome, found.cause) == (outcome, None)


class StubPool:
    """A pool whose every job ends in the same way."""

    def __init__(self, result: object) -> None:
        self.result = result

    def submit(self, *_: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self.result)
        return future


@pytest.mark.parametrize("category", ["math", "instruction"])
@pytest.mark.parametrize(
    ("result", "outcome"), [(TimedOut(10.0), "timeout"), (Crashed("out of memory"), "unverifiable")]
)
def test_limits_of_a_verifier_are_its_own(category: str, result: object, outcome: str) -> None:
    """A worker that ran out of time or memory is the verifier's fault, not the answer's."""
    given = attempt(category, "?", r"\boxed{\sqrt{2x}}", r"\sqrt{8}", constraints=GERMAN)
    with VerifierSet(Verify(workers=1), sandbox=NoSandbox("none")) as verifier_set:
        verifier_set._resources = VerifierResources(StubPool(result), NoSandbox("none"))  # type: ignore[arg-type]
        [found] = verify([given], verifier_set)
    assert (found.outcome, found.cause) == (outcome, Cause.VERIFIER)


def test_a_verifier_that_breaks_is_at_fault(monkeypatch: pytest.MonkeyPatch, verifier_set: VerifierSet) -> None:
    """An error of our own code blames neither reference nor response."""
    monkeypatch.setattr(MathVerifier, "begin", lambda *_: 1 / 0)
    [found] = verify([attempt("math", "?", r"\boxed{5}", "5")], verifier_set)
    assert (found.outcome, found.cause) == (Outcome.UNVERIFIABLE, Cause.VERIFIER)


def test_a_comparison_that_fails_is_the_verifiers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the comparison of two readable sides raises, nothing is held against either."""
    from verifiers.maths import symbolic

    def fails(*_: object) -> None:
        raise TypeError

    monkeypatch.setattr(symbolic, "_equal_sides", fails)
    found = judge(r"\boxed{x+y=2}", "x+y=1")
    assert (found.outcome, found.cause) == (Outcome.UNVERIFIABLE, Cause.VERIFIER)


@pytest.mark.parametrize(
    ("results", "outcome", "cause"),
    [
        ([CaseResult(Code.AC), CaseResult(Code.IE, cause=Cause.REFERENCE)], "unverifiable", Cause.REFERENCE),
        ([CaseResult(Code.AC), CaseResult(Code.IE, cause=Cause.VERIFIER)], "unverifiable", Cause.VERIFIER),
        (
            [CaseResult(Code.IE, cause=Cause.VERIFIER), CaseResult(Code.IE, cause=Cause.REFERENCE)],
            "unverifiable",
            Cause.REFERENCE,
        ),
        ([CaseResult(Code.AC), CaseResult(Code.NOT_RUN)], "timeout", Cause.VERIFIER),
        ([CaseResult(Code.WA), CaseResult(Code.IE, cause=Cause.REFERENCE)], "incorrect", None),
        ([CaseResult(Code.AC)], "correct", None),
    ],
)
def test_the_cause_of_a_verdict_on_a_program(results: list[CaseResult], outcome: str, cause: Cause | None) -> None:
    """Broken tests are the reference's fault, tests that we could not run to their end are ours."""
    found = conclude(Judged(results, "image"), "p", CodeTests())
    assert (found.outcome, found.cause) == (outcome, cause)


@pytest.mark.parametrize(
    ("tester", "reports", "cause"),
    [
        (FINE, [{"invalid": "no tests"}, {"end": True}], Cause.REFERENCE),
        (FINE, [], Cause.REFERENCE),  # they broke off by themselves
        (replace(FINE, stopped="wall"), [], Cause.VERIFIER),
        (replace(FINE, stopped="cpu"), [], Cause.VERIFIER),
        (replace(FINE, out_of_memory=True), [], Cause.VERIFIER),
    ],
)
def test_why_tests_did_not_run(tester: Run, reports: list[dict[str, Any]], cause: Cause) -> None:
    """Tests that are broken are at fault; tests that we stopped at a limit are not."""
    [found] = read_reports(STOPPED, tester, reports, LIMITS)
    assert (found.code, found.cause) == (Code.IE, cause)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"{not json", "reference"),
        (b'{"id": "x", "category": "math"}', "response"),
        (b'{"id": "x", "category": "math", "response": 5}', "response"),
        (b'{"id": "x", "category": "poetry", "response": "5"}', "reference"),
        (b'{"id": "x", "category": "math", "response": "5", "reference_answer": 5}', "reference"),
        (b'{"id": "x", "category": "code", "response": "5", "tests": []}', "reference"),
    ],
)
def test_bad_rows_name_their_cause(line: bytes, cause: str) -> None:
    """A line that cannot be judged for want of a response says so; anything else that is missing judges nothing."""
    row_id, row = read_row(line)
    assert isinstance(row, BadRow)
    assert refusal(row_id, row)["cause"] == cause


def test_lines_and_tables_carry_the_cause() -> None:
    """The output of the command and the table of verdicts hold it; a table from before has none, and is read."""
    verdict = Verdict("r", "p", "timeout", None, "math@8", None, "slow", None, "verifier")
    assert verdict_line("r", verdict)["cause"] == "verifier"
    table = table_of(Verdict, [verdict])
    assert list(rows_of(Verdict, table)) == [verdict]
    assert [old.cause for old in rows_of(Verdict, table.drop_columns(["cause"]))] == [None]
    with pytest.raises(KeyError, match="outcome"):
        list(rows_of(Verdict, table.drop_columns(["outcome"])))


@pytest.mark.parametrize("answer", [Refusal("k", 400, "too long"), "perhaps"])
def test_a_model_that_cannot_judge_is_at_fault(answer: Refusal | str) -> None:
    """A judge or rubric that was not heard, or not understood, says nothing of the answer."""
    given = Completion("k", answer, None, "stop", 1, 1, "m") if isinstance(answer, str) else answer
    rule = Verdict("r", "p", Outcome.UNVERIFIABLE, None, "none@1", None, "", cause=Cause.REFERENCE)
    judged = equivalence_verdict(rule, given, Judge(model="m", base_urls=("http://a/v1",)))
    scorer = RubricScorer(Rubric(model="m", base_urls=("http://a/v1",), threshold=0.5))
    for found in (judged, score_verdict(rule, given, scorer, 0.5)):
        assert (found.outcome, found.cause) == (Outcome.UNVERIFIABLE, Cause.VERIFIER)


PROBLEM = problem("What is one plus one?")


def said(outcome: Outcome, cause: Cause | None, name: str = "0") -> Verdict:
    return Verdict(name, PROBLEM.id, outcome, None, "math@8", None, "", cause=cause)


@pytest.mark.parametrize(
    ("outcome", "cause", "again"),
    [
        (Outcome.UNVERIFIABLE, Cause.RESPONSE, True),
        (Outcome.UNVERIFIABLE, Cause.VERIFIER, True),
        (Outcome.UNVERIFIABLE, Cause.REFERENCE, False),
        (Outcome.UNVERIFIABLE, None, False),  # a verdict from before causes were told apart
        (Outcome.TIMEOUT, Cause.VERIFIER, True),
        (Outcome.TIMEOUT, None, True),
        (Outcome.INCORRECT, None, True),
        (Outcome.CORRECT, None, False),
        (Outcome.SANDBOX_ERROR, None, False),
    ],
)
def test_only_the_reference_closes_a_problem(outcome: Outcome, cause: Cause | None, again: bool) -> None:
    """An unreadable response and a limit of ours are asked again like a wrong answer; an unusable reference is not."""
    assert unsolved([PROBLEM], [said(outcome, cause)]) == ([PROBLEM] if again else [])
    both = [said(outcome, cause), said(Outcome.CORRECT, None, "1")]
    assert unsolved([PROBLEM], both) == []


def test_what_models_can_judge_is_not_closed_by_a_rule() -> None:
    """Where a judge or scores decide, a rule without a usable reference closes nothing; a correct answer still does."""
    beyond = said(Outcome.UNVERIFIABLE, Cause.REFERENCE)
    assert unsolved([PROBLEM], [beyond], {PROBLEM.id}) == [PROBLEM]
    judge_says = Verdict("0", PROBLEM.id, Outcome.CORRECT, 1.0, "judge-equivalence@1", None, "")
    assert unsolved([PROBLEM], [beyond, judge_says], {PROBLEM.id}) == []
    unheard = Verdict("0", PROBLEM.id, Outcome.UNVERIFIABLE, None, "judge-equivalence@1", None, "", cause="verifier")
    assert unsolved([PROBLEM], [beyond, unheard], {PROBLEM.id}) == [PROBLEM]


def test_problems_that_are_worth_asking_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a reference that cannot be used keeps a problem from the teacher, never a verifier that broke."""
    prose = problem("Why?", "Because all integers that are odd are not even.")
    assert set(unjudgeable([PROBLEM, prose], Verify(workers=1), ModelJudged())) == {prose.id}
    assert is_for_models(prose, ModelJudged(compared=("math",)))
    assert unjudgeable([prose], Verify(workers=1), ModelJudged(compared=("math",))) == {}
    monkeypatch.setattr(MathVerifier, "begin", lambda *_: 1 / 0)
    assert unjudgeable([PROBLEM], Verify(workers=1), ModelJudged()) == {}


def test_a_verifier_that_broke_says_nothing_of_a_reference() -> None:
    """A gold answer that our verifier could not judge is not checked; one that was called unusable is bad."""
    row = {"category": "math", "outcome": "unverifiable", "verifier": "math@8"}
    assert status_of(row | {"cause": "verifier"}) == "not_checked"
    assert status_of(row | {"cause": "reference"}) == status_of(row) == "bad"


def test_tests_that_run_into_our_limits_are_not_at_fault() -> None:
    """A budget that is spent is a time-out of the verifier's."""
    from verifiers.programs.cases import read_tests
    from verifiers.programs.verifier import run_tests

    tests = read_tests(stdio(("1", "1"), ("2", "2")))
    found = conclude(run_tests(FakeSession(wall_s=2), ECHO, tests, CodeTests(budget_s=1)), ECHO, CodeTests())
    assert (found.outcome, found.cause) == (Outcome.TIMEOUT, Cause.VERIFIER), json.dumps(found.detail)

"""Judging programs, without a sandbox: what is extracted, compared, read and concluded."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.programs.fake_session import ECHO, FINE, LIMITS, STOPPED, FakeSession
from tracemill.core import Cause, Verdict
from tracemill.recipe.sections.verify import CodeTests, Verify
from tracemill.text.think import UNCLOSED_THINK
from verifiers import Attempt, VerifierSet, verify
from verifiers.programs.absent import unless_absent
from verifiers.programs.cases import InvalidTests, read_tests
from verifiers.programs.judges import read_reports
from verifiers.programs.output_comparison import why_different
from verifiers.programs.results import CaseResult, Code, fault_of
from verifiers.programs.text import program_in
from verifiers.programs.value_comparison import same_value, shown
from verifiers.programs.verifier import Judged, conclude, run_tests
from verifiers.sandbox.inside.crossing.values import Malformed, encode
from verifiers.sandbox.protocol import NoSandbox, Run, SandboxFailure, Session

T = TypeVar("T")
DEEP: list[Any] = json.loads("[" * 500 + "]" * 500)


@pytest.mark.parametrize(
    ("package", "code", "cause"),
    [("requests", Code.IE, Cause.VERIFIER), ("sklearn.svm", Code.IE, Cause.VERIFIER), ("magicsolver", Code.RE, None)],
)
def test_a_known_package_that_is_absent_is_our_limit(package: str, code: Code, cause: Cause | None) -> None:
    """A program that imports a well-known package which the image lacks is not wrong; an invented one is an error."""
    told = CaseResult(Code.RE, f"exit status 1: ModuleNotFoundError: No module named '{package}'", 0.5)
    [result] = unless_absent([told])
    assert (result.code, result.cause) == (code, cause)
    assert package.partition(".")[0] in result.detail


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        ("```python\na\n```", "a\n"),
        ("```Python\na\n```", "a\n"),
        ("```py\na\n```", "a\n"),
        ("```python3 title=x\na\n```", "a\n"),
        ("``` python\na\n```", "a\n"),
        ("~~~python\na\n~~~", "a\n"),
        ("````python\na\n```\nb\n````", "a\n```\nb\n"),
        ("  ```python\n  a\n  ```", "a\n"),
        ("```python\na\n```\nor better\n```python\nb\n```", "b\n"),
        ("```python\na\n```\nprints\n```\n42\n```", "a\n"),
        ("```\na\n```", "a\n"),
        ("```cpp\nx\n```\n```python\na\n```\n```bash\npip\n```", "a\n"),
        ("```python\ndef f(): pass\n```\nUse it:\n```python\nprint(f())\n```", "def f(): pass\n"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ("```cpp\na\n```", None),
        ("```python\na", None),
        ("print(1)", None),
        ("", None),
    ],
)
def test_which_block_is_the_program(answer: str, program: str | None) -> None:
    """The last closed block of the language, or of those the last that defines the entry point; else an unnamed one."""
    assert program_in(answer, "python", "f") == program


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (b"1\n2\n", b"1\n2\n", True),
        (b"1\n2\n", b"1\r\n2\r\n", True),
        (b"1\n2\n", b"1  \n2", True),
        (b"1\n2\n", b"1\n\n2\n\n", True),
        (b"a b\n", b"a  b\n", True),
        (b"1\n2\n3\n", b"1\n", False),
        (b"1\n", b"1\n2\n", False),
        (b"1 2\n", b"1\n2\n", False),
        (b"abc\n", b"ABC\n", False),
        (b"YES\n", b"yes\n", True),
        (b"100000000000000000\n", b"100000000000000001\n", False),
        (b"2\n", b"2.0\n", True),
        (b"-0\n", b"0.000\n", True),
        (b"2\n", b"2.0000001\n", False),
        (b"2 0.5\n", b"2.0000001 0.5\n", True),
        (b"2 0.5\n", b"3 0.5\n", False),
        (b"1000\n", b"1e3\n", True),
        (b"1000\n", b"1e99999999999999999999\n", False),
        (b"2\n", b"02\n", False),
        (b"2.0\n", b"2\n", True),
        (b"a2\n", b"a2.0\n", False),
        (b"0.5\n", b"0.5000001\n", True),
        (b"0.5\n", b"0.6\n", False),
        (b"1e3\n", b"1000\n", True),
        (b"0.5 0.25\n", b"0.5000001 0.2500001\n", True),
        (b"1000000.5\n", b"1000000.0\n", True),
        (b"nan\n", b"NaN\n", False),
        (b"0.5\n", b"nan\n", False),
        (b"1000\n", b"1_000\n", False),
        (b"\xff\n", b"\xff\n", True),
        (b"\xff\n", b"\xfe\n", False),
        (b"", b"", True),
        (b"", b" \n", True),
        (b"", b"0\n", False),
    ],
)
def test_outputs(expected: bytes, got: bytes, same: bool) -> None:
    """White space, line ends and the last digits of floats are forgiven; integers, lines and letters are exact."""
    assert (why_different(expected, got, 1e-6) is None) is same


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ([1, [2]], (1, (2,)), True),
        ({"1": 2}, {1: 2}, True),
        ({"true": 1}, {True: 1}, True),
        (2, 2.0, True),
        (0.3, 0.1 + 0.2, True),
        (0.3, 0.4, False),
        (1, True, False),
        (True, 1, False),
        (None, None, True),
        (None, 0, False),
        ("1", 1, False),
        ([1, 2], {1, 2}, False),
        ([[1, 2]], [1, 2], False),
        (float("nan"), float("nan"), False),
        (float("inf"), float("inf"), True),
        (float("inf"), float("-inf"), False),
        (float("inf"), 1e308, False),
        ([10**5000], [10**5000], True),
        ([10**5000], [10**5000 + 1], False),
        (json.loads("[" * 200 + "]" * 200), json.loads("[" * 200 + "]" * 200), True),
        (json.loads("[" * 200 + "]" * 200), json.loads("[" * 199 + "]" * 199), False),
        ([], [], True),
        ({"a": [1, {"b": 2.5}]}, {"a": (1, {"b": 2.5000000001})}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_values(expected: Any, got: Any, same: bool) -> None:
    """Values are compared as JSON has them, with nothing taken for something else."""
    assert same_value(expected, encode(got), 1e-6) is same


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (None, "kind of tests is 'NoneType'"),
        ({"kind": "magic"}, "kind of tests is 'magic'; expected: one of stdio"),
        ({"kind": "stdio", "cases": []}, "there are no stdio tests"),
        ({"kind": "stdio", "cases": "x"}, "cases is not a list"),
        ({"kind": "stdio", "cases": [{"stdin": "1"}]}, "stdout of test 1 is NoneType; expected: text"),
        ({"kind": "stdio", "language": "cobol", "cases": [{"stdout": "1"}]}, "language of stdio tests is 'cobol'"),
        ({"kind": "call", "entry_point": "f", "language": "cpp", "cases": []}, "language of call tests is 'cpp'"),
        ({"kind": "call", "cases": [{"args": [], "expected": 1}]}, "name no entry_point"),
        ({"kind": "call", "entry_point": "f", "cases": [{"args": []}]}, "test 1 is not laid out"),
        ({"kind": "assert", "asserts": "assert 1"}, "not laid out as setup, asserts"),
        ({"kind": "script", "code": " "}, "hold no code"),
        ({"kind": "script", "entry_point": ["f"], "code": "def check(f): assert f()"}, r"entry_point is \['f'\]"),
        ({"kind": "call", "entry_point": "f(", "cases": [{"args": [], "expected": 1}]}, r"entry_point is 'f\('"),
        (
            {"kind": "call", "entry_point": "f", "cases": [{"args": [DEEP], "expected": 1}]},
            "values of test 1 cannot be",
        ),
        ({"kind": "call", "entry_point": "f", "cases": [{"args": [], "expected": [float("nan")]}]}, "values of test 1"),
        (
            {"kind": "stdio", "time_limit_s": 0, "cases": [{"stdout": ""}]},
            "time_limit_s is 0; expected: a number above",
        ),
        ({"kind": "stdio", "memory_limit_mb": "1G", "cases": [{"stdout": ""}]}, "memory_limit_mb is '1G'"),
    ],
)
def test_bad_tests_are_the_problems_fault(tests: object, message: str) -> None:
    """Tests that are none, or not laid out as they should be, are refused with what, got and expected."""
    with pytest.raises(InvalidTests, match=message):
        read_tests(tests)


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        (FINE, None, ""),
        (replace(FINE, status=1, stderr="Traceback\nValueError: x"), Code.RE, "exit status 1: ValueError: x"),
        (replace(FINE, signal=signal.SIGSEGV), Code.RE, "ended by SIGSEGV"),
        (replace(FINE, stopped="cpu", signal=9), Code.TLE, "more than 1 s of CPU time"),
        (replace(FINE, cpu_s=1.5), Code.TLE, "CPU time"),
        (replace(FINE, signal=signal.SIGXCPU), Code.TLE, "CPU time"),
        (replace(FINE, stopped="wall", signal=9, wall_s=3), Code.TLE, "not done after 3 s"),
        (replace(FINE, stopped="wall", signal=9, wall_s=3, waited_s=0.2), Code.TLE, "not done after 3 s"),
        (replace(FINE, stopped="wall", signal=9, wall_s=3, waited_s=2), Code.NOT_RUN, "the machine is busy"),
        (replace(FINE, stopped="wall", signal=9, wall_s=3, cpu_s=0.9), Code.NOT_RUN, "the machine is busy"),
        (replace(FINE, stopped="output", signal=9), Code.OLE, "more than 1 MB of output"),
        (replace(FINE, out_of_memory=True, signal=9), Code.MLE, "more than 64 MB"),
        (replace(FINE, out_of_memory=True, stopped="cpu", signal=9), Code.TLE, ""),
    ],
)
def test_how_a_process_ended(run: Run, code: Code | None, words: str) -> None:
    """Time, memory, output and exit fail a test, in this order, whatever was printed."""
    fault = fault_of(run, LIMITS)
    assert (fault and fault.code) == code
    assert words in (fault.detail if fault else "")


def results(*codes: str) -> Judged:
    return Judged([CaseResult(Code(code)) for code in codes], "image x")


@pytest.mark.parametrize(
    ("codes", "settings", "outcome", "score"),
    [
        ("AC AC", CodeTests(), "correct", 1.0),
        ("AC WA", CodeTests(), "incorrect", 0.5),
        ("CE CE", CodeTests(), "incorrect", 0.0),
        ("AC AC AC WA", CodeTests(pass_mark=0.7), "correct", 0.75),
        ("AC WA WA WA", CodeTests(pass_mark=0.7), "incorrect", 0.25),
        ("AC IE", CodeTests(), "unverifiable", None),
        ("WA IE", CodeTests(), "incorrect", 0.0),
        ("AC NOT_RUN", CodeTests(), "timeout", None),
        ("TLE NOT_RUN", CodeTests(), "incorrect", 0.0),
        ("WA NOT_RUN NOT_RUN", CodeTests(stop_at_first_failure=True, pass_mark=0.5), "incorrect", 0.0),
        ("AC AC IE", CodeTests(pass_mark=0.5), "unverifiable", None),
    ],
)
def test_the_verdict_on_a_program(codes: str, settings: CodeTests, outcome: str, score: float | None) -> None:
    """The pass rate decides; a test at fault or not run says neither right nor wrong, unless others decide."""
    found = conclude(results(*codes.split()), "p", settings)
    assert (found.outcome, found.score, found.provenance) == (outcome, score, "image x")
    assert codes in found.detail


def test_a_failed_sandbox_is_no_wrong_answer() -> None:
    """Where no container could do the work there is no score, and the reason is the detail."""
    found = conclude(SandboxFailure("no engine; start one"), "p", CodeTests())
    assert (found.outcome, found.score, found.detail) == ("sandbox_error", None, "no engine; start one")


WRONG = {"kind": "stdio", "cases": [{"stdin": str(n), "stdout": "0"} for n in range(6)]}


def codes_of(session: Session, tests: dict[str, Any], **settings: Any) -> str:
    return " ".join(result.code for result in run_tests(session, "p", read_tests(tests), CodeTests(**settings)).results)


def test_how_many_tests_are_run() -> None:
    """All of them, or the first so many, or as many as the first failure or the budget leaves."""
    assert codes_of(FakeSession(), ECHO) == "AC AC AC AC AC AC"
    assert codes_of(FakeSession(), ECHO, first_tests=2) == "AC AC"
    assert codes_of(FakeSession(), WRONG, stop_at_first_failure=True) == "AC WA NOT_RUN NOT_RUN NOT_RUN NOT_RUN"
    assert codes_of(FakeSession(wall_s=2), ECHO, budget_s=3) == "AC AC NOT_RUN NOT_RUN NOT_RUN NOT_RUN"
    session = FakeSession(compiles=False)
    assert codes_of(session, ECHO) == "CE CE CE CE CE CE"
    assert session.n_runs == 0


def test_a_starved_program_gets_a_second_chance() -> None:
    """A program that the clock stopped while it was at work is run once more, alone; one that slept is not."""
    starved = replace(FINE, stopped="wall", wall_s=3, cpu_s=0.9, signal=9)
    once = FakeSession(runs=[starved])
    assert codes_of(once, ECHO, first_tests=1) == "AC"
    assert once.n_alone == 1
    assert codes_of(FakeSession(runs=[starved, starved]), ECHO, first_tests=1) == "NOT_RUN"
    waiting = FakeSession(runs=[replace(starved, cpu_s=0.01, waited_s=2.5)])
    assert codes_of(waiting, ECHO, first_tests=1) == "AC"
    asleep = FakeSession(runs=[replace(starved, cpu_s=0.01)])
    assert codes_of(asleep, ECHO, first_tests=1) == "TLE"
    assert asleep.n_runs == 1


HASHED_ALIKE = [["int", hex((2**61 - 1) * n)] for n in range(2**17, 2**17 + 200_000)]


@pytest.mark.parametrize(
    "crossed",
    [
        ["dict", [[number, 1] for number in HASHED_ALIKE]],
        ["set", HASHED_ALIKE],
        ["fraction", "1e999999999"],
        ["dict", [[["int", hex(10**5000)], 1]]],
        ["range", "0x0", "0xffffffffffffffffffff", "0x1"],
    ],
)
def test_a_hostile_value_costs_nothing(crossed: Any) -> None:
    """What a program has written in place of a value is another value, and takes no time to see."""
    assert not same_value({"1": 1}, crossed, 1e-6)
    assert not same_value([1], crossed, 1e-6)
    assert shown(crossed)


@pytest.mark.parametrize("crossed", [["list"], [], ["dict", 5], ["float", 5], ["dict", [[1]]], ["int", "x"]])
def test_a_value_that_is_none_is_malformed(crossed: Any) -> None:
    """What is no encoded value is said to be none, and breaks nothing."""
    expected: Any = {"1": 1} if "dict" in crossed else [1] if "list" in crossed else 1
    with pytest.raises(Malformed):
        same_value(expected, crossed, 1e-6)


def test_long_lines_take_no_time() -> None:
    """Fences and numbers of a megabyte, made to be read again and again, are read once."""
    n = 1_000_000
    assert program_in("~" * n + "`", "python") is None
    assert program_in("```" + "a" * n + "`", "python") is None
    assert why_different(b"1.5", b"1" * n + b"x", 1e-6)


END = {"end": True, "n_tests": 1}
PASS = {"test": "t", "outcome": "pass", "detail": ""}


@pytest.mark.parametrize(
    ("program", "reports", "codes"),
    [
        (STOPPED, [PASS, END], "AC"),
        (STOPPED, [{**PASS, "outcome": "fail"}, END], "WA"),
        (STOPPED, [{**PASS, "outcome": "error"}, END], "RE"),
        (STOPPED, [PASS], "AC IE"),  # the tests themselves broke off
        (STOPPED, [], "IE"),
        (STOPPED, [END], "RE"),  # there was nothing to test: the program did not load
        (STOPPED, [{"invalid": "no tests"}, END], "IE"),
        (STOPPED, [{"test": 1, "outcome": ["pass"]}, END], "RE"),  # made up by the tests, which are strangers' too
        (FINE, [PASS, END], "AC RE"),  # it ended by itself: nothing may be missing, and nothing may pass
        (replace(FINE, stopped="cpu", signal=9), [PASS, END], "AC TLE"),
        (replace(FINE, status=3), [END], "RE"),
    ],
)
def test_what_tests_report(program: Run, reports: list[dict[str, Any]], codes: str) -> None:
    """Tests count as far as they are reported; an end that was not asked for fails, whoever's it is."""
    found = read_reports(program, FINE, reports, LIMITS)
    assert " ".join(result.code for result in found) == codes


class FakeSandbox(NoSandbox):
    """Does the work at once, with a fake session."""

    def submit(self, work: Callable[[Session], T]) -> Future[T | SandboxFailure]:
        future: Future[T | SandboxFailure] = Future()
        future.set_result(work(FakeSession()))
        return future


class BrokenSandbox(NoSandbox):
    """Fails as only a fault of its own code can."""

    def submit(self, work: Callable[[Session], T]) -> Future[T | SandboxFailure]:  # noqa: ARG002
        future: Future[T | SandboxFailure] = Future()
        future.set_exception(KeyError("x"))
        return future


def test_a_verifiers_own_fault_costs_one_verdict() -> None:
    """A verifier that breaks over a row says so as that row's verdict, never a wrong answer, and the others go on."""
    program = "```python\np\n```"
    with VerifierSet(Verify(workers=1), sandbox=BrokenSandbox("")) as verifier_set:
        attempts = [Attempt("a", "code", "?", program, tests=ECHO), Attempt("b", "math", "?", r"\boxed{1}", None, "1")]
        broken, fine = verify(attempts, verifier_set)
    assert (broken.outcome, broken.score) == ("unverifiable", None)
    assert "the verifier broke, which is a fault of its own: KeyError" in broken.detail
    assert fine.outcome == "correct"


def judged(answer: str, tests: dict[str, Any] | None = None, fault: str | None = None) -> Verdict:
    with VerifierSet(Verify(workers=1), sandbox=FakeSandbox("")) as verifier_set:
        [verdict] = verify([Attempt("r", "code", "?", answer, tests=tests or ECHO, fault=fault)], verifier_set)
    return verdict


def test_verdicts_of_the_verifier() -> None:
    """A program is extracted and judged; none, an unfinished or an endless one is incorrect without a sandbox."""
    found = judged("```python\np\n```")
    assert (found.outcome, found.score, found.extracted, found.provenance) == ("correct", 1.0, "p\n", "fake")
    assert judged("no program").detail == "no program found in the response"
    assert judged("", fault=UNCLOSED_THINK).outcome == "incorrect"
    assert judged("```python\n" + "x" * (1 << 20) + "\n```").detail.startswith("CE: the program is longer")
    assert judged("```python\np\n```", {"kind": "none"}).outcome == "unverifiable"


@given(st.text(), st.text())
def test_no_answer_breaks_it(answer: str, program: str) -> None:
    """Any text, fenced or not, gets a verdict."""
    assert judged(answer).outcome in ("correct", "incorrect")
    assert judged(f"```python\n{program}\n```").outcome in ("correct", "incorrect")


@given(st.binary(), st.binary())
def test_comparison_is_reflexive_and_never_fails(expected: bytes, got: bytes) -> None:
    """Every output equals itself, and any two can be compared."""
    assert why_different(expected, expected, 1e-6) is None
    why_different(expected, got, 1e-6)

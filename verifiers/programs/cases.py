"""The ``tests`` object of the verification contract, read strictly: what is wrong with it is the problem's fault."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from verifiers.sandbox.inside.crossing.values import Unencodable, encode
from verifiers.sandbox.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORD: Final = re.compile(r"[^\W\d]\w*")
_OWN: Final = re.compile(r"\b(?:def|class)\s+(\w+)")
KINDS: Final = ("stdio", "call", "assert", "script")


class InvalidTests(ValueError):  # noqa: N818 - says what is wrong with a row, as data
    """No program can be judged by these tests; the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        stdin, stdout: of kind stdio.
        request, expected: of kind call: arguments as JSON values, and the value that must come back.
        plan: of kinds assert and script: what ``inside.tester`` runs.
    """

    stdin: bytes = b""
    stdout: bytes = b""
    request: Mapping[str, Any] | None = None
    expected: Any = None
    plan: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests of one problem.

    Attributes:
        time_limit_s: CPU seconds a test, or None where the row names none.
        memory_limit_mb: likewise.
    """

    kind: str
    language: str
    cases: tuple[Case, ...]
    entry_point: str | None
    time_limit_s: float | None
    memory_limit_mb: int | None

    @property
    def asked(self) -> frozenset[str]:
        """Words of tests that are code, without the names of their own functions: some a program must define."""
        plans = [case.plan for case in self.cases if case.plan is not None]
        texts = [str(plan.get(key) or "") for plan in plans for key in ("setup", "statement", "code")]
        words = {word for text in texts for word in _WORD.findall(text)}
        return frozenset(words - {name for text in texts for name in _OWN.findall(text)})


def read_tests(tests: object) -> Tests:
    """Return the tests that a row holds.

    Raises:
        InvalidTests: there are none, or they are not laid out as the contract says.
    """
    if not isinstance(tests, dict) or tests.get("kind") not in KINDS:
        got = tests.get("kind") if isinstance(tests, dict) else type(tests).__name__
        raise InvalidTests(f"the kind of tests is {got!r}; expected: one of {', '.join(KINDS)}")
    kind = tests["kind"]
    language = str(tests.get("language") or "python").lower()
    if language not in LANGUAGES or (kind != "stdio" and language != "python"):
        known = ", ".join(LANGUAGES) if kind == "stdio" else "python"
        raise InvalidTests(f"the language of {kind} tests is {language!r}; expected: one of {known}")
    cases = _READERS[kind](tests)
    if not cases:
        raise InvalidTests(f"there are no {kind} tests")
    return Tests(
        kind=kind,
        language=language,
        cases=tuple(cases),
        entry_point=_entry_point(tests),
        time_limit_s=_number(tests, "time_limit_s"),
        memory_limit_mb=math.ceil(_number(tests, "memory_limit_mb") or 0) or None,
    )


def _stdio(tests: dict[str, Any]) -> list[Case]:
    return [
        Case(stdin=_stream(case, "stdin", number), stdout=_stream(case, "stdout", number))
        for number, case in _numbered(tests, "cases")
    ]


def _stream(case: dict[str, Any], name: str, number: int) -> bytes:
    """Text, or a list of lines as some sets have it."""
    text = case.get(name, "" if name == "stdin" else None)
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        text = "\n".join(text) + "\n"
    if not isinstance(text, str):
        raise InvalidTests(f"{name} of test {number} is {type(text).__name__}; expected: text")
    return text.encode("utf-8", "surrogatepass")


def _call(tests: dict[str, Any]) -> list[Case]:
    entry_point = _entry_point(tests)
    if entry_point is None:
        raise InvalidTests("call tests name no entry_point")
    cases = []
    for number, case in _numbered(tests, "cases"):
        args, kwargs = case.get("args", []), case.get("kwargs") or {}
        if not isinstance(args, list) or not isinstance(kwargs, dict) or "expected" not in case:
            raise InvalidTests(f"test {number} is not laid out as args, kwargs, expected")
        request = {"entry_point": entry_point, "args": args, "kwargs": kwargs}
        _check_values(number, args, kwargs, case["expected"])
        cases.append(Case(request=request, expected=case["expected"]))
    return cases


def _assert(tests: dict[str, Any]) -> list[Case]:
    setup, asserts = tests.get("setup") or "", tests.get("asserts")
    if not isinstance(setup, str) or not isinstance(asserts, list) or not all(isinstance(a, str) for a in asserts):
        raise InvalidTests("assert tests are not laid out as setup, asserts")
    return [Case(plan={"kind": "assert", "setup": setup, "statement": one}) for one in asserts if one.strip()]


def _script(tests: dict[str, Any]) -> list[Case]:
    code = tests.get("code")
    if not isinstance(code, str) or not code.strip():
        raise InvalidTests("script tests hold no code")
    return [Case(plan={"kind": "script", "code": code, "entry_point": _entry_point(tests)})]


def _entry_point(tests: dict[str, Any]) -> str | None:
    """Return a function, or a method as in ``Solution.f`` or ``Solution().f``; None where none is named."""
    name = tests.get("entry_point")
    if name is None or name == "":
        return None
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.replace("().", ".").split(".")):
        raise InvalidTests(f"entry_point is {name!r:.80}; expected: the name of a function")
    return name


def _check_values(number: int, args: list[Any], kwargs: dict[str, Any], expected: Any) -> None:
    """That arguments can be given to a program, and that it can return what is expected (nothing equals nan).

    Raises:
        InvalidTests: they cannot, or it cannot.
    """
    try:
        for value in (*args, *kwargs.values()):
            encode(value)
        encode(expected)
    except Unencodable as error:
        raise InvalidTests(f"the values of test {number} cannot be compared: {error}") from None
    if _holds_nan(expected):
        raise InvalidTests(f"the values of test {number} cannot be compared: nan equals nothing")


def _holds_nan(value: Any) -> bool:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, float) and math.isnan(one):
            return True
        left.extend(one if isinstance(one, list) else one.values() if isinstance(one, dict) else ())
    return False


def _numbered(tests: dict[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    cases = tests.get(name)
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise InvalidTests(f"{name} is not a list of objects")
    return list(enumerate(cases, 1))


def _number(tests: dict[str, Any], name: str) -> float | None:
    value = tests.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise InvalidTests(f"{name} is {value!r}; expected: a number above zero")
    return float(value)


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], list[Case]]]] = {
    "stdio": _stdio,
    "call": _call,
    "assert": _assert,
    "script": _script,
}

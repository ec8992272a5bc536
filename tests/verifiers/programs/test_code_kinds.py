"""Every kind of tests in the real sandbox: what data sets write, passed by programs that are right and by no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.core import Verdict

pytestmark = pytest.mark.needs_docker


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1, code=CodeTests(time_limit_s=2), sandbox=Sandbox(containers=1))) as verifier_set:
        yield verifier_set


def judged(verifier_set: VerifierSet, program: str, tests: dict[str, Any]) -> Verdict:
    language = tests.get("language", "python")
    [verdict] = verify([Attempt("r", "code", "?", f"```{language}\n{program}\n```", tests=tests)], verifier_set)
    return verdict


def asserts(*lines: str, setup: str = "") -> dict[str, Any]:
    return {"kind": "assert", "setup": setup, "asserts": list(lines)}


def script(code: str, entry_point: str | None = None) -> dict[str, Any]:
    return {"kind": "script", "entry_point": entry_point, "code": code}


STACK = """
class Empty(Exception): pass
class Stack:
    def __init__(self, items=()): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise Empty("nothing there")
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __getitem__(self, i): return self.items[i]
    def __contains__(self, item): return item in self.items
    def __eq__(self, other): return isinstance(other, Stack) and self.items == other.items
    def __add__(self, other): return Stack(self.items + other.items)
    def __str__(self): return f"Stack({len(self)})"
    @property
    def top(self): return self.items[-1]
    @classmethod
    def of(cls, *items): return cls(items)
"""
STACK_TESTS = """
import pytest
from solution import Stack, Empty

def test_push_and_pop():
    stack = Stack()
    stack.push(1).push([2])
    assert len(stack) == 2 and stack.items == [1, [2]] and stack[1] == [2]
    assert stack.top == [2] and 1 in stack and 9 not in stack
    assert stack.pop() == [2] and str(stack) == "Stack(1)" and [x for x in stack] == [1]

def test_errors():
    with pytest.raises(Empty, match="nothing"):
        Stack().pop()
    with pytest.raises(IndexError):
        Stack()[0]

def test_objects_among_themselves():
    assert Stack.of(1, 2) == Stack([1, 2]) != Stack()
    assert (Stack([1]) + Stack([2])).items == [1, 2]
    assert isinstance(Stack(), Stack) and not isinstance(3, Stack)
    stack = Stack()
    stack.items = [5]
    assert stack.pop() == 5
"""

KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    # name: (a right program, its tests, a wrong program)
    "stdio, C++": (
        "#include <bits/stdc++.h>\nint main() { long long n; std::cin >> n; std::cout << n * n; }",
        {"kind": "stdio", "language": "cpp", "cases": [{"stdin": "3000000000", "stdout": "9000000000000000000"}]},
        "#include <bits/stdc++.h>\nint main() { int n; std::cin >> n; std::cout << n * n; }",
    ),
    "stdio, libraries": (
        "import numpy, scipy.special, sympy, networkx, sortedcontainers\nprint(int(numpy.arange(4).sum()))",
        {"kind": "stdio", "time_limit_s": 10, "cases": [{"stdin": "", "stdout": "6\n"}]},
        "import numpy\nprint(numpy.arange(4))",
    ),
    "call": (
        "def f(a, b=2): return [a, (b, {1: None})]",
        {"kind": "call", "entry_point": "f", "cases": [{"args": [1.5], "kwargs": {"b": 3}, "expected": [1.5, [3, {"1": None}]]}]},
        "def f(a, b=2): return [a, b]",
    ),
    "call, LeetCode": (
        "class Solution:\n    def twice(self, n: int) -> int: return 2 * n",
        {"kind": "call", "entry_point": "twice", "cases": [{"args": [4], "expected": 8}]},
        "class Solution:\n    def once(self, n): return n",
    ),
    "call, a method by name": (
        "class A:\n    @staticmethod\n    def f(n): return n + 1",
        {"kind": "call", "entry_point": "A.f", "cases": [{"args": [4], "expected": 5}]},
        "class A:\n    def g(n): return n + 1",
    ),
    "asserts on data": (
        "from collections import Counter\ndef f(w): return Counter(w)\ndef g(n): return {n, (n, 1.5)}",
        asserts("assert f('aab') == {'a': 2, 'b': 1}", "assert g(1) == {1, (1, 1.5)}", "assert set(f('ab')) == set('ba')"),
        "def f(w): return {}\ndef g(n): return set()",
    ),
    "asserts with a setup": (
        "import math\ndef area(r): return math.pi * r * r",
        asserts("assert math.isclose(area(2), 12.566, rel_tol=1e-3)", "assert area(0) == ZERO", setup="ZERO = 0"),
        "import math\ndef area(r): return math.pi * r",
    ),
    "asserts on what was changed in place": (
        "def order(items): items.sort()\ndef put(d): d['k'] = [1]",
        asserts("xs = [3, 1, 2]; order(xs); assert xs == [1, 2, 3]", "d = {}; put(d); assert d == {'k': [1]}"),
        "def order(items): return sorted(items)\ndef put(d): return {'k': [1]}",
    ),
    "functions as arguments": (
        "def apply(f, xs): return sorted(map(f, xs))\ndef only(xs, kind): return [x for x in xs if isinstance(x, kind)]",
        asserts("assert apply(lambda x: -x, [1, 2]) == [-2, -1]", "assert only([1, 'a'], int) == [1]"),
        "def apply(f, xs): return xs\ndef only(xs, kind): return xs",
    ),
    "generators": (
        "def up(n):\n    for i in range(n): yield i\ndef make():\n    return lambda x: x + 1",
        asserts("assert list(up(3)) == [0, 1, 2]", "assert next(up(1)) == 0", "assert make()(2) == 3"),
        "def up(n):\n    yield n\ndef make():\n    return lambda x: x",
    ),
    "a function named like a built-in": (
        "def sum(a, b): return a + b",
        asserts("assert sum(10, 15) == 25"),
        "def sum(a, b): return a - b",
    ),
    "check(candidate)": (
        "def helper(x): return x\ndef f(x): return helper(x) * 2",
        script("def check(candidate):\n    for i in range(5):\n        assert candidate(helper(i)) == 2 * i, 'no'\n", "f"),
        "def helper(x): return x\ndef f(x): return x ** 2",
    ),
    "check, called by the tests": (
        "def f(x): return x + 1",
        script("def check(candidate):\n    assert candidate(1) == 2\ncheck(f)\n", "f"),
        "def f(x): return x + 2",
    ),
    "asserts of a module": ("def f(x): return x + 1", script("y = f(1)\nassert y == 2\n"), "def f(x): return x"),
    "pytest": (
        "def f(x):\n    if x < 0: raise ValueError('below zero')\n    return x ** 0.5",
        script(
            "import pytest\nfrom solution import *\n\n"
            "@pytest.mark.parametrize('x,y', [(4, 2), pytest.param(9, 3)])\ndef test_roots(x, y):\n    assert f(x) == y\n\n"
            "@pytest.mark.parametrize('x', [2])\ndef test_close(x):\n    assert f(x) == pytest.approx(1.41421, abs=1e-4)\n\n"
            "def test_error():\n    with pytest.raises(ValueError, match='below'):\n        f(-1)\n"
        ),
        "def f(x): return abs(x) ** 0.5",
    ),
    "classes under pytest": (STACK, script(STACK_TESTS), STACK.replace("+ other.items", "")),
    "test classes": (
        "def f(x): return x + 1",
        script(
            "from solution import f\n\nclass TestF:\n    def setup_method(self):\n        self.one = 1\n"
            "    def test_one(self):\n        assert f(self.one) == 2\n"
        ),
        "def f(x): return x",
    ),
    "unittest": (
        "def f(x): return x + 1",
        script("import unittest\nfrom solution import f\n\nclass TestF(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(f(1), 2)\n"),
        "def f(x): return x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_right_programs_pass_and_wrong_ones_do_not(verifier_set: VerifierSet, kind: str) -> None:
    """A right program passes every test of its row, a wrong one is incorrect, never anything else."""
    right, tests, wrong = KINDS[kind]
    found = judged(verifier_set, right, tests)
    assert (found.outcome, found.score) == ("correct", 1.0), found.detail
    assert (found.provenance or "").startswith("image sha256:")
    found = judged(verifier_set, wrong, tests)
    assert found.outcome == "incorrect", found.detail


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def test_it(mocker):\n    assert f(1) == 2\n", "wants fixtures: mocker"),
        ("import pytest\n\n@pytest.mark.skip\ndef test_it():\n    assert f(1) == 2\n", "is marked skip"),
        ("def test_it(:\n", "do not compile"),
        ("def helper():\n    assert f(1) == 2\n\ntest = 3\n", "there are no tests"),
        ("def test_it():\n    f(1)\n", "assert nothing"),
        ("def check(candidate):\n    assert candidate(1) == 2\n", "name no entry_point"),
    ],
)
def test_tests_that_cannot_be_run_are_the_problems_fault(verifier_set: VerifierSet, code: str, words: str) -> None:
    """Tests that want what is not there, or are none, make the row unverifiable, and say so."""
    found = judged(verifier_set, "def f(x): return x + 1", script(code))
    assert (found.outcome, found.score) == ("unverifiable", None)
    assert words in found.detail


EMPTY_HANDED = "def f(x):\n    raise StopIteration\n"
HOLDS_ALL = "class All:\n    def __contains__(self, x): return True\ndef f(x): return All()\n"
RUNS_OUT = "def f(x):\n    yield from ()\n"


@pytest.mark.parametrize(
    ("program", "line"),
    [
        (EMPTY_HANDED, "assert all(map(lambda x: f(x) == x, [1, 2]))"),
        (EMPTY_HANDED, "assert not [1 for y in map(f, [1, 2]) if y != 5]"),
        (HOLDS_ALL, "assert 5 in f(3)"),
        (RUNS_OUT, "assert 5 in f(3)"),
        (RUNS_OUT, "assert f(3)[0]"),
    ],
)
def test_what_is_true_of_anything_passes_nothing(verifier_set: VerifierSet, program: str, line: str) -> None:
    """A StopIteration that ends the tests' own loop, what contains everything, and what has no items are not passed."""
    assert judged(verifier_set, program, asserts(line)).outcome in ("incorrect", "unverifiable")


def test_members_are_found_in_what_has_items(verifier_set: VerifierSet) -> None:
    """A generator is searched, a container asked, and a function's StopIteration seen where the tests expect it."""
    program = (
        "class Odd:\n    def __contains__(self, x): return x % 2 == 1\ndef f(x):\n    yield x\ndef g(): return Odd()\n"
    )
    assert (
        judged(verifier_set, program, asserts("assert 3 in f(3)", "assert 3 in g() and 4 not in g()")).outcome
        == "correct"
    )
    stops = asserts("assert pytest.raises(StopIteration, f, 1)", setup="import pytest")
    assert judged(verifier_set, EMPTY_HANDED, stops).outcome == "correct"


def test_tests_that_need_the_programs_process_prove_nothing(verifier_set: VerifierSet) -> None:
    """Tests that pass beside the program alone are unverifiable: there it could have made them pass."""
    money = "class Money:\n    def __init__(self, n): self.n = n\n    def __eq__(self, other): return self.n == other"
    found = judged(verifier_set, money, asserts("assert Money(5) == 5"))
    assert found.outcome == "unverifiable"
    assert "proves nothing" in found.detail
    assert judged(verifier_set, money, asserts("assert Money(5) == 6")).outcome == "incorrect"

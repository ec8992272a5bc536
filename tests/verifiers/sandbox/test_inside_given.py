"""Which functions of a prompt serve the tests, whatever the program makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from verifiers.programs.cases import read_tests
from verifiers.programs.text import code_in
from verifiers.programs.verifier import with_given
from verifiers.sandbox.inside.testing.given import given_names

HEAD = """import math

def area(r: float):
    \"\"\"Of a circle.\"\"\"
    return math.pi * r ** 2

def radius(a: float):
    \"\"\"The circle's whose area is a.\"\"\"
"""
SCRIPT = "def check(candidate):\n    assert abs(area(candidate(3.0)) - 3.0) < 1e-6"


@pytest.mark.parametrize(
    ("prompt", "entry_point", "used", "given"),
    [
        (HEAD, "radius", {"area"}, {"area"}),
        (HEAD, "radius", {"abs"}, set()),
        (f"Complete it:\n\n```python\n{HEAD}```\n", "radius", {"area"}, {"area"}),
        (f"Use this:\n```\n{HEAD[: HEAD.index('def radius')]}```\nWrite radius.", "radius", {"area"}, {"area"}),
        # What is asked for is given in full, and may be what is to be mended.
        (HEAD + "    return a", "radius", {"area"}, set()),
        (HEAD + "    pass", "radius", {"area"}, {"area"}),
        (HEAD + "    raise NotImplementedError", "radius", {"area"}, {"area"}),
        # What the prompt leaves open is the program's, also where what it gives calls it.
        ("def f(x):\n    ...\ndef g(x):\n    'to be written'\n", "f", {"g"}, set()),
        ("def f(x):\n    ...\ndef g(x):\n    return f(x)\n", "f", {"g"}, {"g"}),
        # Objects are the program's.
        ("class A: pass\ndef f(x): ...\ndef g(x):\n    return A()\n", "f", {"g", "A"}, set()),
        ("class A: pass\ndef f(x): ...\ndef h(): return A\ndef g(x): return h()\n", "f", {"g"}, set()),
        ("import nowhere_at_all\ndef f(x): ...\ndef g(x): return x\n", "f", {"g"}, set()),
        ("Write f, as in def g(x).", "f", {"g"}, set()),
    ],
)
def test_what_is_given(prompt: str, entry_point: str, used: set[str], given: set[str]) -> None:
    """What the prompt defines in full beside an open entry point is given, where the tests use it."""
    assert set(given_names(code_in(prompt), entry_point, used, {"f": abs, "radius": abs, "g": abs})) == given


def test_what_is_open_is_the_programs() -> None:
    """A given function calls the program's where it calls what the prompt leaves open."""
    names: dict[str, Any] = {"f": lambda x: x + 1}
    given = given_names(["def f(x):\n    ...\ndef g(x):\n    return 10 * f(x)\n"], "f", {"g"}, names)
    assert given["g"](1) == 20


@pytest.mark.parametrize(
    ("prompt", "entry_point", "is_told"),
    [(HEAD, "radius", True), (HEAD, None, False), ("Write radius.", "radius", False), (HEAD, "area", False)],
)
def test_the_prompt_goes_in_where_tests_use_it(prompt: str, entry_point: str | None, is_told: bool) -> None:
    """The tests' container is told of the prompt only where it defines what the tests use beside the entry point."""
    tests = with_given(read_tests({"kind": "script", "entry_point": entry_point, "code": SCRIPT}), prompt)
    assert ("given" in (tests.cases[0].plan or {})) is is_told

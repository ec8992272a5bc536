"""Tests that see one process only: pytest's own fixtures, unittest's logs and mocks, in the real sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_docker

GREETS = ("def f(name):\n    print('hi', name)\n", "def f(name):\n    print('ho', name)\n")
ASKS = ("def f():\n    return int(input()) + 1\n", "def f():\n    return int(input()) - 1\n")
LOGS = (
    "import logging\ndef f(n):\n    logging.getLogger().warning('few: %d', n)\n",
    "import logging\ndef f(n):\n    logging.getLogger().warning('many: %d', n)\n",
)
SEEDED = (
    "import random\ndef f():\n    return random.random()\n",
    "import random\ndef f():\n    return 1 - random.random()\n",
)
CAPSYS = "from solution import f\ndef test_a(capsys):\n    f('a')\n    assert capsys.readouterr().out == 'hi a\\n'\n"
MONKEY = (
    "from solution import f\n"
    "def test_a(monkeypatch):\n    monkeypatch.setattr('builtins.input', lambda *a: '4')\n    assert f() == 5\n"
    "def test_b(monkeypatch):\n    monkeypatch.setattr('builtins.input', lambda *a: '6')\n    assert f() == 7\n"
)
CAPLOG = "from solution import f\ndef test_a(caplog):\n    f(3)\n    assert caplog.messages == ['few: 3']\n"
LOGGED = (
    "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_a(self):\n"
    "        with self.assertLogs() as seen:\n            f(3)\n"
    "        self.assertEqual(seen.output, ['WARNING:root:few: 3'])\n"
)
SEED = (
    "import random, unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_a(self):\n"
    "        random.seed(3)\n        one = random.random()\n        random.seed(3)\n"
    "        self.assertEqual(f(), one)\n"
)
EQUAL_TO_ALL = (
    "class E:\n    def __eq__(self, other):\n        return True\n    __hash__ = None\ndef f(*a):\n    return E()\n"
)


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1, code=CodeTests(time_limit_s=2), sandbox=Sandbox(containers=1))) as verifier_set:
        yield verifier_set


def outcome(verifier_set: VerifierSet, program: str, tests: str) -> str:
    plan = {"kind": "script", "entry_point": None, "code": tests}
    [verdict] = verify([Attempt("r", "code", "?", f"```python\n{program}```", tests=plan)], verifier_set)
    return verdict.outcome


@pytest.mark.parametrize(
    ("programs", "tests"),
    [(GREETS, CAPSYS), (ASKS, MONKEY), (LOGS, CAPLOG), (LOGS, LOGGED), (SEEDED, SEED)],
    ids=["capsys", "monkeypatch", "caplog", "assertLogs", "seed"],
)
def test_what_does_not_cross_is_no_verdict_on_a_right_program(
    verifier_set: VerifierSet, programs: tuple[str, str], tests: str
) -> None:
    """A module's tests cannot be controlled, so a right program is open; a wrong one and a cheat are found out."""
    right, wrong = programs
    assert outcome(verifier_set, right, tests) == "unverifiable"
    assert outcome(verifier_set, wrong, tests) == "incorrect"
    assert outcome(verifier_set, EQUAL_TO_ALL, tests) != "correct"


def test_a_mock_alone_decides_nothing(verifier_set: VerifierSet) -> None:
    """Tests that compare nothing by the control's lights do not make a program wrong, nor right."""
    tests = (
        "from unittest.mock import patch\nfrom solution import f\n"
        "def test_a():\n    with patch('random.randint') as drawn:\n        f()\n"
        "    drawn.assert_called_once_with(1, 6)\n"
    )
    assert outcome(verifier_set, "import random\ndef f():\n    return random.randint(1, 6)\n", tests) == "unverifiable"
    assert outcome(verifier_set, "import random\ndef f():\n    return random.randint(1, 7)\n", tests) == "incorrect"

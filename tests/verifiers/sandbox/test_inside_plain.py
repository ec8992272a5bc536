"""Which tests depend on nothing but arguments and results, so that what fails across the wall is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from verifiers.sandbox.inside.testing.plain import is_plain
from verifiers.sandbox.inside.testing.test_text import TestText

PLAIN = {
    "HumanEval's": "METADATA = {'a': [1]}\ndef check(candidate):\n    assert candidate([1, 2]) == 3, 'sum'",
    "imported": "from solution import f\ndef test_f():\n    assert f(1) == 2 and len(f([1])[0]) == 1",
    "raises": "import pytest\ndef test_f():\n    with pytest.raises(ValueError, match='no'):\n        f(1)",
    "parametrized": "import pytest\n@pytest.mark.parametrize('a', [1, 2])\ndef test_f(a):\n    assert f(a) == a",
    "approximate": "import math, pytest\ndef test_f():\n    assert f(math.pi) == pytest.approx(3)",
    "a variable of its own": "from solution import f\ndef test_f():\n    x = [1]\n    assert f(x) == [1]",
    "a result": "from solution import f\ndef test_f():\n    x = f(1)\n    assert x == [1] and len(x) == 1",
    "changed in place": "from solution import f\ndef test_f():\n    x = [2, 1]\n    f(x)\n    assert x == [1, 2]",
    "changed within": "def test_f():\n    x = [2, 1]\n    f((x, 1), key=[x])\n    assert x == [1, 2]",
    "a fixed variable": "from solution import f\nEPS = 1e-6\ndef test_f():\n    f(0)\n    assert abs(f(1) - 1) < EPS",
    "made anew in a loop": "def test_f():\n    for n in [1, 2]:\n        x = [n]\n        assert f(x) == n",
}  # fmt: skip
NOT_PLAIN = {
    "a module": "import random\nfrom solution import f\ndef test_f():\n    assert f(1) == 2",
    "an attribute": "from solution import F\ndef test_f():\n    assert F(1).x == 2",
    "identity": "from solution import f\ndef test_f():\n    x = [1]\n    assert f(x) is x",
    "a variable of the program": "from solution import f, CACHE\ndef test_f():\n    f(1)\n    assert CACHE == {1: 1}",
    "without an import": "def test_f():\n    f(1)\n    assert CACHE == {1: 1}",
    "another name of it": "from solution import f\ng = f\ndef test_f():\n    assert g(1) == 1",
    "a callback": "from solution import f\ndef test_f():\n    assert f(lambda x: x) == 1",
    "kept and changed later": "def test_f():\n    x = f([])\n    g(1)\n    assert x == [1]",
    "given and changed later": "def test_f():\n    x = []\n    f(x)\n    g(1)\n    assert x == [1]",
    "changed in a loop": "def test_f():\n    x = f([])\n    for n in [1, 2]:\n        assert len(x) == n\n        g(n)",
    "changed by another test": "from solution import f\nX = []\ndef test_f():\n    assert f(X) == 1",
    "run later": "def test_f():\n    x = map(f, [1])\n    assert list(x) == [1]",
    "run later, too": "def test_f():\n    x = (f(n) for n in [1])\n    assert list(x) == [1]",
    "a file": "def test_f():\n    f(1)\n    assert len([line for line in open('out.txt')]) == 1",
    "a folder of the tests": "def test_f(tmp_path):\n    assert f(str(tmp_path)) == []",
    "captured output": "def test_f(capsys):\n    f()\n    assert capsys.readouterr().out == 'x'",
    "an error of the program's": "import pytest\ndef test_f():\n    with pytest.raises(E):\n        f()",
    "an error's value": "import pytest\ndef test_f():\n    with pytest.raises(ValueError) as e:\n        f()",
    "a limit": "import pytest\ndef test_f():\n    with pytest.raises(RecursionError):\n        f()",
    "a changed element": "def test_f():\n    x = [1]\n    x[0] = 2\n    assert f(x) == 2",
}  # fmt: skip


@pytest.mark.parametrize("code", PLAIN.values(), ids=list(PLAIN))
def test_arguments_and_results_are_plain(code: str) -> None:
    """Calls, comparisons of what they return, and variables that no other call can have changed."""
    assert is_plain(TestText({"kind": "script", "code": code}).trees)


@pytest.mark.parametrize("code", NOT_PLAIN.values(), ids=list(NOT_PLAIN))
def test_all_else_is_looked_at_again(code: str) -> None:
    """Whatever may be of one process only, or be changed where the tests do not see it."""
    assert not is_plain(TestText({"kind": "script", "code": code}).trees)


def test_asserts_are_read_with_their_setup() -> None:
    """A variable of the set-up that an assert hands over may have been kept by the program."""
    plan: dict[str, Any] = {"kind": "assert", "setup": "root = [1]", "statement": "assert f(root) == 1"}
    assert not is_plain(TestText(plan).trees)
    assert is_plain(TestText({**plan, "setup": ""}).trees) is False
    assert is_plain(TestText({**plan, "setup": "", "statement": "assert f([1]) == 1"}).trees)

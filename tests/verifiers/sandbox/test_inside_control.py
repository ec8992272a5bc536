"""The control: tests whose comparisons are made to fail, on either side, and what of them is left alone."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from verifiers.sandbox.inside.testing.control import LEFT, RIGHT, perturbed

# A statement, and what it becomes on the left and on the right; None where nothing in it is replaced.
REPLACED = [
    ("assert f(1) == 2", "assert object() == 2", "assert f(1) == object()"),
    ("assert f(1) is None", "assert object() is None", "assert f(1) is object()"),
    ("assert 1 < f(1) < 3", "assert object() < f(1) < 3", "assert 1 < object() < 3"),
    ("assert 'a' in f(1)", "assert object() in f(1)", "assert 'a' in object()"),
    (
        "assert f(1) == 2 and g(1) == 3",
        "assert object() == 2 and object() == 3",
        "assert f(1) == object() and g(1) == object()",
    ),
    ("assert math.isclose(f(1), 2)", "assert math.isclose(object(), 2)", "assert math.isclose(f(1), object())"),
    ("assert np.allclose(f(1), [2])", "assert np.allclose(object(), [2])", "assert np.allclose(f(1), object())"),
    ("assert f(1).equals(df)", "assert object().equals(df)", "assert f(1).equals(object())"),
    ("self.assertEqual(f(1), 2)", "self.assertEqual(object(), 2)", "self.assertEqual(f(1), object())"),
    ("self.assertTrue(f(1) == 2)", "self.assertTrue(object() == 2)", "self.assertTrue(f(1) == object())"),
    (
        "for x in a:\n    assert f(x) == x",
        "for x in a:\n    assert object() == x",
        "for x in a:\n    assert f(x) == object()",
    ),
    ("assert (f(1) == 2) == True", "assert object() == True", "assert (f(1) == 2) == object()"),
    (
        "assert all((f(x) == x for x in a))",
        "assert all((object() == x for x in a))",
        "assert all((f(x) == object() for x in a))",
    ),
]
LEFT_ALONE = [
    "assert f(1)",
    "assert f(1) != 2",
    "assert f(1) is not None",
    "assert 2 not in f(1)",
    "assert not f(1) == 2",
    "if x == 2:\n    y = 3",
    "x = f(1) == 2",
    "isclose(f(1), 2)",
    "self.assertTrue(f(1))",
    "assert f(1), x == 2",
]


def changed(statement: str, side: str, kind: str = "script") -> tuple[str, int]:
    key = "statement" if kind == "assert" else "code"
    plan, n_changed = perturbed({"kind": kind, key: statement, "other": 1}, side)
    assert plan["other"] == 1
    return plan[key], n_changed


@pytest.mark.parametrize(("statement", "left", "right"), REPLACED)
@pytest.mark.parametrize("kind", ["assert", "script"])
def test_what_is_compared_is_replaced(statement: str, left: str, right: str, kind: str) -> None:
    """One side of each asserted comparison becomes an object that is equal to nothing, and it is counted."""
    for side, expected in ((LEFT, left), (RIGHT, right)):
        text, n_changed = changed(statement, side, kind)
        assert text == ast.unparse(ast.parse(expected))
        assert n_changed == text.count("object()")


@pytest.mark.parametrize("statement", LEFT_ALONE)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_what_would_pass_by_failing_is_left_alone(statement: str, side: str) -> None:
    """Denials, and comparisons that nothing asserts, are not touched: replaced, they would pass, or change the test."""
    assert changed(statement, side) == (ast.unparse(ast.parse(statement)), 0)


@pytest.mark.parametrize("plan", [{"kind": "script", "code": "def f(:"}, {"kind": "assert", "statement": None}])
def test_what_cannot_be_read_is_as_it_was(plan: dict[str, Any]) -> None:
    """Tests that do not parse, or of which there are none, are not replaced."""
    found, n_changed = perturbed(plan)
    assert found.get("code") == plan.get("code")
    assert n_changed == 0


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_a_right_program_fails_under_the_control(side: str) -> None:
    """Tests that a right function passes fail once they are perturbed; an object that equals anything still passes."""

    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    plan, n_changed = perturbed({"kind": "script", "code": "assert f(2) == 4\nassert f(3) == 9"}, side)
    assert n_changed == 2
    with pytest.raises(AssertionError):
        exec(plan["code"], {"f": lambda x: x * x})  # noqa: S102 - what it says
    if side == RIGHT:
        exec(plan["code"], {"f": lambda _: Anything()})  # noqa: S102 - as above

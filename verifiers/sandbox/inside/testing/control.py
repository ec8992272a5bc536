"""The control: the same tests with what they compare replaced by an object that is equal to nothing.

Whoever passes these as well passes anything. Done on the syntax tree, once for each side of the comparisons: an object
that is equal to everything may stand on either.
"""

from __future__ import annotations

import ast
import copy
from typing import Any

from verifiers.sandbox.inside.testing.test_text import parsed

_COMPARED = (ast.Eq, ast.Is, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In)
# Functions and methods that compare their first two arguments, or their object and their first argument.
_OF_TWO = frozenset((
    "isclose", "allclose", "array_equal", "array_equiv", "is_same_list", "is_same_tree", "assert_array_equal",
    "assert_allclose", "assert_frame_equal", "assert_series_equal", "assertEqual", "assertEquals", "assertAlmostEqual",
    "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual", "assertCountEqual", "assertIs",
    "assertIn", "assertSequenceEqual", "assertMultiLineEqual", "assertGreater", "assertGreaterEqual", "assertLess",
    "assertLessEqual", "assert_almost_equal", "assert_equal", "assert_array_almost_equal",
))  # fmt: skip
_OF_OBJECT = frozenset(("equals",))
LEFT, RIGHT = "left", "right"


def perturbed(plan: dict[str, Any], side: str = RIGHT) -> tuple[dict[str, Any], int]:
    """Return the plan with its comparisons replaced on one side, and how many there were."""
    key = "statement" if plan["kind"] == "assert" else "code"
    tree = parsed(str(plan.get(key) or ""))
    if tree is None:
        return plan, 0
    change = _Change(side)
    tree = ast.fix_missing_locations(change.visit(copy.deepcopy(tree)))
    return {**plan, key: ast.unparse(tree)}, change.n_changed


def _nothing() -> ast.expr:
    return ast.Call(func=ast.Name(id="object", ctx=ast.Load()), args=[], keywords=[])


class _Change(ast.NodeTransformer):
    def __init__(self, side: str) -> None:
        self._side = side
        self._asserting = False
        self.n_changed = 0

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self._asserting = True
        node.test = self.visit(node.test)
        self._asserting = False
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Return what is denied is left alone: there, a comparison that fails passes."""
        return node if isinstance(node.op, ast.Not) else self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if not self._asserting or not isinstance(node.ops[0], _COMPARED):
            return node
        self.n_changed += 1
        if self._side == LEFT:
            node.left = _nothing()
        else:
            node.comparators[0] = _nothing()
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_assertion = name.startswith("assert")
        if name in _OF_TWO and len(node.args) > 1 and (self._asserting or is_assertion):
            self.n_changed += 1
            node.args[0 if self._side == LEFT else 1] = _nothing()
            return node
        if name in _OF_OBJECT and node.args and self._asserting and isinstance(node.func, ast.Attribute):
            self.n_changed += 1
            if self._side == LEFT:
                node.func.value = _nothing()
            else:
                node.args[0] = _nothing()
            return node
        before, self._asserting = self._asserting, self._asserting or is_assertion
        self.generic_visit(node)
        self._asserting = before
        return node

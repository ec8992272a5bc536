"""The perturbed control: tests changed so that no honest program can pass them.

For tests that must share a process with the program. A program that makes tests pass by other means than being right
(values equal to everything, an early exit, patched assertions) passes the perturbed ones as well, and is found out.
"""

from __future__ import annotations

import ast
from typing import Any, Final

_SENTINEL: Final = "object()"  # equal to nothing that was there before
_METHODS: Final = ("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertAlmostEqual")


def perturbed(plan: dict[str, Any]) -> dict[str, Any] | None:
    """The plan's tests, each comparison with its expected side replaced, each other assertion negated.

    None where there is no assertion to perturb, or the tests cannot be read.
    """
    name = "statement" if plan["kind"] == "assert" else "code"
    try:
        tree = ast.parse(plan[name])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    change = _Perturbation()
    changed = ast.fix_missing_locations(change.visit(tree))
    return {name: ast.unparse(changed)} if change.n_changed else None


def accepted(real: list[dict[str, Any]], control: list[dict[str, Any]]) -> bool:
    """Whether the tests passed, and could have failed: every one of them fails when it is perturbed."""
    passed = _outcomes(real)
    failed = _outcomes(control)
    return (
        bool(passed)
        and all(outcome == "pass" for outcome in passed.values())
        and failed.keys() == passed.keys()
        and all(outcome in ("fail", "error") for outcome in failed.values())
    )


def _outcomes(reports: list[dict[str, Any]]) -> dict[str, str]:
    """Outcome by test; none of them counts unless the last was announced, with their number."""
    found = {str(report["test"]): str(report.get("outcome")) for report in reports if "test" in report}
    ends = [report for report in reports if report.get("end")]
    return found if ends and ends[-1].get("n_tests") == len(found) else {}


class _Perturbation(ast.NodeTransformer):
    def __init__(self) -> None:
        self.n_changed = 0

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        self.n_changed += 1
        if isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Eq | ast.Is | ast.In):
            node.test.comparators = [_sentinel_for(operator) for operator in node.test.ops]
        else:
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and len(node.args) >= 2:
            self.n_changed += 1
            node.args[1] = _sentinel_for(ast.Eq())
        return node


def _sentinel_for(operator: ast.cmpop) -> ast.expr:
    return ast.parse("[]" if isinstance(operator, ast.In) else _SENTINEL, mode="eval").body

"""One seeded fault in a program: an operator swapped, a constant changed, a condition or a returned value negated."""

from __future__ import annotations

import ast
import hashlib
import random
import warnings

_SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Add, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitXor: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


def mutant(program: str, name: str) -> str:
    """The program with one fault in a function body, drawn by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\\w" in a plain string
        tree = ast.parse(program)
    sites = [
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if _is_site(node)
    ]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    _change(random.Random(seed).choice(sites))  # noqa: S311 - reproducible, not secret
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_site(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        return type(node.op) in _SWAPS
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _SWAPS
    return isinstance(node, ast.Return | ast.If | ast.While) and getattr(node, "value", True) is not None


def _change(node: ast.AST) -> None:
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        node.op = _SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.Return) and node.value is not None:
        node.value = ast.Tuple([node.value, ast.Constant("mutant")], ast.Load())
    elif isinstance(node, ast.If | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)

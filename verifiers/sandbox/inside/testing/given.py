"""Functions that the prompt gives in full and the tests use too: the tests' are the prompt's, not the program's.

HumanEval/32 asks for a zero of ``poly``, gives ``poly``, and tests with it: a program whose own ``poly`` returns 0
would pass with any zero. Only where the prompt leaves open the function that is asked for: a prompt that gives that one
in full may want all of its code mended. Functions that need a class are the program's: its objects are.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any

from verifiers.sandbox.inside.testing.test_text import parsed

_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUPPORT = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


def given_names(texts: list[str], entry_point: str, used: set[str], names: dict[str, Any]) -> dict[str, Any]:
    """Return the prompt's own functions among the names that tests use; none where they cannot be run.

    Args:
        texts: the prompt, and the blocks of code in it.
        entry_point: the function that is asked for.
        used: names that the tests read and do not give themselves.
        names: the program's, for what the prompt's functions call and leave open.
    """
    wanted = entry_point.replace("()", "").rpartition(".")[2]
    for text in texts:
        tree = parsed(text)
        functions = {} if tree is None else {node.name: node for node in tree.body if isinstance(node, _DEFS)}
        whole = {name for name, node in functions.items() if _is_whole(node)}
        found = (whole & used) - {wanted}
        if tree is None or not found or wanted in whole:
            continue
        scope = _run(tree, whole)
        if scope is None:
            continue
        scope.update({name: names[name] for name in functions if name not in whole and name in names})
        classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        return {name: scope[name] for name in found if not _reaches(functions, name, classes)}
    return {}


def _is_whole(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function does something: more than a docstring, ``pass``, ``...`` or NotImplementedError."""
    return not all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (isinstance(statement, ast.Raise) and "NotImplemented" in ast.dump(statement))
        for statement in node.body
    )


def _run(tree: ast.Module, whole: set[str]) -> dict[str, Any] | None:
    """Return what the prompt's whole functions, imports and constants make; None where they raise."""
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, _SUPPORT) or (isinstance(node, _DEFS) and node.name in whole):
            body.append(node)  # noqa: PERF401 - of several types
    scope: dict[str, Any] = {"__name__": "given", "__builtins__": builtins}
    try:
        exec(compile(ast.Module(body=body, type_ignores=[]), "<prompt>", "exec", dont_inherit=True), scope)
    except BaseException:  # noqa: BLE001 - then the program's own will have to do
        return None
    return scope


def _reaches(functions: dict[str, Any], name: str, classes: set[str]) -> bool:
    """Tell whether a function names one of the classes, or calls one that does."""
    seen: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one in classes:
            return True
        if one not in seen and one in functions:
            seen.add(one)
            left += [node.id for node in ast.walk(functions[one]) if isinstance(node, ast.Name)]
    return False

"""Whether nothing in tests depends on more than arguments and results; then what fails across the wall fails beside it.

Plain are calls by name of what the program defines, literals, comparisons, and pytest's raises, approx and parametrize.
Nothing of the program's is read but results of calls: its variables are copies here, and may be old. A variable of the
tests may hold what was given or returned only as long as no call that it is not given comes between its making and its
reading: a program may keep what it was given, or has returned, and change it later.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from typing import Any

from verifiers.sandbox.inside.testing.given_fixtures import given

_NODES = (
    ast.Module, ast.Assert, ast.Compare, ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp,
    ast.BinOp, ast.BoolOp, ast.Name, ast.expr_context, ast.cmpop, ast.operator, ast.unaryop, ast.boolop,
    ast.FunctionDef, ast.arguments, ast.arg, ast.Expr, ast.GeneratorExp, ast.ListComp, ast.comprehension, ast.For,
    ast.keyword, ast.Pass, ast.JoinedStr, ast.FormattedValue, ast.Assign, ast.Subscript, ast.Slice, ast.Import,
    ast.ImportFrom, ast.alias, ast.Attribute, ast.With, ast.withitem,
)  # fmt: skip
_FIXTURES = frozenset(given())
_MODULES = ("math", "pytest")
_OF_PYTEST = ("approx", "raises", "mark", "parametrize")
# They look beyond arguments and results: at files, at names, at places in memory.
_LOOK_BEYOND = frozenset((
    "__import__", "compile", "delattr", "dir", "eval", "exec", "getattr", "globals", "hasattr", "hash", "id", "input",
    "locals", "open", "setattr", "super", "vars",
))  # fmt: skip
_LAZY = frozenset(("map", "filter", "iter", "next", "zip", "reversed", "enumerate"))
_HARMLESS = frozenset((
    "all", "any", "bool", "dict", "float", "frozenset", "int", "isinstance", "len", "list", "range", "repr", "set",
    "sorted", "str", "tuple",
))  # fmt: skip
_LITERALS = (ast.List, ast.Tuple, ast.Dict, ast.Set)
_MADE_BY_LIMITS = ("StopIteration", "RecursionError", "MemoryError")  # they depend on where a program runs
_ERRORS = {
    name
    for name, found in vars(builtins).items()
    if isinstance(found, type) and issubclass(found, Exception) and name not in _MADE_BY_LIMITS
}
_Place = tuple[int, int]


def is_plain(trees: list[ast.Module]) -> bool:
    """Tell whether the tests are plain; see the module.

    Args:
        trees: the tests' texts, in the order in which they are run.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    if not all(isinstance(node, _NODES) and _is_plain(node) for node in nodes):
        return False
    scopes = [_Scope(list(_inner(tree))) for tree in [*trees, *(n for n in nodes if isinstance(n, ast.FunctionDef))]]
    made = {name for scope in scopes for name in scope.made}
    bound = {name for scope in scopes for name in scope.bound | scope.fixed} - made
    is_lazy = any(isinstance(node, ast.GeneratorExp) or _is_named(node, _LAZY) for node in nodes)
    return all(scope.is_plain(bound, is_lazy=is_lazy) for scope in scopes)


def _is_named(node: ast.AST, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _is_plain(node: ast.AST) -> bool:
    """Tell whether a node is plain by itself, where nodes of its kind may be or not."""
    check = _CHECKS.get(type(node))
    return check is None or check(node)


def _compares_values(node: ast.Compare) -> bool:
    """Tell whether nothing is asked to be the very same object, but for None, True and False."""
    pairs = zip(node.ops, node.comparators)  # noqa: B905 - Python 3.9
    return not any(isinstance(op, (ast.Is, ast.IsNot)) and not isinstance(right, ast.Constant) for op, right in pairs)


def _is_import(node: ast.Import) -> bool:
    return all(alias.name in _MODULES and alias.asname is None for alias in node.names)


def _makes_variables(node: ast.Assign) -> bool:
    return all(isinstance(name, ast.Name) for target in node.targets for name in _targets(target))


def _expects_errors(node: ast.With) -> bool:
    return all(item.optional_vars is None and _is_raises(item.context_expr) for item in node.items)


def _is_of_module(node: ast.Attribute) -> bool:
    """Tell whether it is ``math.…``, or one of the few things of pytest's."""
    if isinstance(node.value, ast.Attribute):
        return node.attr == "parametrize" and node.value.attr == "mark"
    if not isinstance(node.value, ast.Name) or node.value.id not in _MODULES:
        return False
    return node.value.id == "math" or node.attr in _OF_PYTEST


def _is_raises(node: ast.expr) -> bool:
    """Tell whether it is ``pytest.raises`` of a built-in error."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "raises"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id in _ERRORS
        and all(isinstance(keyword.value, ast.Constant) for keyword in node.keywords)
    )


def _names(target: ast.expr) -> Iterator[ast.Name]:
    return (name for name in _targets(target) if isinstance(name, ast.Name))


def _targets(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        for each in target.elts:
            yield from _targets(each)
    else:
        yield target


def _inner(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope, without those of functions in it but for their decorators and defaults."""
    own = [tree.args, *tree.body] if isinstance(tree, ast.FunctionDef) else ast.iter_child_nodes(tree)
    for node in own:
        yield node
        if isinstance(node, ast.FunctionDef):
            for outside in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]:
                yield outside
                yield from _inner(outside)
        else:
            yield from _inner(node)


def _place(node: ast.AST) -> _Place:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _end(node: ast.AST) -> _Place:
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


class _Scope:
    """The names of a function's body, or of the module's.

    Attributes:
        fixed: variables that hold what nothing can change.
        made: other variables.
        bound: names that are no variable of the program: arguments, those of loops, modules, functions of the tests.
    """

    def __init__(self, nodes: list[ast.AST]) -> None:
        self._nodes = nodes
        assigned = [node for node in nodes if isinstance(node, ast.Assign)]
        names = [(name.id, node) for node in assigned for target in node.targets for name in _names(target)]
        self._assigned = [(name, node) for name, node in names if not _is_fixed(node.value)]
        self.made = {name for name, _ in self._assigned}
        self.fixed = {name for name, _ in names} - self.made
        self.bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
        self.bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        self.bound |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        self.bound |= {
            name.id for node in nodes if isinstance(node, (ast.For, ast.comprehension)) for name in _names(node.target)
        }

    def is_plain(self, bound: set[str], *, is_lazy: bool) -> bool:
        """Tell whether what is read here is bound, or a variable to which no call can have done anything unseen.

        Args:
            bound: names that are bound, or fixed, in any scope, and made in none.
            is_lazy: whether anything in the tests may be run later than where it stands.
        """
        called = {id(node.func) for node in self._nodes if isinstance(node, ast.Call)}
        loads = [node for node in self._nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        made = [load for load in loads if load.id in self.made]
        if made and (is_lazy or not all(map(self._is_fresh, made))):
            return False
        known = self.made | self.bound | bound
        return all(load.id in known or id(load) in called or hasattr(builtins, load.id) for load in loads)

    def _is_fresh(self, load: ast.Name) -> bool:
        """Tell whether every call between the last making of a variable and this reading of it was given it."""
        made = [node for name, node in self._assigned if name == load.id and _end(node) <= _place(load)]
        if not made:
            return False
        last = max(made, key=_place)
        calls = [node for node in self._nodes if isinstance(node, ast.Call) and not _is_harmless(node)]
        loops = [node for node in self._nodes if isinstance(node, (ast.For, ast.GeneratorExp, ast.ListComp))]
        around = [loop for loop in loops if _within(load, loop) and not _within(last, loop)]
        between = [
            call
            for call in calls
            if _end(last) <= _place(call) < _place(load) or any(_within(call, loop) for loop in around)
        ]
        return all(_is_given(load.id, call) for call in between)


def _within(node: ast.AST, outer: ast.AST) -> bool:
    return _place(outer) <= _place(node) and _end(node) <= _end(outer)


def _is_fixed(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple):
        return all(map(_is_fixed, value.elts))
    return isinstance(value, ast.Constant) or (isinstance(value, ast.UnaryOp) and _is_fixed(value.operand))


def _is_harmless(call: ast.Call) -> bool:
    """Tell whether a call is none of the program."""
    return isinstance(call.func, ast.Attribute) or _is_named(call.func, _HARMLESS)


def _is_given(name: str, call: ast.Call) -> bool:
    """Tell whether a call is given a variable, by itself or in a literal."""
    left = [*call.args, *(keyword.value for keyword in call.keywords)]
    while left:
        value = left.pop()
        if isinstance(value, ast.Name) and value.id == name:
            return True
        if isinstance(value, _LITERALS):
            left.extend(node for node in ast.iter_child_nodes(value) if isinstance(node, ast.expr))
    return False


_CHECKS: dict[type, Callable[[Any], bool]] = {
    ast.Name: lambda node: node.id not in _LOOK_BEYOND,
    ast.arg: lambda node: node.arg not in _FIXTURES,  # what they capture, replace or make is one process's
    ast.Compare: _compares_values,
    ast.Import: _is_import,
    ast.ImportFrom: lambda node: node.module == "solution" and not node.level,
    ast.Attribute: _is_of_module,
    ast.Subscript: lambda node: isinstance(node.ctx, ast.Load),
    ast.Assign: _makes_variables,
    ast.With: _expects_errors,
}

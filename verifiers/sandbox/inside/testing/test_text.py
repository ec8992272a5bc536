"""What the text of tests says before it is run: which names it uses, which it gives itself, and of what form it is."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import types
from collections.abc import Iterator
from typing import Any

# Names that tests take from a library without an import, where the program has imported them too. A program's own
# thing of
# that name must not serve the tests.
_LIBRARIES = (
    "math", "collections", "itertools", "functools", "heapq", "bisect", "copy", "decimal", "fractions", "datetime",
    "typing", "random", "statistics", "string", "re", "json", "operator", "cmath", "numbers", "os", "sys", "io", "time",
    "unittest", "contextlib", "tempfile", "inspect", "types", "dataclasses", "enum",
)  # fmt: skip
_ALIASES = {"np": "numpy", "numpy": "numpy", "pd": "pandas", "pandas": "pandas", "pytest": "pytest", "nx": "networkx"}
# What compares or copies in tests. Not gcd, product and the like: those are what programs are asked for.
_FROM = {
    "math": ("isclose", "fabs", "isnan", "isinf", "isfinite", "fsum"),
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"),
    "copy": ("copy", "deepcopy"), "decimal": ("Decimal",), "fractions": ("Fraction",),
    "datetime": ("datetime", "date", "timedelta"),
}  # fmt: skip
_MADE_BY_DEF = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def may_shadow(names: dict[str, Any]) -> bool:
    """Tell whether a program defines anything under a name that tests may mean something else by."""
    return any(
        hasattr(builtins, name) or (name in _LIBRARIES or name in _in_libraries() or name in _ALIASES)
        for name, value in names.items()
        if not isinstance(value, types.ModuleType)
    )


class TestText:
    """See the module.

    Args:
        plan: of kind assert or script.

    Attributes:
        bound: names that the text gives itself at its top level: imports, functions, classes, variables.
        used: names that it reads anywhere.
        asked: names that it imports from the program.
        form: assert, check (a function that is given the candidate), tests (functions and classes), or module.
    """

    __test__ = False

    def __init__(self, plan: dict[str, Any]) -> None:
        keys = ("setup", "statement") if plan["kind"] == "assert" else ("code",)
        self.trees = [tree for key in keys if (tree := parsed(str(plan.get(key) or ""))) is not None]
        nodes = [node for tree in self.trees for node in ast.walk(tree)]
        self._reads = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        self._roots = {n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
        self._called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        top = [statement for tree in self.trees for statement in tree.body]
        self._defined = {name for statement in top for name in _defined(statement)}
        self.used = {name.id for name in self._reads}
        self.asked = {
            alias.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "solution" for alias in n.names
        }
        self.bound = self._defined | {name for n in nodes for name in _imported(n)}
        self.form = self._form(plan["kind"], top)

    def _form(self, kind: str, top: list[ast.stmt]) -> str:
        if kind == "assert":
            return "assert"
        functions = {n.name for n in top if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
        if "check" in functions:
            return "check"
        is_test = any(name.lower().startswith("test") for name in self._defined)
        has_class = any(isinstance(n, ast.ClassDef) and n.bases for n in top)
        return "tests" if is_test or has_class else "module"

    def withheld(self, names: dict[str, Any], entry_point: str | None) -> set[str]:
        """Return the names of the program's that must not serve the tests: those of built-ins and libraries.

        Unless the program is asked for them: some are asked for a ``sum``. So it is where the tests import it from the
        program by name, where it is the entry point and they call it by name, or where they use nothing else of the
        program's.
        """
        foreign = {name for name in names if hasattr(builtins, name) or self.library(name) is not None}
        asked = self.asked & foreign
        leaf = (entry_point or "").rpartition(".")[2]
        if leaf in foreign and (self.form != "check" or self._is_used_outside_functions(leaf)):
            asked = asked | {leaf}
        if not entry_point and not self.used & (set(names) - foreign) and not self.asked - {"*"}:
            asked = asked | (self._called & foreign - set(_ALIASES))
        return foreign - asked

    def _is_used_outside_functions(self, name: str) -> bool:
        top = [n for tree in self.trees for n in tree.body if not isinstance(n, _MADE_BY_DEF)]
        return any(isinstance(n, ast.Name) and n.id == name for statement in top for n in ast.walk(statement))

    def library(self, name: str) -> Any:
        """What a library has under a name that the tests use and do not import; None where it is no library's."""
        if name not in self.used or name in self.bound:
            return None
        if name in self._roots and name not in self._called:
            return _module(_ALIASES.get(name, name)) if name in _ALIASES or name in _LIBRARIES else None
        return _in_libraries().get(name)


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of a text, or None where it has none."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Yield names that a statement of the top level gives, imports aside."""
    if isinstance(statement, _MADE_BY_DEF):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield names that an import gives, but for those of the program."""
    if isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module != "solution":
        yield from (alias.asname or alias.name for alias in node.names)


def _module(name: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@functools.lru_cache(maxsize=1)
def _in_libraries() -> dict[str, Any]:
    return {name: getattr(importlib.import_module(module), name) for module, names in _FROM.items() for name in names}

"""Whether a program's text can reach the tests beside it at all: an allow-list, and what is not on it is not innocent.

Only of a program that is innocent does it count that tests pass in its own process. Looked at in the tests' container,
where no program runs. Innocent means: imports of calculating libraries only; no way to look names up at run time; no
attribute with an underscore but of its own objects; no equality, truth or membership of its own making; nothing of a
library or of a class replaced; no files, no processes, no exits. Most right programs are; a wrong one that is cannot
make a test pass but by returning what the test wants to see.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MODULES = frozenset((
    "abc", "array", "bisect", "calendar", "cmath", "collections", "contextlib", "copy", "csv", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "logging",
    "math", "networkx", "numbers", "numpy",
    "operator", "os", "pandas", "queue", "random", "re", "scipy", "sortedcontainers", "statistics", "string", "sympy",
    "sys", "textwrap", "time", "typing", "unicodedata", "warnings", "__future__",
))  # fmt: skip
_OF_MODULE = {
    "os": {"path", "environ", "getenv", "sep", "linesep"},
    "sys": {"stdin", "stdout", "stderr", "maxsize", "setrecursionlimit", "float_info", "version_info"},
    "io": {"StringIO", "BytesIO"},
    "contextlib": {"contextmanager", "suppress", "closing", "nullcontext"},
    "logging": {
        "getLogger",
        "debug",
        "info",
        "warning",
        "error",
        "critical",
        "exception",
        "DEBUG",
        "INFO",
        "WARNING",
        "ERROR",
        "CRITICAL",
    },
    "warnings": {"warn"},
}
_FORBIDDEN_NAMES = frozenset((
    "BaseException", "GeneratorExit", "KeyboardInterrupt", "StopIteration", "SystemExit", "breakpoint", "compile",
    "delattr", "dir", "eval", "exec", "exit", "getattr", "globals", "help", "locals", "memoryview", "open", "quit",
    "setattr", "vars",
))  # fmt: skip
_FORBIDDEN_ATTRIBUTES = frozenset((
    "attrgetter", "builtins", "codecs", "compile", "ctypes", "ctypeslib", "eval", "exec", "f2py", "fromfile", "gc",
    "get_type_hints", "importlib", "inspect", "io", "linecache", "make_dataclass", "marshal", "memmap", "methodcaller",
    "mock", "open_memmap", "os", "pickle", "signal", "socket", "subprocess", "sys", "testing", "threading", "tofile",
    "traceback", "types", "unittest", "warnings",
))  # fmt: skip
_FILES = ("to_", "read_", "load", "save")
_NO_FILES = frozenset((
    "to_dict", "to_numpy", "to_list", "to_datetime", "to_numeric", "to_frame", "to_period", "to_string", "to_bytes",
    "to_timedelta", "loads",
))  # fmt: skip
_OWN_METHODS = frozenset((
    "__init__", "__repr__", "__str__", "__len__", "__iter__", "__next__", "__getitem__", "__setitem__", "__lt__",
    "__enter__", "__exit__", "__post_init__", "__call__", "__missing__", "__add__",
))  # fmt: skip
# Of objects that need not be the program's own; "equals" is not among them.
_ASSIGNED = frozenset((
    "child", "children", "columns", "data", "index", "key", "left", "name", "next", "parent", "prev", "random", "right",
    "root", "size", "val", "value", "count", "flags", "shape",
))  # fmt: skip
_OWN = ("self", "cls")


def why_not(program: str) -> str:
    """Return why a program is not innocent, in a few words; "" where it is."""
    try:
        tree = ast.parse(program)
        return next(_faults(tree), "")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it cannot be read: {type(error).__name__}"


def _faults(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    modules = {
        (alias.asname or alias.name).partition(".")[0]: alias.name.partition(".")[0]
        for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }  # fmt: skip
    imported = {*modules, *(a.asname or a.name for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names)}
    roots = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _of_import(node)
        elif isinstance(node, ast.Attribute):
            yield from _of_attribute(node, modules, imported)
        elif isinstance(node, ast.Name):
            yield from _of_name(node, modules, imported, is_root=id(node) in roots)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("__") and node.name not in _OWN_METHODS:
                yield f"it defines {node.name}"
        elif isinstance(node, ast.ClassDef) and node.keywords:
            yield "it has a metaclass"
        elif _makes_a_class(node):
            yield "it makes a class of parts"


def _makes_a_class(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id == "type" and len(node.args) != 1


def _of_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"it imports {a.name}" for a in node.names if a.name.partition(".")[0] not in _MODULES)
        yield from (f"it imports {a.name}" for a in node.names if set(a.name.split(".")[1:]) & _FORBIDDEN_ATTRIBUTES)
        return
    module = (node.module or "").partition(".")[0]
    if node.level or module not in _MODULES:
        yield f"it imports from {node.module}"
    for alias in node.names:
        allowed = _OF_MODULE.get(module)
        if alias.name in _FORBIDDEN_ATTRIBUTES or (allowed is not None and alias.name not in allowed):
            yield f"it imports {alias.name} of {node.module}"


def _of_attribute(node: ast.Attribute, modules: dict[str, str], imported: set[str]) -> Iterator[str]:
    name, root = node.attr, node.value.id if isinstance(node.value, ast.Name) else ""
    if name.startswith("__") and name != "__init__":
        yield f"it uses {name}"
    if name.startswith("_") and root not in _OWN and name != "__init__":
        yield f"it uses {name} of what need not be its own"
    if name in _FORBIDDEN_ATTRIBUTES or (name.startswith(_FILES) and name not in _NO_FILES):
        yield f"it uses {name}"
    allowed = _OF_MODULE.get(modules.get(root, ""))
    if allowed is not None and name not in allowed:
        yield f"it uses {root}.{name}"
    if not isinstance(node.ctx, ast.Load) and root not in _OWN and (root in imported or name not in _ASSIGNED):
        yield f"it replaces {name}"


def _of_name(node: ast.Name, modules: dict[str, str], imported: set[str], *, is_root: bool) -> Iterator[str]:
    if node.id in _FORBIDDEN_NAMES or (node.id.startswith("__") and node.id != "__name__"):
        yield f"it uses {node.id}"
    if node.id in modules and not is_root:
        yield f"it hands {node.id} on"
    if node.id in imported and not isinstance(node.ctx, ast.Load):
        yield f"it replaces {node.id}"

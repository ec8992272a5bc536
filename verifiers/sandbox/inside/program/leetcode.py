"""LeetCode's and LiveCodeBench's way: a ``class Solution`` without imports, linked nodes that only a comment defines.

Such programs are written for a file that begins with imports of everything common. They find them here; programs of any
other form do not, since for them a missing import is a fault.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

# In the order of LiveCodeBench's own preamble, of two names that are the same the later wins; but typing, whose
# Counter is
# an alias, comes first.
_STARRED = (
    "typing", "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics",
    "itertools", "functools", "operator",
)  # fmt: skip
_MODULES = (*_STARRED, "io", "sys", "json", "time")


class ListNode:
    """LeetCode's own, from the comment above its problems."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:  # noqa: A002 - its name there
        self.val, self.next = val, next


class TreeNode:
    """LeetCode's own, from the comment above its problems."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val, self.left, self.right = val, left, right


NODES = {"ListNode": ListNode, "TreeNode": TreeNode}


def is_asked_for(code: Any) -> bool:
    """Tell whether a program's code is of this form."""
    return "Solution" in code.co_names


@functools.lru_cache(maxsize=1)
def preamble() -> dict[str, Any]:
    """Return what a program of this form finds: the modules, and what is in them unless a built-in has its name."""
    import builtins

    found: dict[str, Any] = {}
    for name in _STARRED:
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None) or [each for each in vars(module) if not each.startswith("_")]
        found.update({each: getattr(module, each) for each in public if not hasattr(builtins, each)})
    found.update({name: importlib.import_module(name) for name in _MODULES})
    return {**found, "inf": float("inf"), **NODES}


def is_given(name: str, value: Any) -> bool:
    """Tell whether a name of the program's is of the preamble; nodes are for the tests to use as well."""
    return name not in NODES and preamble.cache_info().currsize > 0 and preamble().get(name, preamble) is value


def methods_of(kind: Any) -> list[str]:
    """Return the names of the public methods of a ``class Solution``."""
    if not isinstance(kind, type):
        return []
    return [name for name, value in list(vars(kind).items()) if not name.startswith("_") and callable(value)]


def wants_an_object(kind: type, name: str) -> bool:
    """Tell whether a class's function is a method of its objects: its first parameter is called self."""
    found = inspect.getattr_static(kind, name, None)
    return inspect.isfunction(found) and next(iter(inspect.signature(found).parameters), "") == "self"


class Method:
    """A method, called on a new object each time.

    Args:
        kind: the class.
        name: of its method.
    """

    def __init__(self, kind: type, name: str) -> None:
        self._kind, self.__name__ = kind, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return getattr(self._kind(), self.__name__)(*args, **kwargs)


def helpers(names: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """LeetCodeDataset's four functions that its tests take for given.

    Args:
        names: where the tests find ListNode and TreeNode.
    """
    return {
        "list_node": lambda values: _list_node(names["ListNode"], values),
        "tree_node": lambda values: _tree_node(names["TreeNode"], values),
        "is_same_list": _is_same_list,
        "is_same_tree": _is_same_tree,
    }


def _list_node(kind: Any, values: list[Any]) -> Any:
    head = None
    for value in reversed(values):
        head = kind(value, head)
    return head


def _tree_node(kind: Any, values: list[Any]) -> Any:
    """Return a tree from its values level by level, where None stands for a missing child."""
    if not values:
        return None
    rest = iter(values)
    root = kind(next(rest))
    parents = [root]
    for parent in parents:
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = kind(value)
                setattr(parent, side, child)
                parents.append(child)
    return root


def _is_same_list(one: Any, other: Any) -> bool:
    while one is not None and other is not None:
        if one.val != other.val:
            return False
        one, other = one.next, other.next
    return one is None and other is None


def _is_same_tree(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    sides = ("left", "right")
    return one.val == other.val and all(_is_same_tree(getattr(one, s), getattr(other, s)) for s in sides)

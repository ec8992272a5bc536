"""In the program's process: loads it as module ``solution`` and answers requests for its functions and objects.

It runs beside the program and so can be patched by it. That changes what is answered, and nothing else: what is asked,
what is expected and what is reported are in other processes.
"""

from __future__ import annotations

import builtins
import functools
import sys
import types
from typing import Any

from verifiers.sandbox.inside import channel
from verifiers.sandbox.inside.values import decode, encode

_MUTABLE = (list, dict, set, bytearray)


def load(code: Any) -> types.ModuleType:
    """The program as a module; raises whatever it raises."""
    module = types.ModuleType("solution")
    module.__dict__.update(__file__="main.py", __builtins__=builtins)
    sys.modules["solution"] = module
    exec(code, module.__dict__)
    return module


def serve(fd: int, code: Any) -> None:
    """Loads the program, says what it defines, and answers requests until the other end hangs up."""
    try:
        module = load(code)
    except BaseException as error:
        channel.send(fd, {"failed": describe(error)})
        raise
    server = _Server(fd, module)
    channel.send(fd, {"loaded": server.names()})
    while True:
        try:
            request = channel.receive(fd)
        except channel.Gone:
            return
        channel.send(fd, server.answer(request))


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as data."""
    try:
        text = str(error)[:500]
    except BaseException:  # noqa: BLE001 - its text is the program's code too
        text = ""
    return {"type": type(error).__name__, "bases": bases(type(error)), "text": text}


def bases(kind: type) -> list[str]:
    """Names of an exception class's bases, nearest first."""
    return [base.__name__ for base in kind.__mro__ if issubclass(base, BaseException)]


class _Server:
    def __init__(self, fd: int, module: types.ModuleType) -> None:
        self._fd, self._module = fd, module
        self._objects: list[Any] = []

    def names(self) -> dict[str, Any]:
        """What the module defines."""
        found = {name: value for name, value in list(vars(self._module).items()) if not name.startswith("__")}
        return {name: self._descriptor(value) for name, value in found.items()}

    def _descriptor(self, value: Any) -> dict[str, Any]:
        if isinstance(value, type):
            return {"kind": "class", "bases": bases(value)}
        if callable(value):
            return {"kind": "function"}
        if isinstance(value, types.ModuleType):
            return {"kind": "module", "name": value.__name__}
        return {"kind": "value", "value": self._encoded(value)}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        try:
            reply: dict[str, Any] = getattr(self, f"_{request['op']}")(request)
        except BaseException as error:  # noqa: BLE001 - whatever the program raises is an answer
            return {"raised": describe(error)}
        return reply

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        target = self._target(request["target"])
        args = [decode(arg, self._import) for arg in request["args"]]
        kwargs = {name: decode(arg, self._import) for name, arg in request["kwargs"].items()}
        reply = {"value": self._encoded(target(*args, **kwargs))}
        changed = {}
        for position, (before, arg) in enumerate(zip(request["args"], args)):  # noqa: B905 - Python 3.9
            if isinstance(arg, _MUTABLE):
                after = self._encoded(arg)
                if after != before:
                    changed[str(position)] = after
        return {**reply, "changed": changed} if changed else reply

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": self._encoded(getattr(self._target(request["target"]), request["name"]))}

    def _set(self, request: dict[str, Any]) -> dict[str, Any]:
        setattr(self._target(request["target"]), request["name"], decode(request["value"], self._import))
        return {"value": None}

    def _special(self, request: dict[str, Any]) -> dict[str, Any]:
        """A method that the interpreter looks up on the class, as for ``len(x)`` or ``x + y``."""
        target = self._target(request["target"])
        method = getattr(type(target), request["name"], None)
        if method is None:
            return {"missing": True}
        result = method(target, *[decode(arg, self._import) for arg in request["args"]])
        return {"missing": True} if result is NotImplemented else {"value": self._encoded(result)}

    def _same(self, request: dict[str, Any]) -> dict[str, Any]:
        """Whether two objects of the program are equal; one that equals anything equals nothing."""
        left, right = self._target(request["target"]), decode(request["other"], self._import)
        return {"value": bool(left == right) and not bool(left == object())}

    def _isinstance(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": isinstance(decode(request["other"], self._import), self._target(request["target"]))}

    def _target(self, target: list[Any]) -> Any:
        kind, where = target
        return self._objects[where] if kind == "handle" else self._named(where)

    def _named(self, name: str) -> Any:
        """``f``, ``Class.method``, or, as LeetCode has it, a method of class Solution."""
        first, *rest = name.split(".")
        names = vars(self._module)
        if first not in names and not rest and hasattr(names.get("Solution"), first):
            return getattr(names["Solution"](), first)
        if first not in names:
            raise NameError(f"name {first!r} is not defined")
        found = names[first]
        for part in rest:
            found = getattr(found, part)
        return found

    def _encoded(self, value: Any) -> Any:
        return encode(value, self._export)

    def _export(self, value: Any) -> list[Any]:
        name = type.__getattribute__(value, "__name__") if isinstance(value, type) else ""
        if name and getattr(builtins, name, None) is value:
            return ["builtin", name]
        self._objects.append(value)
        return ["handle", len(self._objects) - 1, type(value).__name__, callable(value)]

    def _import(self, data: list[Any]) -> Any:
        if data[0] == "handle":
            return self._objects[data[1]]
        if data[0] == "builtin":
            return getattr(builtins, data[1])
        if data[0] == "name":
            return self._named(data[1])
        if data[0] == "callback":
            return functools.partial(self._call_back, data[1])
        raise ValueError(f"no such tag: {data[0]!r}")

    def _call_back(self, number: int, *args: Any, **kwargs: Any) -> Any:
        """A function of the tests that the program was given."""
        channel.send(
            self._fd,
            {
                "callback": number,
                "args": [self._encoded(arg) for arg in args],
                "kwargs": {name: self._encoded(arg) for name, arg in kwargs.items()},
            },
        )
        while True:
            message = channel.receive(self._fd)
            if "op" in message:  # the function itself asks for something of the program's
                channel.send(self._fd, self.answer(message))
                continue
            if "raised" in message:
                raise raised_like(message["raised"])
            return decode(message["value"], self._import)


def raised_like(raised: dict[str, Any]) -> BaseException:
    """An exception of the nearest built-in class."""
    for name in raised["bases"]:
        kind: Any | None = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            return kind(raised["text"])
    return RuntimeError(raised["text"])

"""In the tests' process: stand-ins for what the program defines. Values come back as plain data, objects as stand-ins.

A stand-in never equals plain data by the program's word: the comparison of plain values is the tests' own.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import sys
from typing import Any

from verifiers.sandbox.inside import channel
from verifiers.sandbox.inside.solution import describe
from verifiers.sandbox.inside.values import decode, encode

_UNARY = ("__len__", "__str__", "__repr__", "__iter__", "__next__", "__int__", "__float__", "__index__", "__neg__",
          "__abs__", "__reversed__", "__enter__", "__invert__", "__round__", "__format__")  # fmt: skip
_ACCESS = ("__getitem__", "__delitem__", "__setitem__", "__exit__")
# Between two objects of the program alone: one that subtracts to nothing is close to everything.
_AMONG_OBJECTS = ("__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__matmul__",
                  "__and__", "__or__", "__xor__", "__lt__", "__le__", "__gt__", "__ge__")  # fmt: skip
_WORDS = {"__len__": TypeError("object has no len()"), "__iter__": TypeError("object is not iterable")}


def _standard_modules() -> frozenset[str]:
    """Names that no program may give to another module: its ``math`` must be the tests' too."""
    return frozenset(getattr(sys, "stdlib_module_names", sys.builtin_module_names))


class Program:
    """The program behind a channel.

    Attributes:
        used_objects: whether anything but plain data has crossed.
        stops: whether the tests expect StopIteration of a function.
    """

    def __init__(self, fd: int) -> None:
        self.used_objects = False
        self.stops = False
        self._fd = fd
        self._callbacks: list[Any] = []
        self._classes: dict[str, type] = {}

    def define(self, names: dict[str, Any], text: str) -> dict[str, Any]:
        """Stand-ins for the names that the program has defined, and the modules that it has imported.

        Args:
            names: as the program's process described them.
            text: the tests; a module that they do not name is not imported here.
        """
        self.stops = "StopIteration" in text
        defined: dict[str, Any] = {}
        for name, found in names.items():
            if found["kind"] == "module":
                if name in text and (name == found["name"] or name not in _standard_modules()):
                    with contextlib.suppress(ImportError):
                        defined[name] = importlib.import_module(found["name"])
                continue
            if found["kind"] == "class" and found["bases"]:
                defined[name] = self.exception_class(found["bases"])
            elif found["kind"] == "value":
                defined[name] = decode(found["value"], self._import)
            else:
                defined[name] = Remote(self, ["name", name])
        return defined

    def exception_class(self, names: list[str]) -> type:
        """A class for the program's own exceptions: derived from their nearest built-in base."""
        name, *above = names
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, BaseException):
            return known
        if name not in self._classes:
            self._classes[name] = type(name, (self.exception_class(above or ["Exception"]),), {})
        return self._classes[name]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request's reply; raises what the program raised."""
        channel.send(self._fd, request)
        while True:
            reply = channel.receive(self._fd)
            if "callback" in reply:
                channel.send(self._fd, self._called_back(reply))
                continue
            if "raised" in reply:
                raise self._exception(reply["raised"], request)
            return reply

    def _exception(self, raised: dict[str, Any], request: dict[str, Any]) -> BaseException:
        """What the program raised. Its StopIteration would end a ``map`` of the tests, and all of nothing is true."""
        kind = self.exception_class(raised["bases"])
        if issubclass(kind, StopIteration) and request.get("name") != "__next__" and not self.stops:
            return RuntimeError("the program raised StopIteration")
        found: BaseException = kind(raised["text"])
        return found

    def value(self, reply: dict[str, Any]) -> Any:
        """What a reply holds."""
        return decode(reply["value"], self._import)

    def encoded(self, value: Any) -> Any:
        """A value for a request."""
        return encode(value, self._export)

    def _export(self, value: Any) -> list[Any]:
        self.used_objects = True
        if isinstance(value, Remote):
            return value._target  # noqa: SLF001 - a stand-in is ours
        name = str(getattr(value, "__name__", ""))
        if getattr(builtins, name, None) is value:
            return ["builtin", name]
        if callable(value):
            self._callbacks.append(value)
            return ["callback", len(self._callbacks) - 1]
        raise TypeError(f"a {type(value).__name__} of the tests cannot be given to the program")

    def _import(self, data: list[Any]) -> Any:
        if data[0] == "builtin" and isinstance(found := getattr(builtins, data[1]), type):
            return found
        if data[0] != "handle":
            raise ValueError(f"no such tag: {data[0]!r}")
        self.used_objects = True
        return Remote(self, ["handle", data[1]])

    def _called_back(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            function = self._callbacks[message["callback"]]
            args = [decode(arg, self._import) for arg in message["args"]]
            kwargs = {name: decode(arg, self._import) for name, arg in message["kwargs"].items()}
            return {"value": self.encoded(function(*args, **kwargs))}
        except Exception as error:  # noqa: BLE001 - whatever it raised is for the program to see
            return {"raised": describe(error)}


class Remote:
    """A function, class or object of the program."""

    def __init__(self, program: Program, target: list[Any]) -> None:
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "_target", target)

    _program: Program
    _target: list[Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls it there; arguments that it changed in place are changed here."""
        program = self._program
        reply = program.ask(
            {
                "op": "call",
                "target": self._target,
                "args": [program.encoded(arg) for arg in args],
                "kwargs": {name: program.encoded(arg) for name, arg in kwargs.items()},
            }
        )
        for position, after in reply.get("changed", {}).items():
            _update(args[int(position)], decode(after, program._import))  # noqa: SLF001
        return program.value(reply)

    def __getattr__(self, name: str) -> Any:
        return self._program.value(self._program.ask({"op": "get", "target": self._target, "name": name}))

    def __setattr__(self, name: str, value: Any) -> None:
        program = self._program
        program.ask({"op": "set", "target": self._target, "name": name, "value": program.encoded(value)})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Remote):
            return False
        program = self._program
        reply = program.ask({"op": "same", "target": self._target, "other": program.encoded(other)})
        return program.value(reply) is True

    def __hash__(self) -> int:
        return hash(tuple(self._target))

    def __bool__(self) -> bool:
        for name in ("__bool__", "__len__"):
            found = self._special(name)
            if found is not None:
                return bool(found[0])
        return True

    def __instancecheck__(self, instance: Any) -> bool:
        program = self._program
        request = {"op": "isinstance", "target": self._target, "other": program.encoded(instance)}
        return program.value(program.ask(request)) is True

    def __contains__(self, item: Any) -> bool:
        """What contains anything contains nothing."""
        found = self._special("__contains__", item)
        if found is None:
            return any(each is item or each == item for each in iter(self))
        if not found[0]:
            return False
        with contextlib.suppress(Exception):
            return not (self._special("__contains__", os.urandom(16).hex()) or [False])[0]
        return True

    def _special(self, name: str, *args: Any) -> list[Any] | None:
        program = self._program
        encoded = [program.encoded(arg) for arg in args]
        reply = program.ask({"op": "special", "target": self._target, "name": name, "args": encoded})
        return None if "missing" in reply else [program.value(reply)]


def _forwarded(name: str) -> Any:
    def special(self: Remote, *args: Any) -> Any:
        if name in _AMONG_OBJECTS and not isinstance(args[0], Remote):
            return NotImplemented
        found = self._special(name, *args)
        if found is not None:
            return found[0]
        if name in _AMONG_OBJECTS:
            return NotImplemented
        raise _WORDS.get(name, TypeError(f"object has no {name}"))

    return special


for _name in (*_UNARY, *_ACCESS, *_AMONG_OBJECTS):
    setattr(Remote, _name, _forwarded(_name))


def _update(argument: Any, after: Any) -> None:
    """What the program did to an argument in place."""
    if isinstance(argument, (list, bytearray)):
        argument[:] = after
    elif isinstance(argument, (dict, set)):
        argument.clear()
        argument.update(after)

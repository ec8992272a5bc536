"""In the tests' process: stand-ins for what the program defines. Values come back as plain data, objects as stand-ins.

A stand-in never equals plain data by the program's word: the comparison of plain values is the tests' own.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import inspect
import os
import re
import sys
from typing import Any

from verifiers.sandbox.inside.crossing import channel
from verifiers.sandbox.inside.crossing.typed import Receiver, Sender, update
from verifiers.sandbox.inside.program.solution import describe

_UNARY = ("__len__", "__str__", "__repr__", "__iter__", "__next__", "__int__", "__float__", "__index__", "__neg__",
          "__abs__", "__reversed__", "__enter__", "__invert__", "__round__", "__format__")  # fmt: skip
_ACCESS = ("__getitem__", "__delitem__", "__setitem__", "__exit__")
# Between two objects of the program alone: one that subtracts to nothing is close to everything.
_AMONG_OBJECTS = ("__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__matmul__",
                  "__and__", "__or__", "__xor__", "__lt__", "__le__", "__gt__", "__ge__")  # fmt: skip
_WORDS = {"__len__": TypeError("object has no len()"), "__iter__": TypeError("object is not iterable")}


def _standard_modules() -> frozenset[str]:
    """Return the names that no program may give to another module: its ``math`` must be the tests' too."""
    return frozenset(getattr(sys, "stdlib_module_names", sys.builtin_module_names))


class Program:
    """The program behind a channel.

    Attributes:
        used_objects: whether anything but data has crossed.
        stops: whether the tests expect StopIteration of a function.
    """

    def __init__(self, fd: int) -> None:
        self.used_objects = False
        self.stops = False
        self._fd = fd
        self._callbacks: list[Any] = []
        self._classes: dict[str, type] = {}
        self._known: dict[int, Any] = {}
        self._numpy_scalars = False

    def define(self, names: dict[str, Any], text: str) -> dict[str, Any]:
        """Stand-ins for the names that the program has defined, and the modules that it has imported.

        Args:
            names: as the program's process described them.
            text: the tests; a module that they do not name is not imported here.
        """
        self.stops = "StopIteration" in text
        self._numpy_scalars = re.search(r"\b(?:numpy|np|pandas|pd|dtype|item|astype)\b", text) is not None
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
                defined[name] = self.decoded(found["value"])
            else:
                defined[name] = Remote(self, ["name", name])
        return defined

    def exception_class(self, names: list[str]) -> type:
        """Return a class for the program's own exceptions: derived from their nearest built-in base."""
        name, *above = names
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, BaseException):
            return known
        if name not in self._classes:
            above_it = self.exception_class(above or ["Exception"])
            self._classes[name] = type(name, (above_it,), {"__str__": _text_of, "__getattr__": _more_of})
        return self._classes[name]

    def ask(self, request: dict[str, Any], made: list[Any] | None = None) -> dict[str, Any]:
        """Return one request's reply; raises what the program raised.

        Args:
            request: as ``solution`` answers it.
            made: mutable values of the request, by number; what the program has changed in them is changed here.
        """
        channel.send(self._fd, request)
        while True:
            reply = channel.receive(self._fd)
            if "callback" in reply:
                channel.send(self._fd, self._called_back(reply))
                continue
            for number, after in (reply.get("changed") or {}).items():
                update((made or [])[int(number)], self.decoded(after, made))
            if "raised" in reply:
                raise self._exception(reply["raised"], request)
            return reply

    def _exception(self, raised: dict[str, Any], request: dict[str, Any]) -> BaseException:
        """What the program raised. Its StopIteration would end a ``map`` of the tests, and all of nothing is true."""
        kind = self.exception_class(raised["bases"])
        if issubclass(kind, StopIteration) and request.get("name") != "__next__" and not self.stops:
            return RuntimeError("the program raised StopIteration")
        text = str(raised["text"])
        try:
            found: BaseException = kind(*self.decoded(raised["args"])) if "args" in raised else kind(text)
        except channel.Gone:
            raise
        except Exception:  # noqa: BLE001 - a class that wants other arguments
            found = kind(text)
        if kind.__name__ in self._classes:
            found.__dict__.update(_text=text, _handle=self.decoded(raised["handle"]) if "handle" in raised else None)
        elif str(found) != text:
            found = kind(text)
        return found

    def value(self, reply: dict[str, Any], made: list[Any] | None = None) -> Any:
        """Return what a reply holds."""
        return self.decoded(reply["value"], made)

    def decoded(self, data: Any, made: list[Any] | None = None) -> Any:
        """Return a value that the program has sent."""
        return Receiver(self._import, made or [], numpy_scalars=self._numpy_scalars).read(data)

    def sender(self, made: list[Any]) -> Sender:
        """Write the arguments of a request; those that can be changed get their numbers in ``made``."""
        return Sender(self._export, made, numbering=True)

    def encoded(self, value: Any) -> Any:
        """Return a value for a request."""
        return Sender(self._export, []).write(value)

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
        number = int(data[1])
        if data[2] == "coroutine":
            return self._awaited(number)
        if number not in self._known:
            self._known[number] = Remote(self, ["handle", number])
        return self._known[number]

    async def _awaited(self, number: int) -> Any:
        """Return a coroutine of the program's, as one of the tests' own."""
        return self.value(self.ask({"op": "await", "target": ["handle", number]}))

    def _called_back(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            function = self._callbacks[message["callback"]]
            args = [self.decoded(arg) for arg in message["args"]]
            kwargs = {name: self.decoded(arg) for name, arg in message["kwargs"].items()}
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
        """Call it there; arguments that it changed in place are changed here."""
        made: list[Any] = []
        sender = self._program.sender(made)
        request = {
            "op": "call",
            "target": self._target,
            "args": [sender.write(arg) for arg in args],
            "kwargs": {name: sender.write(arg) for name, arg in kwargs.items()},
        }
        return self._program.value(self._program.ask(request, made), made)

    def __getattr__(self, name: str) -> Any:
        if name == "__signature__":
            return self._signature()
        return self._program.value(self._program.ask({"op": "get", "target": self._target, "name": name}))

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        """What the program says of itself."""
        return self.__getattr__("__doc__")

    def _signature(self) -> inspect.Signature:
        found = self._program.ask({"op": "signature", "target": self._target})["value"]
        return inspect.Signature(
            [
                inspect.Parameter(
                    name,
                    inspect._ParameterKind(kind),  # noqa: SLF001 - it has no other name
                    default=self._program.decoded(default[0]) if default else inspect.Parameter.empty,
                )
                for name, kind, default in found
            ]
        )

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
        """Return what contains anything contains nothing."""
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


def _text_of(error: BaseException) -> str:
    """Return the text of an exception of the program's, as that has it."""
    text = error.__dict__.get("_text")
    return text if text is not None else Exception.__str__(error)


def _more_of(error: BaseException, name: str) -> Any:
    """Return what an exception of the program's has beside its arguments."""
    handle = error.__dict__.get("_handle")
    if handle is None:
        raise AttributeError(name)
    return getattr(handle, name)

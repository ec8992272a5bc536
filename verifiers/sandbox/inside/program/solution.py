"""In the program's process: loads it as module ``solution`` and answers requests for its functions and objects.

It runs beside the program and so can be patched by it. That changes what is answered, and nothing else: what is asked,
what is expected and what is reported are in other processes.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
import types
from typing import Any

from verifiers.sandbox.inside.crossing import channel
from verifiers.sandbox.inside.crossing.typed import Receiver, Sender, Snapshot
from verifiers.sandbox.inside.crossing.values import decode, encode
from verifiers.sandbox.inside.program import leetcode


def load(code: Any) -> types.ModuleType:
    """The program as a module; raises whatever it raises. A ``class Solution`` finds what LeetCode has imported."""
    module = types.ModuleType("solution")
    module.__dict__.update(__file__="main.py", __builtins__=builtins)
    if leetcode.is_asked_for(code):
        module.__dict__.update(leetcode.preamble())
    sys.modules["solution"] = module
    exec(code, module.__dict__)
    return module


def serve(fd: int, code: Any) -> None:
    """Load the program, says what it defines, and answers requests until the other end hangs up."""
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
    """Return an exception as data."""
    try:
        text = str(error)[:500]
    except BaseException:  # noqa: BLE001 - its text is the program's code too
        text = ""
    return {"type": type(error).__name__, "bases": bases(type(error)), "text": text}


def bases(kind: type) -> list[str]:
    """Return the names of an exception class's bases, nearest first."""
    return [base.__name__ for base in kind.__mro__ if issubclass(base, BaseException)]


def names_of(module: types.ModuleType) -> dict[str, Any]:
    """What the program has defined, and the methods of its ``class Solution``, each of a new object at every call."""
    own = {name: value for name, value in list(vars(module).items()) if not name.startswith("__")}
    own = {name: value for name, value in own.items() if not leetcode.is_given(name, value)}
    methods = {name: leetcode.Method(own["Solution"], name) for name in leetcode.methods_of(own.get("Solution"))}
    return {**methods, **own}


class _Server:
    def __init__(self, fd: int, module: types.ModuleType) -> None:
        self._fd, self._module = fd, module
        self._objects: list[Any] = []
        self._handles: dict[int, int] = {}
        self._loop: Any = None

    def names(self) -> dict[str, Any]:
        """Return what the module defines."""
        return {name: self._descriptor(value) for name, value in names_of(self._module).items()}

    def _descriptor(self, value: Any) -> dict[str, Any]:
        if isinstance(value, type):
            Sender.register(value)
            return {"kind": "class", "bases": bases(value)}
        if callable(value):
            return {"kind": "function"}
        if isinstance(value, types.ModuleType):
            return {"kind": "module", "name": value.__name__}
        return {"kind": "value", "value": self._encoded(value)}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to one request."""
        try:
            reply: dict[str, Any] = getattr(self, f"_{request['op']}")(request)
        except BaseException as error:  # noqa: BLE001 - whatever the program raises is an answer
            return {"raised": self._raised(error)}
        return reply

    def _raised(self, error: BaseException) -> dict[str, Any]:
        """Return an exception as data; one of the program's own classes with a handle for what that adds."""
        found = describe(error)
        try:
            found["args"] = self._encoded(tuple(error.args))
            if type(error).__module__ == "solution":
                found["handle"] = self._export(error)
        except BaseException:  # noqa: BLE001, S110 - they are the program's code too; then its text must do
            pass
        return found

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        target = self._target(request["target"])
        if request.get("plain"):  # for the host, which compares data
            args = [decode(arg, self._import) for arg in request["args"]]
            kwargs = {name: decode(arg, self._import) for name, arg in request["kwargs"].items()}
            return {"value": encode(target(*args, **kwargs), self._export)}
        made: list[Any] = []
        receiver = Receiver(self._import, made, numbering=True)
        args = [receiver.read(arg) for arg in request["args"]]
        kwargs = {name: receiver.read(arg) for name, arg in request["kwargs"].items()}
        snapshot = Snapshot(made)
        sender = Sender(self._export, made)
        try:
            reply = {"value": sender.write(target(*args, **kwargs))}
        except BaseException as error:  # noqa: BLE001 - as above
            reply = {"raised": self._raised(error)}
        changed = {str(number): sender.write_contents(made[number]) for number in snapshot.changed()}
        return {**reply, "changed": changed} if changed else reply

    def _await(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a coroutine, in the one event loop that the program's coroutines have here."""
        import asyncio

        self._loop = self._loop or asyncio.new_event_loop()
        return {"value": self._encoded(self._loop.run_until_complete(self._target(request["target"])))}

    def _signature(self, request: dict[str, Any]) -> dict[str, Any]:
        """Names, kinds and defaults of a function's parameters."""
        parameters = inspect.signature(self._target(request["target"])).parameters.values()
        return {
            "value": [
                [each.name, int(each.kind), [] if each.default is each.empty else [self._encoded(each.default)]]
                for each in parameters
            ]
        }

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": self._encoded(getattr(self._target(request["target"]), request["name"]))}

    def _set(self, request: dict[str, Any]) -> dict[str, Any]:
        setattr(self._target(request["target"]), request["name"], self._decoded(request["value"]))
        return {"value": None}

    def _special(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a method that the interpreter looks up on the class, as for ``len(x)`` or ``x + y``."""
        target = self._target(request["target"])
        method = getattr(type(target), request["name"], None)
        if method is None:
            return {"missing": True}
        result = method(target, *[self._decoded(arg) for arg in request["args"]])
        return {"missing": True} if result is NotImplemented else {"value": self._encoded(result)}

    def _same(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell whether two objects of the program are equal; one that equals anything equals nothing."""
        left, right = self._target(request["target"]), self._decoded(request["other"])
        return {"value": bool(left == right) and not bool(left == object())}

    def _isinstance(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": isinstance(self._decoded(request["other"]), self._target(request["target"]))}

    def _target(self, target: list[Any]) -> Any:
        kind, where = target
        return self._objects[where] if kind == "handle" else self._named(where)

    def _named(self, name: str) -> Any:
        """``f``, ``Class.method``, or, as LeetCode has it, a method of class Solution, by its name alone or with it."""
        first, *rest = name.replace("()", "").split(".")
        names = names_of(self._module)
        if first not in names:
            raise NameError(f"name {first!r} is not defined")
        found = names[first]
        if len(rest) == 1 and isinstance(found, type) and ("()" in name or leetcode.wants_an_object(found, rest[0])):
            return leetcode.Method(found, rest[0])
        for part in rest:
            found = getattr(found, part)
        return found

    def _encoded(self, value: Any) -> Any:
        return Sender(self._export, []).write(value)

    def _decoded(self, data: Any) -> Any:
        return Receiver(self._import, []).read(data)

    def _export(self, value: Any) -> list[Any]:
        """Return a handle: the same one for the same object, so that the tests can see that it is the same."""
        name = type.__getattribute__(value, "__name__") if isinstance(value, type) else ""
        if name and getattr(builtins, name, None) is value:
            return ["builtin", name]
        number = self._handles.get(id(value))
        if number is None:
            number = self._handles[id(value)] = len(self._objects)
            self._objects.append(value)
        kind = "coroutine" if inspect.iscoroutine(value) else type(value).__name__
        return ["handle", number, kind, callable(value)]

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
        """Return a function of the tests that the program was given."""
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
            return self._decoded(message["value"])


def raised_like(raised: dict[str, Any]) -> BaseException:
    """Return an exception of the nearest built-in class."""
    for name in raised["bases"]:
        kind: Any | None = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            return kind(raised["text"])
    return RuntimeError(raised["text"])

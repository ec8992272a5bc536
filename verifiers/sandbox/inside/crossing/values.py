"""Plain Python values as JSON and back, faithfully: what crosses between a program, its tests and the host.

The writer may be a hostile program. All that it can do is answer: subclasses lose what they have overridden (their data
is read by the built-in base's own methods), and what is no plain value crosses as a handle, or not at all. The reader
takes any JSON and raises nothing but Malformed.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import decimal
import fractions
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

MAX_DEPTH = 400
_FRAMES = 5 * MAX_DEPTH  # encoding takes three a level, and what calls it has some of its own
MAX_NODES = 1_000_000
_SAFE = 1 << 53
_SEQUENCES: dict[str, type] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": collections.deque
}  # fmt: skip


def _fraction(text: str) -> fractions.Fraction:
    """Not Fraction's own reading, to which 1e999999999 is a number of a billion digits."""
    numerator, _, denominator = text.partition("/")
    return fractions.Fraction(int(numerator), int(denominator or "1"))


_TEXTS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "fraction": (fractions.Fraction, str, _fraction),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "datetime": (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    "date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "time": (dt.time, dt.time.isoformat, dt.time.fromisoformat),
}

Export = Callable[[Any], list[Any]]
Import = Callable[[list[Any]], Any]


class Unencodable(ValueError):  # noqa: N818 - says why a value cannot cross
    """The value is no plain data: a loop, too deep, too large, or of a class of its own."""


class Malformed(ValueError):  # noqa: N818 - as above
    """What was read is no encoded value."""


@contextlib.contextmanager
def room_to_recurse() -> Iterator[None]:
    """Let values of ``MAX_DEPTH`` be walked, whatever limit the program has set for itself.

    For processes with one thread: the limit is the process's.
    """
    limit = sys.getrecursionlimit()
    if limit < _FRAMES:
        sys.setrecursionlimit(_FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def encode(value: Any, export: Export | None = None) -> Any:
    """Return the value as JSON, as plain data: what a subclass adds is left behind.

    Args:
        value: anything.
        export: makes a handle (a JSON list) of what is no plain data.

    Raises:
        Unencodable: see there.
    """
    try:
        return Encoder(export).encode(value, 0)
    except RecursionError:
        raise Unencodable(f"nested deeper than {MAX_DEPTH}") from None


class Encoder:
    """Writes one value; see :func:`encode`. A subclass may write some kinds of values otherwise."""

    def __init__(self, export: Export | None) -> None:
        self.export = export
        self._nodes = 0

    def encode(self, value: Any, depth: int) -> Any:
        """Return the value as JSON."""
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise Unencodable(f"nested deeper than {MAX_DEPTH}")
        if self._nodes > MAX_NODES:
            raise Unencodable(f"more than {MAX_NODES} values")
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is int:
            return value if -_SAFE < value < _SAFE else ["int", hex(value)]
        if kind is float:
            return ["float", value.hex()]
        try:
            found = self.special(value, depth) or self._plain(value, depth)
        except (TypeError, AttributeError, LookupError):  # a class that only claims to be a built-in one
            found = None
        if found is not None:
            return found[0]
        if self.export is not None:
            return self.export(value)
        raise Unencodable(f"a {type(value).__name__} is no plain data")

    def special(self, value: Any, depth: int) -> list[Any] | None:  # noqa: ARG002 - for subclasses
        """Return what a subclass writes otherwise, in a list of one; else None."""
        return None

    def _plain(self, value: Any, depth: int) -> list[Any] | None:
        """Return the encoded value in a list of one, or None where it is no plain data."""
        if isinstance(value, str):
            return [str.__str__(value)]
        if isinstance(value, int):
            number = int.__index__(value)
            return [number if -_SAFE < number < _SAFE else ["int", hex(number)]]
        if isinstance(value, float):
            return [["float", float.hex(value)]]
        if isinstance(value, dict):
            pairs = list(dict.items(value))
            return [["dict", [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in pairs]]]
        for name, kind in _SEQUENCES.items():
            if isinstance(value, kind):
                items = [self.encode(item, depth + 1) for item in kind.__iter__(value)]  # type: ignore[attr-defined]
                return [[name, sorted(items, key=json.dumps) if name.endswith("set") else items]]
        return self._rarer(value, depth)

    def _rarer(self, value: Any, depth: int) -> list[Any] | None:  # noqa: PLR0911 - one for each kind of value
        if isinstance(value, (bytes, bytearray)):
            return [["bytearray" if isinstance(value, bytearray) else "bytes", bytes(value).hex()]]
        if isinstance(value, complex):
            return [["complex", float.hex(value.real), float.hex(value.imag)]]
        if isinstance(value, range):
            return [["range", *[hex(end) for end in (value.start, value.stop, value.step)]]]
        if isinstance(value, dt.timedelta):
            return [["timedelta", value.days, value.seconds, value.microseconds]]
        for name, (kind, write, _) in _TEXTS.items():
            if type(value) is kind:
                return [[name, write(value)]]
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)):
            return [self.encode(value.tolist(), depth + 1)]
        return None


def decode(data: Any, import_: Import | None = None) -> Any:
    """Return the value that :func:`encode` wrote.

    Args:
        data: JSON, by whomever.
        import_: what to make of a handle.

    Raises:
        Malformed: it is nothing of the kind.
    """
    return Decoder(import_).read(data)


class Decoder:
    """Reads one value; see :func:`decode`. A subclass may know further tags."""

    def __init__(self, import_: Import | None) -> None:
        self._import = import_

    def read(self, data: Any) -> Any:
        """Return the value.

        Raises:
            Malformed: it is none.
        """
        try:
            return self.decode(data, 0)
        except Malformed:
            raise
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            raise Malformed(f"{type(error).__name__}: {error}"[:200]) from None

    def decode(self, data: Any, depth: int) -> Any:  # noqa: C901, PLR0911 - one for each kind of value
        """Return the value of any JSON; raises whatever it raises, see :meth:`read`."""
        if data is None or isinstance(data, (bool, str)) or (isinstance(data, int) and -_SAFE < data < _SAFE):
            return data
        if not isinstance(data, list) or not data or depth > MAX_DEPTH:
            raise Malformed(f"neither value nor tag: {type(data).__name__}")
        tag, *rest = data
        if tag == "int":
            return int(rest[0], 16)
        if tag == "float":
            return float.fromhex(rest[0])
        special = self.special(tag, rest, depth)
        if special is not None:
            return special[0]
        if tag == "dict":
            return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in rest[0]}
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self.decode(item, depth + 1) for item in rest[0])
        if tag in _TEXTS:
            return _TEXTS[tag][2](rest[0])
        if tag in _RARER:
            return _RARER[tag](*rest)
        if self._import is not None:
            return self._import(data)
        raise Malformed(f"no such tag: {tag!r:.40}")

    def special(self, tag: Any, rest: list[Any], depth: int) -> list[Any] | None:  # noqa: ARG002 - for subclasses
        """Return the value of a tag that a subclass knows, in a list of one; else None."""
        return None


_RARER: dict[str, Callable[..., Any]] = {
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda real, imag: complex(float.fromhex(real), float.fromhex(imag)),
    "range": lambda *ends: range(*[int(end, 16) for end in ends]),
    "timedelta": dt.timedelta,
}

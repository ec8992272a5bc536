"""Values between a program and its tests with their types: arrays, tables, named tuples, counters, identities.

Plain data cross as ``values`` has it. Beyond that: numpy's and pandas' own classes and those of ``collections`` cross
as what they are, made anew from plain data by the reader's own libraries; an object of a class of the program's that
derives from a built-in one crosses as that data, and with a handle for what its class adds. Arguments that can be
changed are numbered on both sides in the order in which they are met, so that a result may say "your second argument
itself", and changes in place find their way back to wherever the tests hold them.

The writer may be hostile: what is read is made of plain data and of names that are looked up in tables here.
"""

from __future__ import annotations

import collections
import importlib
import operator
import re
import sys
from collections.abc import Callable
from typing import Any

from verifiers.sandbox.inside.crossing.values import Decoder, Encoder, Export, Import, Malformed, room_to_recurse

_MUTABLE = (list, dict, set, bytearray, collections.deque)
_FACTORIES: dict[str, Any] = {kind.__name__: kind for kind in (list, dict, set, int, float, str, bool, tuple)}
_BASES: dict[str, type] = {kind.__name__: kind for kind in (int, float, str, bytes, tuple, list, dict, set)}
_DTYPE = re.compile(r"[<>|=]?[?biufcSUMm]\d{0,4}(?:\[\w{1,8}\])?")
_NAMED = frozenset((*vars(collections.namedtuple("_", ())), "__orig_bases__", "__annotations__"))  # noqa: PYI024

_tuples: dict[tuple[str, tuple[str, ...]], type] = {}
_stand_ins: dict[tuple[str, str], type] = {}


def is_mutable(value: Any) -> bool:
    """Tell whether a value is numbered: it may be changed in place, and that shows."""
    numpy = sys.modules.get("numpy")
    return isinstance(value, _MUTABLE) or (numpy is not None and isinstance(value, numpy.ndarray))


class Sender(Encoder):
    """Writes values with their types.

    Args:
        export: makes a handle of what is no data.
        made: mutable values that the other side has under their numbers.
        numbering: whether those that are met are numbered, and added to ``made``.
    """

    def __init__(self, export: Export, made: list[Any], *, numbering: bool = False) -> None:
        super().__init__(export)
        self._made, self._numbering = made, numbering
        self._numbers = {id(value): number for number, value in enumerate(made)}

    @staticmethod
    def register(kind: type) -> None:
        """Make a class of named tuples known, so that those of its name and fields are of that class."""
        fields = kind.__dict__.get("_fields")
        if issubclass(kind, tuple) and isinstance(fields, tuple):
            _tuples[kind.__name__, fields] = kind

    def write(self, value: Any) -> Any:
        """Return the value as JSON; what the other side has is named by its number."""
        with room_to_recurse():
            return self.encode(value, 0)

    def write_contents(self, value: Any) -> Any:
        """Return what is in a value that the other side has."""
        number = self._numbers.pop(id(value))
        try:
            return self.write(value)
        finally:
            self._numbers[id(value)] = number

    def special(self, value: Any, depth: int) -> list[Any] | None:  # noqa: PLR0911 - one for each kind of value
        """See the module."""
        kind = type(value)
        if kind is tuple:
            return None
        if is_mutable(value):
            number = self._numbers.get(id(value))
            if number is not None:
                return [["ref", number]]
            if self._numbering:
                self._numbers[id(value)] = len(self._made)
                self._made.append(value)
        if kind is list or kind is dict or kind is set:
            return None
        write = _WRITERS.get(f"{kind.__module__}.{kind.__qualname__}")
        if write is not None:
            return write(self, value, depth)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return _scalar(value)
        if kind.__module__ == "builtins" or not isinstance(value, tuple(_BASES.values())):
            return None
        return self._derived(value, kind, depth)

    def _derived(self, value: Any, kind: type, depth: int) -> list[Any] | None:
        fields = kind.__dict__.get("_fields")
        if isinstance(value, tuple) and isinstance(fields, tuple) and set(vars(kind)) <= _NAMED | set(fields):
            self.register(kind)
            items = [self.encode(item, depth + 1) for item in tuple.__iter__(value)]
            return [["namedtuple", kind.__name__, list(fields), items]]
        if self.export is None:
            return None
        target = getattr(kind, "_stands_for", None)
        if target is not None:  # what the tests were given goes back as what it was
            return [target(value)]
        base = next(name for name, each in _BASES.items() if isinstance(value, each))
        plain = self._plain(value, depth)
        return plain and [["like", base, plain[0], kind.__name__, self.export(value)]]

    def pairs(self, value: Any, depth: int) -> list[Any]:
        """Return the pairs of a dict of any class."""
        return [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in list(dict.items(value))]


def _scalar(value: Any) -> list[Any] | None:
    return [["scalar", value.dtype.str, value.tobytes().hex()]] if _DTYPE.fullmatch(value.dtype.str) else None


def _counter(sender: Sender, value: Any, depth: int) -> list[Any]:
    return [["Counter", sender.pairs(value, depth)]]


def _ordered(sender: Sender, value: Any, depth: int) -> list[Any]:
    return [["OrderedDict", sender.pairs(value, depth)]]


def _defaults(sender: Sender, value: Any, depth: int) -> list[Any]:
    factory = value.default_factory
    name = getattr(factory, "__name__", None)
    known = factory is None or _FACTORIES.get(str(name)) is factory
    return [["defaultdict", name if known else sender.encode(factory, depth + 1), sender.pairs(value, depth)]]


def _array(sender: Sender, value: Any, depth: int) -> list[Any] | None:
    shape = list(value.shape)
    if value.dtype.kind == "O":
        return [["objects", shape, [sender.encode(item, depth + 1) for item in value.ravel().tolist()]]]
    if not _DTYPE.fullmatch(value.dtype.str):
        return None
    return [["ndarray", value.dtype.str, shape, value.tobytes().hex()]]


def _column(sender: Sender, series: Any, depth: int) -> list[Any]:
    """Return a column's data, where numpy holds it; pandas' own arrays (categories, time zones) do not cross."""
    array = series.to_numpy()
    if str(series.dtype) != str(array.dtype):
        raise TypeError("a column that numpy does not hold")
    found = _array(sender, array, depth + 1)
    if found is None:
        raise TypeError("a column that does not cross")
    return list(found[0])


def _index(sender: Sender, index: Any, depth: int) -> list[Any]:
    names = [sender.encode(name, depth + 1) for name in index.names]
    if type(index).__name__ == "RangeIndex":
        return ["range", [index.start, index.stop, index.step], names]
    if type(index).__name__ == "MultiIndex":
        return ["multi", [sender.encode(row, depth + 2) for row in index.tolist()], names]
    return ["flat", _column(sender, index, depth), names]


def _frame(sender: Sender, value: Any, depth: int) -> list[Any]:
    columns = [_column(sender, value.iloc[:, number], depth) for number in range(value.shape[1])]
    return [["frame", _index(sender, value.index, depth), _index(sender, value.columns, depth), columns]]


def _series(sender: Sender, value: Any, depth: int) -> list[Any]:
    name = sender.encode(value.name, depth + 1)
    return [["series", _index(sender, value.index, depth), name, _column(sender, value, depth)]]


_WRITERS: dict[str, Callable[[Sender, Any, int], list[Any] | None]] = {
    "collections.Counter": _counter,
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _defaults,
    "numpy.ndarray": _array,
    "pandas.core.frame.DataFrame": _frame,
    "pandas.core.series.Series": _series,
    "pandas.DataFrame": _frame,  # as pandas 3 calls itself
    "pandas.Series": _series,
    "pandas._libs.tslibs.timestamps.Timestamp": lambda _, value, __: [["timestamp", value.isoformat()]],
    "pandas._libs.tslibs.nattype.NaTType": lambda _, __, ___: [["nat"]],
}


class Receiver(Decoder):
    """Reads values with their types.

    Args:
        import_: what to make of a handle.
        made: mutable values that have a number.
        numbering: whether those that are read get one, in the order in which the sender met them.
        numpy_scalars: whether a number of numpy's is one here too, or a plain number.
    """

    def __init__(
        self, import_: Import, made: list[Any], *, numbering: bool = False, numpy_scalars: bool = True
    ) -> None:
        super().__init__(import_)
        self._handle = import_
        self._made, self._numbering, self._numpy_scalars = made, numbering, numpy_scalars

    def read(self, data: Any) -> Any:
        """See :class:`Decoder`."""
        with room_to_recurse():
            return super().read(data)

    def special(self, tag: Any, rest: list[Any], depth: int) -> list[Any] | None:
        """See the module."""
        if tag == "ref":
            return [self._made[rest[0]]]
        if isinstance(tag, str) and tag in {"dict", "list", "set"}:
            return [self._container(tag, rest[0], depth)] if self._numbering else None
        read = _READERS.get(tag) if isinstance(tag, str) else None
        if read is None:
            return self._numbered_plain(tag, rest, depth) if self._numbering and tag in _NUMBERED else None
        return [read(self, rest, depth)]

    def _container(self, tag: str, items: Any, depth: int) -> Any:
        """Return a list, dict or set, numbered before what is in it, as the sender has met it."""
        if tag == "dict":
            return self.fill(self.number({}), items, depth)
        found: Any = self.number([] if tag == "list" else set())
        (found.extend if tag == "list" else found.update)(self.decode(item, depth + 1) for item in items)
        return found

    def _numbered_plain(self, tag: str, rest: list[Any], depth: int) -> list[Any]:
        if tag == "bytearray":
            return [self.number(bytearray.fromhex(rest[0]))]
        found: Any = self.number(collections.deque())
        found.extend(self.decode(item, depth + 1) for item in rest[0])
        return [found]

    def number(self, value: Any) -> Any:
        """Return the value, with its number."""
        if self._numbering:
            self._made.append(value)
        return value

    def fill(self, found: Any, items: Any, depth: int) -> Any:
        """Return a dict with its pairs."""
        for key, value in items:
            found[self.decode(key, depth + 1)] = self.decode(value, depth + 1)
        return found

    def defaults(self, rest: list[Any], depth: int) -> Any:
        """Return a defaultdict, whose factory may be a handle."""
        factory, items = rest
        made = _FACTORIES[factory] if isinstance(factory, str) else self.decode(factory, depth + 1)
        return self.fill(self.number(collections.defaultdict(made)), items, depth)

    def scalar(self, rest: list[Any], _: int) -> Any:
        """Return a number of numpy's."""
        numpy = _numpy()
        found = numpy.frombuffer(bytes.fromhex(rest[1]), _dtype(rest[0]))[0]
        return found if self._numpy_scalars or found.dtype.kind in "Mmc" else found.item()

    def objects(self, rest: list[Any], depth: int) -> Any:
        """Return an array of objects."""
        shape, items = rest
        found = _numpy().empty(len(items), dtype=object)
        for number, item in enumerate(items):
            found[number] = self.decode(item, depth + 1)
        return self.number(found.reshape(shape))

    def like(self, rest: list[Any], depth: int) -> Any:
        """Data of a built-in class under another class's name; what it does not have, its handle has."""
        base, plain, name, handle = rest
        return _stand_in(base, str(name), self.decode(plain, depth + 1), self._handle(handle))

    def index(self, written: list[Any], depth: int) -> Any:
        """Return an index of pandas'."""
        kind, data, names = written
        pandas = importlib.import_module("pandas")
        labels = [self.decode(name, depth + 1) for name in names]
        if kind == "range":
            return pandas.RangeIndex(*[int(each) for each in data], name=labels[0])
        if kind == "multi":
            return pandas.MultiIndex.from_tuples([self.decode(row, depth + 1) for row in data], names=labels)
        return pandas.Index(self.decode(data, depth + 1), name=labels[0])


def _numpy() -> Any:
    return importlib.import_module("numpy")


def _dtype(text: Any) -> Any:
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise Malformed(f"no such type of numbers: {text!r:.40}")
    return _numpy().dtype(text)


def _read_array(receiver: Receiver, rest: list[Any], _: int) -> Any:
    dtype, shape, data = rest
    return receiver.number(_numpy().frombuffer(bytes.fromhex(data), _dtype(dtype)).reshape(shape).copy())


def _read_tuple(receiver: Receiver, rest: list[Any], depth: int) -> Any:
    name, fields, items = rest
    key = (str(name), tuple(map(str, fields)))
    if key not in _tuples:
        _tuples[key] = collections.namedtuple(*key)  # noqa: PYI024
    return _tuples[key](*[receiver.decode(item, depth + 1) for item in items])


def _read_frame(receiver: Receiver, rest: list[Any], depth: int) -> Any:
    index, columns, data = rest
    pandas = importlib.import_module("pandas")
    rows = receiver.index(index, depth)
    arrays = {number: receiver.decode(each, depth + 1) for number, each in enumerate(data)}
    found = pandas.DataFrame(arrays, index=rows)
    found.columns = receiver.index(columns, depth)
    return found


def _read_series(receiver: Receiver, rest: list[Any], depth: int) -> Any:
    index, name, data = rest
    series = importlib.import_module("pandas").Series
    label = receiver.decode(name, depth + 1)
    return series(receiver.decode(data, depth + 1), index=receiver.index(index, depth), name=label)


_NUMBERED = ("bytearray", "deque")
_READERS: dict[str, Callable[[Receiver, list[Any], int], Any]] = {
    "Counter": lambda r, rest, depth: r.fill(r.number(collections.Counter()), rest[0], depth),
    "OrderedDict": lambda r, rest, depth: r.fill(r.number(collections.OrderedDict()), rest[0], depth),
    "defaultdict": Receiver.defaults,
    "namedtuple": _read_tuple,
    "like": Receiver.like,
    "ndarray": _read_array,
    "objects": Receiver.objects,
    "scalar": Receiver.scalar,
    "frame": _read_frame,
    "series": _read_series,
    "timestamp": lambda _, rest, __: importlib.import_module("pandas").Timestamp(str(rest[0])),
    "nat": lambda *_: importlib.import_module("pandas").NaT,
}


def _stand_in(base: Any, name: str, plain: Any, handle: Any) -> Any:
    """Compares, adds and prints as the built-in data does: only what that lacks is asked of the program."""
    key = (str(base), name)
    if key not in _stand_ins:
        space = {
            "__getattr__": lambda self, attribute: getattr(self.__dict__["_handle"], attribute),
            "_stands_for": lambda self: self.__dict__["_handle"]._target,  # noqa: SLF001 - a stand-in of ours
        }
        _stand_ins[key] = type(name, (_BASES[base],), space)
    found = _stand_ins[key](plain)
    found.__dict__["_handle"] = handle
    return found


class Snapshot:
    """What mutable values hold, to find those that were changed in place.

    Args:
        made: the values, by number.
    """

    def __init__(self, made: list[Any]) -> None:
        self._before = [(value, _shallow(value)) for value in made]

    def changed(self) -> list[int]:
        """Return the numbers of the values that hold something else now."""
        return [number for number, (value, before) in enumerate(self._before) if not _is_as(before, _shallow(value))]


def _shallow(value: Any) -> Any:
    if isinstance(value, dict):
        return [part for pair in dict.items(value) for part in pair]
    if isinstance(value, (list, collections.deque)):
        return list(value)
    if isinstance(value, (set, bytearray)):
        return value.copy()
    return (value.shape, value.tobytes())


def _is_as(before: Any, after: Any) -> bool:
    if isinstance(before, list):
        return len(before) == len(after) and all(map(operator.is_, before, after))
    return bool(before == after)


def update(value: Any, after: Any) -> None:
    """Make a value hold what it holds on the other side."""
    if isinstance(value, (list, bytearray)):
        value[:] = after
    elif isinstance(value, (dict, set)):
        value.clear()
        value.update(after)
    elif isinstance(value, collections.deque):
        value.clear()
        value.extend(after)
    else:
        value[...] = after

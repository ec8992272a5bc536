"""What a value of a recipe means, by what its key wants: understood where it can be meant one way, else refused.

``5``, ``"5"`` and ``5.0`` are one integer, ``yes`` is true where a boolean is wanted and a text where a text is,
``80%`` is a share, one text alone is a list of one. ``010``, ``1:30``, ``1,000`` and ``5k`` could be meant two ways.
docs/recipes.md has the table.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tracemill.core import Section
from tracemill.core.secrets import holds_password
from tracemill.recipe.yaml import Plain

Location = tuple[str | int, ...]

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0"), False),
}
_NOTHING: Final = frozenset({"null", "none", "~", ""})
_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]*(_[0-9]+)*)")
_OTHER_BASE: Final = re.compile(r"[+-]?0(x[0-9a-f]+|o[0-7]+|b[01]+)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(_[0-9]+)*)?\.?([0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)
_PERCENT: Final = re.compile(r"([0-9.]+) *%")
_NOT_FINITE: Final = re.compile(r"[+-]?\.?(nan|inf|infinity)", re.IGNORECASE)
# Why a text that looks like a number is none; the first that matches.
_TWO_WAYS: Final = (
    (_NOT_FINITE, "this is no finite one"),
    (re.compile(r"[+-]?0[0-9_]+"), "a leading zero makes this one octal for some readers"),
    (re.compile(r"[+-]?[0-9]+(:[0-9.]+)+"), "this is a time of day, or to base 60"),
    (re.compile(r"[+-]?[0-9]+(,[0-9]+)+(\.[0-9]+)?"), "a comma parts thousands for some, decimals for others"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"), "this is a date"),
    (re.compile(r"[0-9.]+ *%"), "per cent are for shares"),
    (re.compile(r"[0-9.]+ *[A-Za-z]+"), "write it without a unit"),
)
_LARGEST: Final = 2**63 - 1  # what JSON readers and Parquet hold


class UnclearError(ValueError):
    """A value that cannot be meant one way; says what was expected."""


class Fault(NamedTuple):
    """One value that is refused.

    Attributes:
        location: of its key, from the whole recipe on.
        got: the value.
        message: what is wrong with it.
    """

    location: Location
    got: object
    message: str


@dataclass
class Understanding:
    """Turns plain data into what the sections of a recipe want, and notes what it refuses.

    Attributes:
        faults: so far. A value that was refused stays as it is.
    """

    faults: list[Fault] = field(default_factory=list)

    def section(self, kind: type[Section], given: Mapping[str, Any], location: Location = ()) -> dict[str, Any]:
        """Return every value of a section; unknown keys stay as they are, for the section itself to refuse."""
        found = {}
        for name, value in given.items():
            declared = kind.model_fields.get(str(name))
            inner = (*location, str(name))
            found[str(name)] = value if declared is None else self._field(declared, value, inner)
        return found

    def _field(self, declared: FieldInfo, value: Any, location: Location) -> Any:
        default = None if declared.is_required() else declared.get_default(call_default_factory=True)
        if value is None and default in ((), {}):
            return default  # a key with nothing, or nothing but comments, below it
        wants_text = declared.annotation is str or get_origin(declared.annotation) is tuple
        if wants_text and isinstance(value, str) and not value.strip() and default != "":
            self._refuse(location, value, "is empty")
            return value
        return self._value(declared.annotation, declared.metadata, value, location)

    def _value(self, annotation: Any, metadata: Any, value: Any, location: Location) -> Any:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._value(inner[0], [*metadata, *inner[1:]], value, location)
        if origin in {Union, UnionType}:
            return self._one_of(inner, metadata, value, location)
        if origin in {tuple, dict}:
            return self._list(inner, value, location) if origin is tuple else self._mapping(inner, value, location)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            return self._subsection(annotation, value, location)
        try:
            return self._json(value, location) if annotation is Any else scalar(annotation, metadata, value)
        except UnclearError as refused:
            self._refuse(location, value, str(refused))
            return value

    def _subsection(self, kind: type[Section], value: Any, location: Location) -> Any:
        if value is None or value is True or (isinstance(value, Plain) and _BOOLEANS.get(value.lower()) is True):
            value = {}  # on, with its defaults; or a key with nothing, or nothing but comments, below it
        return self.section(kind, value, location) if isinstance(value, Mapping) else value

    def _one_of(self, kinds: tuple[Any, ...], metadata: Any, value: Any, location: Location) -> Any:
        some = [kind for kind in kinds if kind is not type(None)]
        if len(some) < len(kinds) and _is_nothing(value, some):
            return None
        if len(some) > 1:
            return self._either(set(some), value, location)
        if some[0] is str and isinstance(value, Plain) and value.lower() == "none":
            self._refuse(location, value, "write null for nothing, or 'none' in quotes for a text")
            return value
        return self._value(some[0], metadata, value, location)

    def _either(self, kinds: set[Any], value: Any, location: Location) -> Any:
        """Return a scalar that may be of several types: unquoted as YAML 1.2 has it, quoted a text."""
        if not isinstance(value, Plain):
            digits = isinstance(value, str) and kinds == {str, int} and _INTEGER.fullmatch(value)
            return int(str(value)) if digits else value
        if bool in kinds and value.lower() in {"yes", "no", "on", "off"}:
            self._refuse(location, value, "write true or false, or put the text in quotes")
            return value
        if bool in kinds and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if _INTEGER.fullmatch(value) and abs(int(value)) <= _LARGEST:
            return int(value)
        if float in kinds and _NUMBER.fullmatch(value) and re.search("[0-9]", value):
            return float(value)
        return str(value)

    def _json(self, value: Any, location: Location) -> Any:
        """Whatever JSON can hold; what stands without quotes is what YAML 1.2 takes it for."""
        if isinstance(value, Mapping):
            return {str(name): self._json(item, (*location, str(name))) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._json(item, (*location, index)) for index, item in enumerate(value)]
        if isinstance(value, Plain):
            return self._either({bool, int, float, str}, value, location)
        return str(value) if isinstance(value, str) else value

    def _list(self, kinds: tuple[Any, ...], value: Any, location: Location) -> Any:
        if isinstance(value, list | tuple):
            each = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
            pairs = zip(each, value, strict=False) if len(each) >= len(value) else ()
            found = [self._value(kind, (), item, (*location, i)) for i, (kind, item) in enumerate(pairs)]
            return found or value
        if kinds[-1] is not Ellipsis:
            return value
        return self._list_of_one(kinds[0], value, location)

    def _list_of_one(self, kind: Any, value: Any, location: Location) -> Any:
        """Return what is given alone where a list is wanted; choices may have commas between them."""
        if isinstance(kind, type) and issubclass(kind, Section):
            alone = isinstance(value, Mapping) and value and set(value) <= set(kind.model_fields)
            return [self._value(kind, (), value, (*location, 0))] if alone else value
        if not isinstance(value, str | int | float):
            return value
        parts = [value]
        if isinstance(value, str) and not _is_free_text(kind):
            parts = [type(value)(part.strip()) for part in value.split(",")]
        return [self._value(kind, (), part, (*location, i)) for i, part in enumerate(parts)]

    def _mapping(self, kinds: tuple[Any, ...], value: Any, location: Location) -> Any:
        if not isinstance(value, Mapping):
            return value
        found: dict[Any, Any] = {}
        for name, item in value.items():
            inner = (*location, str(name))
            key = self._value(kinds[0], (), name, inner)
            if key in found:
                self._refuse(inner, name, f"is {key} once more")
            found[key] = self._value(kinds[1], (), item, inner)
        return found

    def _refuse(self, location: Location, got: object, message: str) -> None:
        self.faults.append(Fault(location, got, message))


def _is_free_text(kind: Any) -> bool:
    """Tell whether a comma may be part of such a text."""
    return kind is str


def _is_nothing(value: Any, kinds: list[Any]) -> bool:
    """Tell whether nothing is meant where nothing may stand."""
    if value is None:
        return True
    sections = all(isinstance(kind, type) and issubclass(kind, Section) for kind in kinds)
    if sections and (value is False or (isinstance(value, Plain) and _BOOLEANS.get(value.lower()) is False)):
        return True
    if not isinstance(value, str):
        return False
    text = value.strip().lower()
    return text == "" or (text in _NOTHING and str not in kinds and SecretStr not in kinds)


def scalar(kind: Any, metadata: Any, value: Any) -> Any:
    """Return one value as what is wanted.

    Args:
        kind: the wanted type.
        metadata: bounds of it, as pydantic has them.
        value: what the recipe has; a text without quotes is :class:`tracemill.recipe.yaml.Plain`.

    Raises:
        UnclearError: it could be meant another way. What is of a wrong type altogether stays as it is.
    """
    if get_origin(kind) is Literal:
        return _choice(get_args(kind), value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice(tuple(kind), value)
    if kind is bool:
        return _boolean(value)
    if kind in {int, float}:
        number = _finite(_number(value, metadata))
        return _whole(number) if kind is int else number
    if kind is str:
        return _text(value)
    return value


def _choice(options: tuple[Any, ...], value: Any) -> Any:
    """Return the option that is written like the value but for case, blanks, dashes and underscores."""
    named = {_folded(option): option for option in options if isinstance(option, str)}
    if value is None:
        return named.get("none")  # null, where "none" is a choice
    return named.get(_folded(value), value) if isinstance(value, str) else value


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", str(text).strip().lower())


def _boolean(value: Any) -> Any:
    return _BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _number(value: Any, metadata: Any) -> Any:
    if isinstance(value, bool):
        raise UnclearError("should be a number, and not true or false")
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if found := _PERCENT.fullmatch(text):
        return _share(found[1], metadata)
    for looks, why in _TWO_WAYS:
        if looks.fullmatch(text):
            raise UnclearError(f"should be a plain number; {why}")
    if _NUMBER.fullmatch(text) and re.search("[0-9]", text):
        return float(text)
    return value


def _share(text: str, metadata: Any) -> float:
    """Return a number of per cent, as a share where at most 1 is wanted, as it is where at most 100 is."""
    most = {bound for name, bound in bounds(metadata).items() if name in {"lt", "le"}}
    try:
        return float(text) / 100 if most == {1} else float(text) if most == {100} else _no_share()
    except ValueError:
        raise UnclearError("should be a plain number; per cent are for shares") from None


def _no_share() -> float:
    raise ValueError


def _finite(number: Any) -> Any:
    if isinstance(number, float) and not math.isfinite(number):
        raise UnclearError("should be a finite number")
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) > _LARGEST:
        raise UnclearError(f"should be at most {_LARGEST}")
    return number + 0.0 if isinstance(number, float) else number  # -0.0 is 0.0


def _whole(number: Any) -> Any:
    if isinstance(number, float) and number.is_integer():
        return int(_finite(int(number)))
    return number


def _text(value: Any) -> Any:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and holds_password(value):
        raise UnclearError("a user or password in a URL is shown in logs: see docs/recipes.md")
    return str(value) if isinstance(value, str) else value


def bounds(metadata: Any) -> dict[str, float]:
    """Return the bounds of a number by their names in pydantic: ``gt``, ``ge``, ``lt``, ``le``."""
    found: dict[str, float] = {}
    for each in metadata:
        if isinstance(each, FieldInfo):
            found |= bounds(each.metadata)
        for kind, name in ((Gt, "gt"), (Ge, "ge"), (Lt, "lt"), (Le, "le")):
            if isinstance(each, kind):
                found[name] = getattr(each, name)
    return found

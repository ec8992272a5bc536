"""What is wrong with a recipe, in words: each fault once, with its key, its value and the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, get_args, get_origin

from tracemill.core import Section
from tracemill.core.secrets import HIDDEN, is_secret_key, without_password
from tracemill.recipe.values import Fault, Location

_SHOWN_CHARS: Final = 200
# What pydantic puts before its words, and what says nothing to whoever wrote the recipe.
_PREFIXES: Final = ("Value error, ", "Input ", "Tuple ", "List ", "Dictionary ", "String ", "Value ")
_WORDS: Final = {
    "string_type": "should be text",
    "tuple_type": "should be a list",
    "model_type": "should be a section: keys with values",
    "model_attributes_type": "should be a section: keys with values",
    "dict_type": "should be a mapping: keys with values",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "int_type": "should be an integer",
    "int_parsing": "should be an integer",
    "int_from_float": "should be an integer",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
}
_MEMBERS: Final = frozenset({"str", "int", "float", "bool", "[key]"})  # what pydantic adds to a location


def explain(kind: type[Section], faults: Iterable[Fault], found: Sequence[Any]) -> str:
    """Return every fault on a line of its own.

    Args:
        kind: of the recipe.
        faults: values that could not be understood.
        found: the errors of its validation, as pydantic tells them.
    """
    lines: dict[str, None] = {}
    refused = {fault.location for fault in faults}
    for fault in faults:
        lines[f"{_dotted(fault.location)}: got {_shown(fault.location, fault.got)}; {fault.message}"] = None
    for place, items in _by_place(found).items():
        if not any(place[: len(location)] == location for location in refused):
            lines[_told(kind, place, items)] = None
    return "".join(f"\n    {line}" for line in lines)


def _by_place(found: Sequence[Any]) -> dict[Location, list[Any]]:
    """Errors by where the recipe has what they are about: of several types that a value could have, one fault."""
    places: dict[Location, list[Any]] = {}
    for item in found:
        if item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
            continue  # its items are wrong, which is told of each of them
        location = tuple(item["loc"])
        while location and location[-1] in _MEMBERS and item["type"] != "extra_forbidden":
            location = location[:-1]
        places.setdefault(location, []).append(item)
    return places


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location) or "(the whole recipe)"


def _told(kind: type[Section], location: Location, items: list[Any]) -> str:
    key, item = _dotted(location), items[0]
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_hint(kind, location)}"
    if item["type"] == "missing":
        return f"{key}: required, and missing"
    told = " or ".join(dict.fromkeys(_message(each) for each in items))
    near = _nearest_choice(item)
    whole = isinstance(item["input"], dict | list | tuple | Section) or not location
    got = "" if whole and item["type"] == "value_error" else f"got {_shown(location, item['input'])}; "
    return f"{key}: {got}{told}{near}"


def _message(item: Any) -> str:
    if item["type"] in _WORDS:
        return _WORDS[item["type"]]
    message: str = item["msg"]
    if item["type"] == "too_short":
        return f"should have at least {item['ctx']['min_length']} item(s)"
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return message


def _shown(location: Location, value: object) -> str:
    """Return a value for people; never a secret, and no more than the beginning of what is long."""
    if any(is_secret_key(str(part)) for part in location):
        return HIDDEN
    if isinstance(value, dict):
        return f"a mapping of {', '.join(map(str, value)) or 'nothing'}"
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        return f"a list of {len(value)}"
    text = without_password(repr(_plain(value)))
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _nearest_choice(item: Any) -> str:
    if item["type"] not in {"literal_error", "enum"} or not isinstance(item["input"], str):
        return ""
    choices = item["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
    near = difflib.get_close_matches(item["input"].lower(), choices, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _hint(kind: type[Section], location: Location) -> str:
    """Return the nearest key of the section; or where else in the recipe such a key stands; or all that there are."""
    fields = _section_at(kind, location[:-1]).model_fields
    valid = [declared.alias or name for name, declared in fields.items()]
    name = str(location[-1])
    near = difflib.get_close_matches(name.replace("-", "_").lower(), valid, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = [path for path in _keys(kind) if path.rpartition(".")[2] == name]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere[:3])}?"
    return f"valid keys: {', '.join(valid)}"


def _keys(kind: type[Section], path: str = "") -> Iterator[str]:
    for name, declared in kind.model_fields.items():
        inner = f"{path}.{name}".lstrip(".")
        yield inner
        section = _section_in(declared.annotation)
        if section is not None:
            yield from _keys(section, f"{inner}[]" if get_origin(declared.annotation) is tuple else inner)


def _section_at(kind: type[Section], location: Location) -> type[Section]:
    section = kind
    for part in location:
        if isinstance(part, str):
            section = _section_in(section.model_fields[part].annotation) or section
    return section


def _section_in(annotation: Any) -> type[Section] | None:
    """Return the Section class inside an annotation such as ``tuple[Source, ...]`` or ``Distill``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner)) is not None), None)

"""``docs/recipe-reference.md``, made from the recipe's sections by ``make docs``: every key, its type, bounds, default.

A key's words are the field's own description; a section's, the first line of its class. What is accepted and what the
reference says cannot drift apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import orjson
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tracemill.core import Section
from tracemill.recipe import Recipe

INTRO: Final = """# Recipe reference

Every key of a recipe. This page is made from the code (`make docs`); how the sections work together stands in
[recipes](recipes.md). Keys marked *how to run* are in no cache key: changing them recomputes nothing. A key without a
default has to be given. `--set section.key=value` sets any of them on the command line; elements of lists (`[]`) are
named by their position or name, as in `--set sources.gsm8k.path=other.jsonl`.
"""
_HEADER: Final = ("| key | type | default | |", "|---|---|---|---|")
_PLAIN: Final = {
    str: "text",
    int: "integer",
    float: "number",
    Any: "any value",
    bool: "true or false",
    SecretStr: "secret text",
}
_SIGNS: Final = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))


class Place(NamedTuple):
    """A section in a recipe.

    Attributes:
        path: of keys, dotted; ``[]`` where there is a list of such sections.
        section: what stands there.
    """

    path: str
    section: type[Section]


WHOLE: Final = Place("", Recipe)


def reference() -> str:
    """Return the page."""
    return "\n".join([INTRO, *(line for place in places() for line in _part(place))])


def places(place: Place = WHOLE) -> Iterator[Place]:
    """Yield the whole recipe, then every section in it, each before those that it contains."""
    yield place
    for name, field in place.section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None:
            listed = "[]" if get_origin(field.annotation) is tuple else ""
            yield from places(Place(f"{place.path}.{name}{listed}".lstrip("."), inner))


def keys() -> set[str]:
    """Return every dotted key, without the marks of lists."""
    found = {f"{place.path}.{name}".lstrip(".") for place in places() for name in place.section.model_fields}
    return {key.replace("[]", "") for key in found}


def section_in(annotation: Any) -> type[Section] | None:
    """Return the section that a field holds: alone, optional, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for inner in get_args(annotation) if (found := section_in(inner)) is not None), None)


def described(field: FieldInfo) -> str:
    """Return a field's description; of a section without one, the first line of its class; "" if there is neither."""
    section = section_in(field.annotation)
    return field.description or (_about(section) if section else "")


def _about(section: type[Section]) -> str:
    return (section.__doc__ or "").strip().partition("\n")[0]


def _part(place: Place) -> Iterator[str]:
    depth = place.path.count(".") + 2
    title = f"`{place.path}`" if place.path else "The whole recipe"
    yield from (f"{'#' * min(depth, 4)} {title}", "", _about(place.section).replace("``", "`"), "", *_HEADER)
    for name, field in place.section.model_fields.items():
        inner = f"{place.path}.{name}".strip(".")
        kind = _type(field).replace("section", f"[section](#{anchor(inner)})")
        yield f"| `{name}` | {kind} | {_default(field)} | {_told(field)} |"
    yield ""


def anchor(path: str) -> str:
    """Return the anchor of a section's heading, as GitHub makes it: dots and brackets go."""
    return path.replace(".", "").replace("[]", "")


def _told(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    operational = isinstance(extra, dict) and bool(extra.get("operational"))
    return f"{_cell(described(field))}{' *How to run.*' if operational else ''}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    default = field.get_default(call_default_factory=True)
    return "" if isinstance(default, Section) else f"`{orjson.dumps(default).decode()}`"


def _type(field: FieldInfo) -> str:
    return _cell(_named(field.annotation, field.metadata))


def _named(annotation: Any, metadata: Any = ()) -> str:
    """Return a type in words, with its bounds."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _named(inner[0], inner[1:])
    return f"{_bare(annotation, origin, inner)}{_bounds(metadata)}"


def _bare(annotation: Any, origin: Any, inner: tuple[Any, ...]) -> str:
    if origin in {Union, UnionType}:
        return " or ".join("null" if each is type(None) else _named(each) for each in inner)
    if origin is Literal:
        return ", ".join(f"`{each.value if isinstance(each, Enum) else each}`" for each in inner)
    if origin is tuple:
        return f"list of {_named(inner[0])}" if inner[-1] is Ellipsis else f"{len(inner)} times {_named(inner[0])}"
    if origin is dict:
        return f"mapping of {_named(inner[0])} to {_named(inner[1])}"
    if issubclass(annotation, Section):
        return "section"
    return ", ".join(f"`{each}`" for each in annotation) if issubclass(annotation, Enum) else _PLAIN[annotation]


def _bounds(metadata: Any) -> str:
    """Return what pydantic checks beside the type: bounds and lengths, also those inside a Field."""
    told = []
    for each in metadata:
        if isinstance(each, FieldInfo):
            told.append(_bounds(each.metadata))
        told += [f", {sign} {getattr(each, name):g}" for kind, name, sign in _SIGNS if isinstance(each, kind)]
        if isinstance(each, MinLen):
            told.append(f", at least {each.min_length}")
        if isinstance(each, MaxLen):
            told.append(f", at most {each.max_length} characters")
        if pattern := getattr(each, "pattern", None):
            told.append(f", like `{pattern}`")
    return "".join(told)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")

"""``section.key=value`` settings on top of a recipe: which key each names, and that none is given twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tracemill.core import RecipeError
from tracemill.core.secrets import HIDDEN, holds_password, is_header, is_secret_key, is_secret_place, shown_override
from tracemill.recipe.yaml import parse_yaml

Key = tuple[str | int, ...]


class Override(NamedTuple):
    """One setting.

    Attributes:
        shown: as it was given, for messages; without secrets.
        path: the key's parts.
        value: as data.
    """

    shown: str
    path: list[str]
    value: Any


def read_override(text: str) -> Override:
    """Return one setting, its value read as YAML.

    Raises:
        RecipeError: it is no ``section.key=value``, or the value is no YAML.
    """
    key, separator, value = text.partition("=")
    path = [part.strip() for part in key.strip().split(".")]
    if not separator or not all(path):
        shown = shown_override(text)
        raise RecipeError("an override is not understood", got=shown, expected="section.key=value")
    try:
        return Override(shown_override(text), path, parse_yaml(value, f"the value of override {key.strip()}"))
    except RecipeError as error:
        got = HIDDEN if any(map(is_secret_key, path)) else error.got
        raise RecipeError(error.what, got=got, expected="a value in YAML", remedy=error.remedy) from None


def overridden(raw: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """Return a copy of a recipe's data with settings on top; later ones may refine earlier ones, and replace none.

    Raises:
        RecipeError: a setting names no key, or one that an earlier setting names.
    """
    copied: dict[str, Any] = _copied(raw)
    given: dict[Key, str] = {}
    for text in texts:
        override = read_override(text)
        key = _assign(copied, override.path, override)
        before = next((shown for earlier, shown in given.items() if earlier[: len(key)] == key), None)
        if before is not None:
            raise RecipeError(
                f"override {'.'.join(override.path)} is given twice",
                got=f"{before} and {override.shown}",
                expected="every key once",
                remedy="leave one of them out",
            )
        given[key] = override.shown
    return copied


def _copied(value: Any) -> Any:
    """Return a deep copy in which what YAML's aliases share stands apart: a setting changes one place."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _assign(node: Any, path: list[str], override: Override) -> Key:
    """Put a value where it belongs; returns the key, with positions for names of list elements."""
    head, *rest = path
    if isinstance(node, list):
        place: str | int = _index(node, head, override)
    elif isinstance(node, dict):
        place = head
        if rest and node.get(head) is None:
            node[head] = {}  # a section that is not there, or has nothing in it
    else:
        raise RecipeError("an override goes below a plain value", got=override.shown, expected="section.key=value")
    if rest:
        return (place, *_assign(node[place], rest, override))
    node[place] = override.value
    return (place,)


def _index(node: list[Any], text: str, override: Override) -> int:
    """List elements are named by position or, where they have one, by their name or the known one they take it from."""
    names = [item.get("name", item.get("known")) if isinstance(item, dict) else None for item in node]
    if text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < len(node):
        return int(text)
    raise RecipeError(
        "an override names no element", got=override.shown, expected=f"one of {[str(name) for name in names if name]}"
    )


def literal_secret(text: str) -> str | None:
    """The key of a setting that holds a secret itself, and not only says where it is; None where there is none."""
    try:
        override = read_override(text)
    except RecipeError:
        return _suspect(text)
    return next(_literal(override.value, ".".join(override.path)), None)


def _literal(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if not (name == "env" and _is_of_secret(key)):
                yield from _literal(item, f"{key}.{name}")
            elif not is_secret_place(f"env:{item}"):
                yield key
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _literal(item, f"{key}.{index}")
    elif value is not None and (holds_password(str(value)) or (_is_of_secret(key) and not is_secret_place(str(value)))):
        yield key


def _is_of_secret(key: str) -> bool:
    return is_secret_key(_last_name(key)) or is_header(key)


def _last_name(key: str) -> str:
    return next((part for part in reversed(key.split(".")) if not part.isdecimal()), "")


def _suspect(text: str) -> str | None:
    """Return a setting that cannot be read, and in which a secret may stand all the same."""
    words = [word for word in re.findall(r"[\w.-]+", text) if is_secret_key(word.rpartition(".")[2])]
    return words[0] if words else "of a URL" if holds_password(text) else None

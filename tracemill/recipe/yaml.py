"""The text of a recipe to plain data, strictly: nothing that stands in it is lost, and nothing is guessed at.

YAML takes the last of two equal keys and forgets the first; it makes numbers, booleans and dates of texts by what they
look like (``no``, ``010``, ``1:30``, ``2025-01-20``). Here keys that stand twice are refused with their lines, and a
scalar without quotes stays text, of class :class:`Plain`, until :mod:`tracemill.recipe.values` knows what is wanted.

Error messages quote no line of the file: a key or a password may stand in it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tracemill.core import RecipeError

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NULL: Final = re.compile(r"(~|null|Null|NULL|)\Z")
_STR: Final = "tag:yaml.org,2002:str"
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_QUOTED: Final = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"")


class Plain(str):
    """A scalar that stands in YAML without quotes: its key says whether it is a number, a boolean or a text."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """YAML in which only nulls and merge keys are told by their looks."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(_NULL_TAG, _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    value = str(loader.construct_scalar(node))
    return value if node.style else Plain(value)


_Loader.add_constructor(_STR, _text)


def read_yaml(path: str | Path) -> Any:
    """Return the data in a recipe's file.

    Raises:
        RecipeError: there is no such file, it is no text, no YAML, or says something twice.
    """
    place = Path(path)
    if place.is_dir():
        raise RecipeError(
            f"recipe {path} is a folder",
            expected="a YAML file",
            remedy=f"name the file in it: {', '.join(_recipes_in(place)) or 'there is no .yaml file in it'}",
        )
    try:
        raw = place.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RecipeError(f"cannot read recipe {path}", got=str(reason), remedy="name an existing YAML file") from error
    return parse_yaml(_decoded(raw, str(path)), f"recipe {path}")


def parse_yaml(text: str, origin: str) -> Any:
    """Return the data in one YAML document.

    Args:
        text: of the document.
        origin: where it is from, for the error.

    Raises:
        RecipeError: it is no YAML, or says something twice.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        faults = list(_twice(root, "", ()))
        if faults:
            raise RecipeError(
                f"{origin} says something twice; nothing has run",
                got="".join(f"\n    {fault}" for fault in faults),
                expected="every key once: YAML would keep the last and forget the others",
                remedy="merge them, or remove all but one",
            )
        return loader.construct_document(root)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a tag that the text does not fit, as !!int x
        raise _no_yaml(error, origin) from None
    except RecursionError:
        raise RecipeError(f"{origin} is nested too deeply", expected="sections of a recipe") from None


def _recipes_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})[:5]


def _decoded(raw: bytes, path: str) -> str:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"cannot read recipe {path}",
            got=f"byte 0x{raw[error.start]:02x} on line {line}, which is no {encoding.upper()}",
            expected="a text file in UTF-8",
            remedy="save it as UTF-8",
        ) from None


def _no_yaml(error: Exception, origin: str) -> RecipeError:
    """Return what the parser found, and where; the text around it stays unquoted."""
    mark = getattr(error, "problem_mark", None)
    first = getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "characters that are no text")
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(getattr(error, "context", "")):
        return RecipeError(
            f"{origin} is more than one YAML document",
            got=f"a second document{where}",
            expected="one recipe a file",
            remedy="split the file, or remove the line ---",
        )
    if "duplicate anchor" in str(getattr(error, "context", "")):
        problem, remedy = "an anchor that is defined twice", "give one of the two another name"
    elif "'\\t'" in problem:
        problem, remedy = "a tab where only blanks may stand", "indent with blanks"
    else:
        remedy = "put texts that hold ': ', ' #' or begin with one of *&!%@`{[ in quotes"
    begun = f" (in what begins on line {first.line + 1})" if first and mark and first.line != mark.line else ""
    return RecipeError(
        f"{origin} is not YAML",
        got=_QUOTED.sub("…", problem) + where + begun,
        expected="a mapping of sections",
        remedy=remedy,
    )


def _twice(node: yaml.Node, path: str, above: tuple[int, ...]) -> Iterator[str]:
    """Every key that stands more than once in one mapping, at any depth; anchored parts are looked at where they stand.

    Args:
        node: the mapping, or a list with mappings in it.
        path: of the node, dotted.
        above: ids of the nodes that hold this one.
    """
    if isinstance(node, yaml.ScalarNode):
        return
    if id(node) in above:
        raise RecipeError(
            "a recipe holds itself",
            got=f"an alias inside of what it stands for, at {path}, line {node.start_mark.line + 1}",
            expected="aliases of what stands elsewhere",
        )
    inside = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _twice(item, f"{path}.{index}".strip("."), inside)
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name, line = _key(key), key.start_mark.line + 1
        dotted = f"{path}.{name}".strip(".")
        if name in seen:
            yield f"{dotted}: {_lines(seen[name], line)}"
        seen.setdefault(name, line)
        yield from _twice(value, dotted, inside)
        if key.tag == _MERGE:
            yield from _merged_twice(value, path, {_key(own) for own, _ in node.value})


def _lines(first: int, second: int) -> str:
    return f"twice on line {first}" if first == second else f"on line {first} and on line {second}"


def _key(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and node.tag != _NULL_TAG:
        return str(node.value)
    found = "nothing" if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
    raise RecipeError(
        "a key of a recipe is no text",
        got=f"{found} on line {node.start_mark.line + 1}",
        expected="key: value",
        remedy="braces around a placeholder, as in {{name}}, make YAML take it for a key: put it in quotes",
    )


def _merged_twice(merged: yaml.Node, path: str, own: set[str]) -> Iterator[str]:
    """Yield keys that two merged mappings have, and the mapping itself does not settle."""
    if not isinstance(merged, yaml.SequenceNode):
        return
    seen: dict[str, int] = {}
    for part in merged.value:
        if not isinstance(part, yaml.MappingNode):
            continue  # the parser refuses it
        for key, line in [(_key(key), key.start_mark.line + 1) for key, _ in part.value if key.tag != _MERGE]:
            if key in seen and seen[key] != line and key not in own:
                yield f"{path}.{key}: merged from line {seen[key]} and from line {line}".lstrip(".")
            seen.setdefault(key, line)

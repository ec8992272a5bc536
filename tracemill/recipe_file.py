"""Reading a recipe: YAML and overrides to a validated :class:`Recipe`, or one error that names every fault in it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tracemill.errors import RecipeError
from tracemill.pins import refuse_unpinned
from tracemill.recipe import Recipe
from tracemill.recipe_paths import with_paths_beside
from tracemill.recipe_section import Section

Kind = TypeVar("Kind", bound=Section)


def load_recipe(path: str | Path, overrides: list[str] | None = None, *, pinned: bool = True) -> Recipe:
    """Reads a YAML recipe and applies ``section.key=value`` overrides (values are YAML).

    Args:
        path: of the recipe.
        overrides: settings on top of it.
        pinned: what is read from the Hub must name a commit. A recipe to look at, and not to run, need not.

    Raises:
        RecipeError: the file cannot be read, any key or value in it is wrong, or a Hub dataset has no commit.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read recipe {path}", got=str(error), remedy="name an existing YAML file") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {path} is not YAML", got=str(error), expected="a mapping of sections") from error
    recipe = with_paths_beside(parse_recipe(raw, overrides or [], origin=str(path)), path, overrides or [])
    if pinned:
        refuse_unpinned(recipe, str(path))
    return recipe


def parse_recipe(raw: object, overrides: list[str] | None = None, *, origin: str = "recipe") -> Recipe:
    """Validates plain data as a recipe; see :func:`parse_section`."""
    return parse_section(Recipe, raw, overrides, origin=origin)


def parse_section(kind: type[Kind], raw: object, overrides: list[str] | None = None, *, origin: str) -> Kind:
    """Validates plain data as a recipe of any kind.

    Args:
        kind: what it should be.
        raw: the data.
        overrides: ``section.key=value`` settings on top of it.
        origin: where the data is from, for the error.

    Raises:
        RecipeError: naming every wrong key, its value, what was expected, and the nearest valid key.
    """
    if not isinstance(raw, dict):
        raise RecipeError(f"{origin} is not a recipe", got=type(raw).__name__, expected="a mapping of sections")
    for override in overrides or []:
        raw = _overridden(raw, override)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"{origin} is refused; nothing has run", got=_explain(kind, error)) from error


def _overridden(raw: dict[str, Any], override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise RecipeError("an override is not understood", got=override, expected="section.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value of override {key} is not YAML", got=text) from error
    copied: dict[str, Any] = yaml.safe_load(yaml.safe_dump(raw))
    _assign(copied, key.strip().split("."), value, override)
    return copied


def _assign(node: Any, path: list[str], value: object, override: str) -> None:
    head, *rest = path
    if isinstance(node, list):
        index = _index(node, head, override)
        if rest:
            _assign(node[index], rest, value, override)
        else:
            node[index] = value
    elif isinstance(node, dict):
        if rest:
            _assign(node.setdefault(head, {}), rest, value, override)
        else:
            node[head] = value
    else:
        raise RecipeError("an override goes below a plain value", got=override, expected="section.key=value")


def _index(node: list[Any], text: str, override: str) -> int:
    """List elements are named by position or, where they have one, by their name or the known one they take it from."""
    names = [item.get("name", item.get("known")) if isinstance(item, dict) else None for item in node]
    if text in names:
        return names.index(text)
    if text.isdigit() and int(text) < len(node):
        return int(text)
    raise RecipeError("an override names no element", got=override, expected=f"one of {[n for n in names if n]}")


def _explain(kind: type[Section], error: ValidationError) -> str:
    return "".join(f"\n    {_explain_one(kind, item)}" for item in error.errors())


def _explain_one(kind: type[Section], item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"]) or "(the whole recipe)"
    if item["type"] == "extra_forbidden":
        valid = _valid_keys(kind, item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), valid, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"valid keys: {', '.join(valid)}"
        return f"{key}: unknown key; {hint}"
    if item["type"] == "missing":
        return f"{key}: required, and missing"
    return f"{key}: got {item['input']!r}; {item['msg']}" if item["loc"] else f"{key}: {item['msg']}"


def _valid_keys(kind: type[Section], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section that ``location`` points at."""
    section: Any = kind
    for part in location:
        if isinstance(part, int):
            continue
        section = _section_in(section.model_fields[part].annotation)
    return list(section.model_fields)


def _section_in(annotation: Any) -> Any:
    """The Section class inside an annotation such as ``tuple[Source, ...]`` or ``Distill``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(_section_in(inner) for inner in annotation.__args__ if inner is not ...)

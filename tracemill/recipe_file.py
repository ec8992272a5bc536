"""Reading a recipe: YAML and overrides to a validated :class:`Recipe`, or one error that names every fault in it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tracemill.errors import RecipeError
from tracemill.pins import refuse_unpinned
from tracemill.recipe import Recipe
from tracemill.recipe_audit import Audit
from tracemill.recipe_faults import explain
from tracemill.recipe_idle import idle_keys
from tracemill.recipe_overrides import overridden
from tracemill.recipe_paths import with_paths_beside
from tracemill.recipe_section import Section
from tracemill.recipe_values import Understanding
from tracemill.recipe_yaml import read_yaml

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
    parsed = parse_recipe(read_yaml(path), overrides or [], origin=str(path))
    recipe = with_paths_beside(parsed, path, overrides or [])
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
        got = "nothing: it is empty" if raw is None else "a list" if isinstance(raw, list) else type(raw).__name__
        raise RecipeError(f"{origin} is not a recipe", got=got, expected="a mapping of sections")
    understanding = Understanding()
    understood = understanding.section(kind, overridden(raw, overrides or []))
    if issubclass(kind, Recipe | Audit):  # a section alone, as a failed task keeps it, has all its keys
        understanding.faults += idle_keys(understood)
    found: list[object] = []
    try:
        made = kind.model_validate(understood)
    except ValidationError as error:  # not the cause of what is raised: it holds the values, and secrets among them
        found = list(error.errors(include_url=False))
    if not found and not understanding.faults:
        return made
    told = explain(kind, understanding.faults, found)
    raise RecipeError(f"{origin} is refused; nothing has run", got=told)

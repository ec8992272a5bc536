"""Where the teacher is, said by the environment: TEACHER_URL and TEACHER_API_KEY, for recipes that do not say it.

A recipe is the same file on a laptop and in a container; and a key in a recipe, or in a form, would be kept by Prefect.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from tracemill.recipe import Recipe
from tracemill.recipe_file import load_recipe
from tracemill.recipe_server import Teacher


def load_recipe_here(path: str, overrides: list[str]) -> Recipe:
    """A recipe, with what this process's environment says of its teacher; see :func:`load_recipe`."""
    return placed(load_recipe(path, overrides), os.environ)


def placed(recipe: Recipe, environment: Mapping[str, str]) -> Recipe:
    """The recipe with TEACHER_URL (several: commas between) and TEACHER_API_KEY where it names none; empty is unset."""
    teacher = recipe.distill.teacher
    said = {name: value for name, value in _said(environment).items() if name not in teacher.model_fields_set}
    if not said:
        return recipe
    there = Teacher.model_validate({name: getattr(teacher, name) for name in teacher.model_fields_set} | said)
    return recipe.model_copy(update={"distill": recipe.distill.model_copy(update={"teacher": there})})


def _said(environment: Mapping[str, str]) -> dict[str, Any]:
    urls = tuple(url.strip().rstrip("/") for url in environment.get("TEACHER_URL", "").split(",") if url.strip())
    key = environment.get("TEACHER_API_KEY", "")
    return ({"base_urls": urls} if urls else {}) | ({"api_key": SecretStr(key)} if key else {})

"""The recipe: its sections, how a file becomes one, and how what it reads is pinned."""

from __future__ import annotations

from tracemill.recipe.loading import load_evaluation, load_recipe, parse_recipe, parse_section
from tracemill.recipe.recipe import Recipe

__all__ = [
    "Recipe",
    "load_evaluation",
    "load_recipe",
    "parse_recipe",
    "parse_section",
]

"""Section ``label`` of the recipe."""

from __future__ import annotations

from tracemill.recipe_section import Section


class Label(Section):
    """Labels that need no model: language and length."""

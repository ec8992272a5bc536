"""Section ``clean`` of the recipe: rules on a prompt alone."""

from __future__ import annotations

from pydantic import Field

from tracemill.recipe_section import Positive, Section


class Clean(Section):
    """Rules on a prompt alone."""

    min_words: Positive = Field(default=3, description="Shorter prompts are dropped as too_short.")

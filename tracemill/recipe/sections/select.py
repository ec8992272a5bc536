"""Section ``select`` of the recipe: which correct response is published, and what is published beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracemill.core import Section
from tracemill.recipe.sections.label import PassRate


class Select(Section):
    """Which of a problem's passing responses is published."""

    prefer: Literal["first", "shortest", "longest", "lowest_perplexity"] = Field(
        default="first", description="first: in the order of sampling, traces that came along before; ties by content."
    )
    teachers: tuple[str, ...] = Field(
        default=(),
        description="Of several teachers, whose passing response is preferred: names in order, before prefer decides.",
        json_schema_extra={"silent": True},
    )
    pass_rate: PassRate = Field(default=PassRate(), description="Difficulty by the teacher's own samples.")
    preferences: Annotated[int, Field(ge=0)] = Field(
        default=0, description="At most so many pairs of a right and a wrong response per problem, in preferences/."
    )
    rejected: bool = Field(default=False, description="Publish the responses that were not chosen, in rejected/.")

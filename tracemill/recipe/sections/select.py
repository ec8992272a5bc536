"""Section ``select`` of the recipe: which correct responses are published, and what is published beside them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from tracemill.core import Category, Section
from tracemill.recipe.sections.label import PassRate


def _how_many(given: object) -> object:
    """Return a number of responses as it is.

    Raises:
        ValueError: it is none, said once and not for each way in which it could be meant.
    """
    if given == "all" or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return given
    raise ValueError("should be a whole number above 0, or all")


class Select(Section):
    """Which of a problem's passing responses are published."""

    keep: Annotated[Annotated[int, Field(gt=0)] | Literal["all"], BeforeValidator(_how_many)] = Field(
        default=1,
        description="Passing responses per problem that are published, each a row: 1, a number, or all. Of equal texts "
        "one is.",
        json_schema_extra={"silent": True},
    )
    prefer: Literal["first", "shortest", "longest", "lowest_perplexity"] = Field(
        default="first", description="first: in the order of sampling, traces that came along before; ties by content."
    )
    teachers: tuple[str, ...] = Field(
        default=(),
        description="Of several teachers, whose passing response is preferred: names in order, before prefer decides.",
        json_schema_extra={"silent": True},
    )
    pass_rate: PassRate = Field(default=PassRate(), description="Difficulty by the teacher's own samples.")
    spread: dict[Category, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default={},
        description="By category: problems are dropped on whose samples the verifier's scores spread less than this "
        "(coefficient of variation). DD Alg. 1, which does not publish its values.",
        json_schema_extra={"silent": True},
    )
    preferences: Annotated[int, Field(ge=0)] = Field(
        default=0, description="At most so many pairs of a right and a wrong response per problem, in preferences/."
    )
    rejected: bool = Field(default=False, description="Publish the responses that were not chosen, in rejected/.")

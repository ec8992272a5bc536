"""Section ``distill.cost`` of the recipe: an estimate before anything is spent, and whether a person has to agree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from tracemill.recipe_section import Positive, Seconds, Section

_HOW: JsonDict = {"operational": True}  # an estimate changes no result
# Sections of the models that are asked about responses.
Asked = Literal["reward", "rubric", "judge", "perplexity", "safety.guard", "safety.classifier"]
_WEEK_S = 7 * 24 * 3600.0


class Cost(Section):
    """What generation will cost, measured on a sample of the requests that the run sends anyway."""

    sample: Positive = Field(
        default=256,
        description="Requests that are answered first to measure tokens and speed; they are part of the run.",
        json_schema_extra=_HOW,
    )
    gpus: Positive | None = Field(
        default=None, description="GPUs behind the teacher's servers.", json_schema_extra=_HOW
    )
    model_gpus: dict[Asked, Positive] = Field(
        default_factory=dict,
        description="GPUs behind the models that judge and filter, by section, as in {judge: 2, safety.guard: 1}.",
        json_schema_extra=_HOW,
    )
    price_per_gpu_hour: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Of one of them; needs gpus.", json_schema_extra=_HOW
    )
    currency: str = Field(default="USD", description="Of the price.", json_schema_extra=_HOW)
    approval: Literal["none", "required"] = Field(
        default="none",
        description="required: the flow run pauses with the estimate until a person resumes it in Prefect's UI.",
        json_schema_extra=_HOW,
    )
    wait_s: Seconds = Field(
        default=_WEEK_S, description="How long the run waits for that person.", json_schema_extra=_HOW
    )

    @model_validator(mode="after")
    def _priced(self) -> Cost:
        if self.price_per_gpu_hour is not None and self.gpus is None and not self.model_gpus:
            raise ValueError("price_per_gpu_hour needs gpus: how many are behind the servers")
        return self

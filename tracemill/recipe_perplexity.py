"""Section ``perplexity`` of the recipe, off unless given: how surprising a model finds a question with its answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tracemill.recipe_section import Positive
from tracemill.recipe_server import ModelServer


class Perplexity(ModelServer):
    """A language model on vLLM that reads right responses; DD uses AM-Distill-Qwen-32B."""

    place: ClassVar[str] = "perplexity"
    role: ClassVar[str] = "perplexity model"

    max_in_flight: Positive = Field(
        default=32, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )
    threshold: Annotated[float, Field(gt=1)] | None = Field(
        default=20.0, description="Responses above it are dropped (DD section 2.5); null: measured only."
    )
    template: Literal["text@1"] = Field(default="text@1", description="How question and answer are put together.")

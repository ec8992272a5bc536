"""What the recipe says of any model server: where it is and what it serves."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from tracemill.recipe_section import Positive, Seconds, Section


class ModelServer(Section):
    """A model behind one or more servers that speak vLLM's protocols.

    Attributes:
        place: where this stands in the recipe, for messages.
        max_tokens: of one answer; a server whose context is shorter is refused.
    """

    place: ClassVar[str] = ""

    base_urls: tuple[str, ...] = Field(
        default=("http://127.0.0.1:8000/v1",),
        min_length=1,
        description="Servers of the same model; requests are spread over them.",
        json_schema_extra={"operational": True},
    )
    api_key: SecretStr | None = Field(default=None, json_schema_extra={"operational": True})
    model: str = Field(description="Name under which the server serves the model.")
    revision: str = Field(default="", description="Weights revision: part of every request's key.")
    max_tokens: Positive = 1
    max_in_flight: Positive = Field(default=256, json_schema_extra={"operational": True})
    request_timeout_s: Seconds = Field(default=1800, json_schema_extra={"operational": True})
    give_up_after_s: Seconds = Field(
        default=600,
        description="How long no server may answer before the shard fails.",
        json_schema_extra={"operational": True},
    )

"""Model servers in a recipe: where they are, what they serve, and how patient we are with them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from tracemill.core import Section
from tracemill.core.secrets import Secret, url_secret
from tracemill.core.settings import Fraction, Positive, Seconds
from tracemill.recipe.server_url import BaseUrl


class ModelServer(Section):
    """One or more servers of one model.

    Attributes:
        place: where the section stands in a recipe, for messages.
        role: what the model is to us, for messages.
    """

    place: ClassVar[str] = "server"
    role: ClassVar[str] = "server"

    base_urls: tuple[BaseUrl, ...] = Field(
        default=("http://127.0.0.1:8000/v1",),
        min_length=1,
        description="Servers of the same model; requests are spread over them.",
        json_schema_extra={"operational": True},
    )
    api_key: Secret = Field(
        default=None,
        description="Sent as bearer token: env:NAME, where the environment variable NAME holds it.",
        json_schema_extra={"operational": True},
    )
    model: str = Field(description="Name under which the server serves the model.")
    revision: str = Field(default="", description="Weights revision: part of every request's key.")
    max_in_flight: Positive = Field(
        default=256, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )
    request_timeout_s: Seconds = Field(
        default=1800, description="How long one answer may take.", json_schema_extra={"operational": True}
    )
    give_up_after_s: Seconds = Field(
        default=600,
        description="How long no server may answer before the shard fails.",
        json_schema_extra={"operational": True},
    )
    refused_share: Fraction = Field(
        default=0.05,
        description="Requests that are refused, or failed at again and again: the run does without, and the next asks"
        " them again, up to this share of all (a few in a small run); above it the run fails. 0: on the first.",
        json_schema_extra={"operational": True},
    )

    @field_validator("base_urls")
    @classmethod
    def _each_once(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(urls))

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.api_key is not None and any(map(url_secret, self.base_urls)):
            raise ValueError("needs one of api_key and env:NAME@ in base_urls: a request carries one authorization")
        return self

    @property
    def answer_tokens(self) -> int:
        """How many tokens an answer may take: the least context that makes sense."""
        return 1

    @property
    def named(self) -> str:
        """Model and revision, as they stand in a verdict's provenance."""
        return f"{self.model}@{self.revision}" if self.revision else self.model


class ChatServer(ModelServer):
    """A server of the OpenAI chat protocol."""

    max_tokens: Positive = Field(default=16384, description="Peers generate with 12k to 16k.")

    @property
    def answer_tokens(self) -> int:
        """All that may be generated."""
        return self.max_tokens


class Teacher(ChatServer):
    """An OpenAI-compatible chat server and how to sample from it."""

    place: ClassVar[str] = "distill.teacher"
    role: ClassVar[str] = "teacher"

    temperature: Annotated[float, Field(ge=0, le=2)] = Field(default=0.6, description="P1 evaluates with 0.6.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(default=0.95, description="P1 evaluates with 0.95.")
    system_prompt: Literal["none", "am"] = Field(
        default="none", description="none (DeepSeek's advice for R1) or am (the paper's, verbatim)."
    )
    force_think: bool = Field(
        default=False,
        description="Begin the answer with <think> (DeepSeek's advice for R1, where its template does not; vLLM only).",
    )
    order: Literal["longest_first", "shuffled", "as_given"] = Field(
        default="longest_first",
        description="In which order shards start and their requests are sent: so that no long answer comes last and "
        "keeps the servers for itself. See tracemill/generate/order.py.",
        json_schema_extra={"operational": True},
    )
    template: Literal["boxed@1"] = Field(default="boxed@1", description="Prompt template and its version.")

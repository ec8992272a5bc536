"""Section ``safety`` of the recipe, off unless given: P1's figure names a safety filter and says no more of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tracemill.recipe_judge import Attribute
from tracemill.recipe_section import Positive, Section
from tracemill.recipe_server import ChatServer, ModelServer


class Guard(ChatServer):
    """A language model that says whether a text is safe; vLLM holds it to its words."""

    place: ClassVar[str] = "safety.guard"
    role: ClassVar[str] = "safety judge"

    max_tokens: Positive = Field(default=16, description="It says two words; more only for models that reason first.")
    prompt: Literal["safety@1"] = Field(default="safety@1", description="Prompt and its version.")


class Classifier(ModelServer):
    """A classifier behind vLLM's pooling server."""

    place: ClassVar[str] = "safety.classifier"
    role: ClassVar[str] = "safety classifier"

    max_in_flight: Positive = Field(
        default=64, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )
    endpoint: Literal["classify", "pooling"] = Field(default="classify", description="Of the vLLM server.")
    input: Literal["messages", "text"] = Field(
        default="messages", description="messages: rendered by the model's own chat template; text: one text without."
    )
    attributes: tuple[Attribute, ...] = Field(
        min_length=1, description="The model's outputs in its order, with weights: the score is their weighted sum."
    )
    threshold: float = Field(description="A text with a higher score is unsafe.")

    @model_validator(mode="after")
    def _some_weight(self) -> Classifier:
        if not any(attribute.weight for attribute in self.attributes):
            raise ValueError("no attribute has a weight: every score would be 0")
        return self

    def weights(self) -> Mapping[str, float]:
        """Weight by name, in the order of the model's outputs."""
        return {attribute.name: attribute.weight for attribute in self.attributes}


class Safety(Section):
    """What is unsafe is dropped: by rules, by a language model, by a classifier, or by all that are given."""

    rules: bool = Field(default=True, description="A few plain phrases and secrets; a coarse net: see docs/traces.md.")
    guard: Guard | None = None
    classifier: Classifier | None = None
    window_chars: Positive = Field(
        default=12_000, description="Models see a response in pieces of so many characters, each with the question."
    )

    @model_validator(mode="after")
    def _something(self) -> Safety:
        if not (self.rules or self.guard or self.classifier):
            raise ValueError("filters nothing: give rules, guard or classifier, or leave the section out")
        return self

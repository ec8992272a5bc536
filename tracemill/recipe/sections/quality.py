"""Section ``quality`` of the recipe: which correct responses are still not fit to be published.

P1 = arXiv 2503.19633, DD = 2504.17565, AT = 2505.08311. P1 names a template and "excessive consecutive repetition of
n-grams" without numbers; DD and AT add more filters, which are off here unless a recipe turns them on.

Section ``safety`` of the recipe, off unless given: P1's figure names a safety filter and says no more of it.

Section ``perplexity`` of the recipe, off unless given: how surprising a model finds a question with its answer.

Section ``frequent_strings`` of the recipe, off unless given: strings that the whole corpus says again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tracemill.core import Section
from tracemill.core.settings import Fraction, Mebibytes, Phrase, Positive
from tracemill.recipe.sections.judges import Attribute
from tracemill.recipe.sections.server import ChatServer, PricedServer


class Guard(ChatServer):
    """A language model that says whether a text is safe; vLLM holds it to its words."""

    place: ClassVar[str] = "safety.guard"
    role: ClassVar[str] = "safety judge"

    max_tokens: Positive = Field(default=16, description="It says two words; more only for models that reason first.")
    prompt: Literal["safety@1"] = Field(default="safety@1", description="Prompt and its version.")


class Classifier(PricedServer):
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


class Perplexity(PricedServer):
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


class FrequentStrings(Section):
    """Responses that hold a string which is too frequent are dropped: see tracemill/quality/frequent_strings.py."""

    tokens: Phrase = Field(default=20, description="Length of a string (DD section 2.5).")
    times: Annotated[int, Field(gt=0, lt=255)] = Field(
        default=20, description="A string that was seen more often is frequent (DD section 2.5)."
    )
    covered: Fraction = Field(
        default=0.0, description="Up to this share of a response's tokens may stand in frequent strings; DD: none."
    )
    sketch_mib: Mebibytes = Field(
        default=1024,
        description="Most memory of the sketch, in MiB: enough for 1.4M responses of 4,000 tokens.",
        json_schema_extra={"operational": True},
    )


Count = Annotated[int, Field(ge=0)]


class Limits(Section):
    """The least and the most that is kept; None does not limit."""

    min: Count | None = Field(default=None, description="Shorter ones are dropped; null: no limit.")
    max: Count | None = Field(default=None, description="Longer ones are dropped; null: no limit.")

    @model_validator(mode="after")
    def _some_pass(self) -> Limits:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("nothing is at least min and at most max")
        return self


class Length(Section):
    """Lengths of the two parts of a response; how they are counted: tracemill/quality/measures.py."""

    think_words: Limits = Limits()
    answer_words: Limits = Limits()
    think_tokens: Limits = Limits()
    answer_tokens: Limits = Limits()


class Repetition(Section):
    """Repetition within one part of a response, in the tokens of tracemill/quality/measures.py (about words and marks).

    The defaults are ours: a loop of a model that has lost its way runs to its token limit, while an array of zeros, a
    drawn line or a table in a sound trace is shorter.
    """

    copies: Annotated[int, Field(ge=2)] = Field(
        default=4, description="Only what stands so many times in a row is a run; twice or thrice is emphasis."
    )
    run_tokens: Positive | None = Field(default=300, description="Longer runs are a fault (P1, without a number).")
    phrase_tokens: Phrase = Field(default=20, description="Tokens of a phrase, for repeated_share.")
    repeated_share: Fraction | None = Field(
        default=None, description="More of its tokens in phrases that were there before are a fault (AT, no number)."
    )


class Quality(Section):
    """Filters on the form of a response."""

    require_think: bool = Field(default=True, description="The think/answer template of P1 must be followed.")
    allow_truncated: bool = Field(default=False, description="Keep responses with finish_reason=length.")
    language: Literal["any", "same"] = Field(
        default="any", description="same: prompt and think part must be in one language, where both can be told."
    )
    min_language_share: Fraction | None = Field(
        default=None, description="Of the think part's words, so many in the script of the prompt's language."
    )
    repetition: Repetition = Repetition()
    length: Length = Length()
    leaks: bool = Field(default=True, description="Drop reasoning that speaks of a reference answer it was shown.")
    refusals: bool = Field(default=True, description="Drop answers that refuse.")

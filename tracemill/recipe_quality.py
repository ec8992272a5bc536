"""Section ``quality`` of the recipe: which correct responses are still not fit to be published.

P1 = arXiv 2503.19633, DD = 2504.17565, AT = 2505.08311. P1 names a template and "excessive consecutive repetition of
n-grams" without numbers; DD and AT add more filters, which are off here unless a recipe turns them on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tracemill.recipe_section import Fraction, Phrase, Positive, Section

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
    """Lengths of the two parts of a response; how they are counted: tracemill/trace_measures.py."""

    think_words: Limits = Limits()
    answer_words: Limits = Limits()
    think_tokens: Limits = Limits()
    answer_tokens: Limits = Limits()


class Repetition(Section):
    """Repetition within one part of a response, in the tokens of tracemill/trace_loops.py (about words and marks).

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

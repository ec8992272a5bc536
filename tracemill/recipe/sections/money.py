"""Money in a recipe: what a server's answers cost, and how much of it a run may spend."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, model_validator

from tracemill.core import Section
from tracemill.core.settings import Positive

Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_MILLION: Final = 1e6


class Price(Section):
    """What answers cost: by tokens, by the hour of the GPUs behind the server, or as each answer says itself.

    All of it is operational: what an answer costs changes nothing in it.
    """

    input: Amount | None = Field(
        default=None, description="Of a million tokens of prompts.", json_schema_extra={"operational": True}
    )
    cached_input: Amount | None = Field(
        default=None,
        description="Of a million of those that the server had in its cache; as input unless given.",
        json_schema_extra={"operational": True},
    )
    output: Amount | None = Field(
        default=None,
        description="Of a million tokens of answers, their reasoning among them.",
        json_schema_extra={"operational": True},
    )
    gpu_hour: Amount | None = Field(
        default=None,
        description="Of one GPU: counted while a request is being answered.",
        json_schema_extra={"operational": True},
    )
    gpus: Positive | None = Field(
        default=None, description="Behind the servers; with gpu_hour.", json_schema_extra={"operational": True}
    )
    reported: bool = Field(
        default=False,
        description="Each answer says what it has cost (usage.cost, as OpenRouter's do).",
        json_schema_extra={"operational": True},
    )

    @model_validator(mode="after")
    def _one_way(self) -> Price:
        by_tokens = [name for name in ("input", "cached_input", "output") if getattr(self, name) is not None]
        by_hour = [name for name in ("gpu_hour", "gpus") if getattr(self, name) is not None]
        if bool(by_tokens) + bool(by_hour) + self.reported != 1:
            raise ValueError("needs one of: input and output (of a million tokens), gpu_hour and gpus, reported: true")
        if by_tokens and (self.input is None or self.output is None):
            raise ValueError("needs input and output, both of a million tokens; 0 where one is free")
        if by_hour and len(by_hour) != 2:
            raise ValueError("needs gpu_hour and gpus, both")
        return self

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are what is paid for."""
        return self.input is not None

    @property
    def per_hour(self) -> float | None:
        """Of an hour of all GPUs, where that is what is paid for."""
        return None if self.gpu_hour is None or self.gpus is None else self.gpu_hour * self.gpus

    def of(self, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0) -> float:
        """Return what so many tokens cost; 0 where tokens are not what is paid for."""
        dear, out = self.input or 0.0, self.output or 0.0
        cheap = dear if self.cached_input is None else self.cached_input
        cached = min(cached_tokens, prompt_tokens)
        return ((prompt_tokens - cached) * dear + cached * cheap + completion_tokens * out) / _MILLION


class Purse(Section):
    """Whose money teachers spend, and how much there is; in no key.

    Attributes:
        name: of the dataset: what its runs have spent, the earlier ones too, counts together.
        budget: that may be spent; None: no bound.
    """

    name: str = Field(json_schema_extra={"operational": True})
    budget: float | None = Field(default=None, json_schema_extra={"operational": True})
    currency: str = Field(default="USD", json_schema_extra={"operational": True})

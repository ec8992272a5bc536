"""Sections ``judge``, ``reward`` and ``rubric`` of the recipe, all optional: models that judge where rules cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from tracemill.core import Category, Section
from tracemill.core.settings import Positive
from tracemill.recipe.sections.server import ChatServer, PricedServer

# The outputs of Decision-Tree-Reward-Llama-3.1-8B in the order of its card, each about 0 to 4 as in HelpSteer2; weights
# by DD section 2.4.1, Eq. 4: (coherence + correctness + helpfulness) / 12. Complexity and verbosity say what kind of
# an answer it is, not whether it is a good one, and so weigh nothing.
PROFILES: Final[Mapping[str, Mapping[str, float]]] = {
    "decision-tree-reward": {
        "helpfulness": 1 / 12,
        "correctness": 1 / 12,
        "coherence": 1 / 12,
        "complexity": 0.0,
        "verbosity": 0.0,
    }
}
DEFAULT_CALIBRATION: Final = 1000


class Judge(ChatServer):
    """A second look by a language model at answers that a rule calls wrong or cannot judge, beside the reference."""

    place: ClassVar[str] = "judge"
    role: ClassVar[str] = "judge"

    max_tokens: Positive = Field(default=16, description="It says one word; more only for models that reason first.")
    prompt: Literal["equivalence@1"] = Field(default="equivalence@1", description="Prompt and its version.")
    categories: tuple[Literal["math", "choice", "other"], ...] = Field(
        default=("math",), min_length=1, description="Those whose problems have a reference answer."
    )
    outcomes: tuple[Literal["incorrect", "unverifiable", "timeout"], ...] = Field(
        default=("incorrect", "unverifiable"), min_length=1, description="The verdicts that are looked at again."
    )
    answer_chars: Positive = Field(default=4000, description="Of a longer answer only so many at its end are shown.")

    @property
    def compares(self) -> tuple[str, ...]:
        """Categories whose answers it judges where no rule can."""
        return tuple(sorted(self.categories)) if "unverifiable" in self.outcomes else ()


class Scored(PricedServer):
    """What the models that score answers have in common: what is scored, and the cut above which an answer passes."""

    categories: tuple[Category, ...] = Field(
        default=(Category.OTHER,),
        min_length=1,
        description="Where no rule can judge; a rule's word is never overruled.",
    )
    threshold: float | None = Field(default=None, description="Answers pass above it; or give quantile.")
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="The cut is this quantile of the scores of a calibration set: 0.3 drops 3 in 10."
    )
    calibration: Positive | None = Field(
        default=None,
        description=f"Problems in the calibration set, {DEFAULT_CALIBRATION} if not given: "
        "see tracemill/select/calibration.py.",
    )

    @model_validator(mode="after")
    def _one_cut(self) -> Scored:
        if (self.threshold is None) == (self.quantile is None):
            raise ValueError("needs exactly one of threshold (a fixed cut) and quantile (a cut by calibration)")
        if self.quantile is None and self.calibration is not None:
            raise ValueError(
                "calibration has no meaning beside a fixed threshold: give quantile instead, or leave it out"
            )
        return self


class Attribute(Section):
    """One output of a reward model."""

    name: str = Field(description="What the model's card calls it.")
    weight: float = Field(default=0.0, description="The score is the weighted sum of the outputs.")


class Reward(Scored):
    """A reward model behind vLLM's pooling server: scores for open answers."""

    place: ClassVar[str] = "reward"
    role: ClassVar[str] = "reward model"

    max_in_flight: Positive = Field(
        default=64, description="Requests at once, over all servers.", json_schema_extra={"operational": True}
    )
    endpoint: Literal["classify", "pooling"] = Field(default="classify", description="Of the vLLM server.")
    input: Literal["messages", "text"] = Field(
        default="messages", description="messages: rendered by the model's own chat template; text: one text without."
    )
    profile: Literal["decision-tree-reward"] | None = Field(default=None, description="Attributes of a known model.")
    attributes: tuple[Attribute, ...] = Field(
        default=(), description="The model's outputs in its order, with weights; needed without a profile."
    )

    @model_validator(mode="after")
    def _named_outputs(self) -> Reward:
        known = tuple(PROFILES[self.profile]) if self.profile else ()
        names = tuple(attribute.name for attribute in self.attributes)
        if not (known or names):
            raise ValueError("needs the names of the model's outputs: a profile or attributes")
        if known and names and names != known:
            raise ValueError(f"attributes of profile {self.profile} are {', '.join(known)}, in this order")
        if not any(self.weights().values()):
            raise ValueError("no attribute has a weight: every score would be 0")
        return self

    def weights(self) -> Mapping[str, float]:
        """Weight by name, in the order of the model's outputs."""
        if self.attributes or self.profile is None:
            return {attribute.name: attribute.weight for attribute in self.attributes}
        return PROFILES[self.profile]


class Rubric(Scored, ChatServer):
    """A language model that gives open answers marks."""

    place: ClassVar[str] = "rubric"
    role: ClassVar[str] = "judge"

    max_tokens: Positive = Field(default=64, description="It says three marks; more only for models that reason first.")
    prompt: Literal["rubric@1"] = Field(default="rubric@1", description="Prompt and its version.")
    answer_chars: Positive = Field(default=16000, description="Of a longer answer only so many at its end are shown.")


class ModelJudged(Section):
    """Categories in which models can judge answers that rules cannot, or votes.

    Attributes:
        scored: any answer.
        compared: answers to problems with a usable reference answer.
        voted: answers to problems without a reference answer, which the majority of them makes.
    """

    scored: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    voted: tuple[str, ...] = Field(default=(), json_schema_extra={"silent": True})

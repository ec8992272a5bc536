"""Sections ``reward`` and ``judge`` of the recipe: verdicts by models, each beside the rule's own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tracemill.recipe_section import Fraction, Positive
from tracemill.recipe_server import ModelServer
from tracemill.schema import Category, Outcome

# Decision-Tree-Reward-Llama-3.1-8B's outputs, in its order: HelpSteer2's attributes, each 0 to 4.
DECISION_TREE_ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
# P1 weighs them in a way it does not publish. Ours: what makes an answer good counts alike, its length does not count.
DECISION_TREE_WEIGHTS = {"helpfulness": 1.0, "correctness": 1.0, "coherence": 1.0}


class Judge(ModelServer):
    """A chat model that says whether an answer means the reference: DD's rescue of what a rule calls wrong."""

    place: ClassVar[str] = "judge"

    max_tokens: Positive = Field(default=32, description="Its answer is one word in JSON.")
    prompt: Literal["equivalence@1"] = Field(default="equivalence@1", description="Prompt and its version.")
    categories: tuple[Category, ...] = (Category.MATH,)
    outcomes: tuple[Literal[Outcome.INCORRECT, Outcome.UNVERIFIABLE, Outcome.TIMEOUT], ...] = Field(
        default=(Outcome.INCORRECT, Outcome.UNVERIFIABLE), description="The rule's verdicts that it looks at again."
    )


class Reward(ModelServer):
    """A score for answers that no rule can judge, and the cut above which they pass."""

    place: ClassVar[str] = "reward"

    kind: Literal["model", "rubric"] = Field(
        default="model", description="A reward model's attributes, or a chat model with DD's rubric."
    )
    endpoint: Literal["classify", "pooling"] = Field(
        default="pooling", description="Of vLLM's pooling server; raw outputs are asked for. Not for a rubric."
    )
    prompt: Literal["rubric@1"] = Field(default="rubric@1", description="Prompt of the rubric and its version.")
    max_tokens: Positive = Field(default=64, description="A rubric's answer is three numbers in JSON.")
    attributes: tuple[str, ...] = Field(
        default=DECISION_TREE_ATTRIBUTES,
        min_length=1,
        description="Names of the model's outputs, in order; the default is Decision-Tree-Reward's profile.",
    )
    weights: dict[str, float] = Field(
        default=DECISION_TREE_WEIGHTS, description="Of the attributes in the score; others count nothing."
    )
    highest: Annotated[float, Field(gt=0)] = Field(
        default=4.0, description="Highest value of an attribute: with it everywhere, the score is 1."
    )
    categories: tuple[Category, ...] = (Category.OTHER,)
    threshold: float | None = Field(default=None, description="Scores from here on pass (DD: above 0.7).")
    quantile: Fraction | None = Field(
        default=None,
        description="Instead: this share of a calibration set lies below the cut (P1 cuts by distribution).",
    )
    calibration_rows: Positive = Field(default=256, description="Problems of the first batch, the first by content id.")

    @model_validator(mode="after")
    def _one_cut(self) -> Reward:
        if (self.threshold is None) == (self.quantile is None):
            raise ValueError("a reward needs exactly one of threshold and quantile")
        unknown = sorted(set(self.weights) - set(self.attributes))
        if self.kind == "model" and (unknown or not any(weight > 0 for weight in self.weights.values())):
            named = ", ".join(unknown) or "nothing above zero"
            raise ValueError(f"weights name {named}; expected: some of {', '.join(self.attributes)}, one above zero")
        return self

"""Section ``label`` of the recipe: what is said about each problem, who says it, and what is thinned out by it."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, model_validator

from tracemill.core import Section
from tracemill.core.settings import Fraction, Positive
from tracemill.recipe.sections.server import ChatServer

ModelLabel = Literal["category", "difficulty", "quality"]
MODEL_LABELS: Final[tuple[ModelLabel, ...]] = get_args(ModelLabel)

# P1's seven categories and five levels of difficulty, in its words. It publishes no scale of question quality: ours has
# five steps too, 5 the best.
CATEGORIES: Final = ("math", "coding", "information seeking", "reasoning", "planning", "creative writing", "others")
DIFFICULTIES: Final = ("very easy", "easy", "medium", "hard", "very hard")
QUALITIES: Final = (1, 2, 3, 4, 5)
VALUES: Final[dict[str, tuple[str | int, ...]]] = {
    "category": CATEGORIES,
    "difficulty": DIFFICULTIES,
    "quality": QUALITIES,
}


class Labeller(ChatServer):
    """A language model that labels problems: one request a problem, for all the labels that are asked of it."""

    place: ClassVar[str] = "label.labellers"
    role: ClassVar[str] = "labeller"

    labels: tuple[ModelLabel, ...] = Field(default=MODEL_LABELS, min_length=1, description="What it is asked for.")
    prompt: Literal["labels@1"] = Field(default="labels@1", description="Prompt and its version.")
    max_tokens: Positive = Field(default=64, description="It says its labels; more only for models that reason first.")
    question_chars: Positive = Field(
        default=12_000, description="Of a longer question only so many: half at its beginning, half at its end."
    )


def _check_value(label: str, value: str | int) -> None:
    known = VALUES.get(label)
    if known is not None and value not in known:
        raise ValueError(f"{value!r} is no {label}; there are {', '.join(map(str, known))}")
    if label == "language" and not re.fullmatch("[a-z]{2,3}", str(value)):
        raise ValueError(f"{value!r} is no language: put its ISO 639-1 code in quotes, or und")
    if label == "n_prompt_tokens" and not isinstance(value, int):
        raise ValueError(f"{value!r} is no number of tokens")


class Thinning(Section):
    """Of the problems with one value of a label, a share is kept."""

    label: Literal["category", "difficulty", "quality", "language"] = Field(description="Which label.")
    value: str | int = Field(description="One of the label's values; of language, an ISO 639-1 code or und.")
    keep: Fraction = Field(description="The share that stays.")

    @model_validator(mode="after")
    def _known_value(self) -> Thinning:
        _check_value(self.label, self.value)
        return self


class Unwanted(Section):
    """Problems with one value of a label, or beyond a bound, are dropped; those without the label stay."""

    label: Literal["category", "difficulty", "quality", "language", "n_prompt_tokens"] = Field(
        description="Which label, or how long the prompt is."
    )
    value: str | int | None = Field(default=None, description="What is dropped; or give a bound.")
    below: str | int | None = Field(default=None, description="What is just good enough: 2 drops quality 1.")
    above: str | int | None = Field(default=None, description="What is still good enough: hard drops very hard.")

    @model_validator(mode="after")
    def _known_bounds(self) -> Unwanted:
        bounds = [bound for bound in (self.below, self.above) if bound is not None]
        if (self.value is None) == (not bounds):
            raise ValueError("needs a value, or a bound: below, above or both")
        if bounds and self.label in {"category", "language"}:
            raise ValueError(f"{self.label} has no order: give a value")
        for value in [self.value] if self.value is not None else bounds:
            _check_value(self.label, value)
        return self


class PassRate(Section):
    """Difficulty as the teacher has found it: the share of its samples that were judged correct.

    Needs ``distill.samples_per_round`` above 1.

    Attributes:
        above: a problem whose pass rate is above the first is very easy, above the second easy, and so on; very hard
            is the rest.
    """

    min_samples: Annotated[int, Field(ge=2)] = Field(
        default=4, description="Fewer judged samples say nothing. DD takes 4 samples of each model."
    )
    # Not published; ours: fifths, so that each of the five levels is as wide as another.
    above: tuple[Fraction, Fraction, Fraction, Fraction] = Field(
        default=(0.8, 0.6, 0.4, 0.2),
        description="Pass rates above which a problem is very easy, easy, medium, hard; the rest is very hard.",
    )

    @model_validator(mode="after")
    def _falling(self) -> PassRate:
        if list(self.above) != sorted(set(self.above), reverse=True):
            raise ValueError(f"above must fall, from very easy to hard: got {list(self.above)}")
        return self


class Selected(Section):
    """What labels decide; see tracemill/label/downsampling.py."""

    drop: tuple[Unwanted, ...] = Field(default=(), description="What is not wanted at all, by label.")
    downsample: tuple[Thinning, ...] = Field(
        default=(), description="P1 downsamples easy and medium, and does not publish the ratios."
    )
    seed: int = Field(default=0, description="Of the draws that decide who stays.")

    @model_validator(mode="after")
    def _each_once(self) -> Selected:
        pairs = [(rule.label, rule.value) for rule in self.downsample]
        twice = sorted({f"{label} {value}" for label, value in pairs if pairs.count((label, value)) > 1})
        if twice:
            raise ValueError(f"downsample names twice: {', '.join(twice)}")
        return self


class Label(Selected):
    """Language and length without a model; category, difficulty and quality by those that are named."""

    tokenizer: str | None = Field(
        default=None,
        description="A tokenizer.json, relative to data_dir, to count prompt tokens exactly; else they are estimated.",
    )
    labellers: tuple[Labeller, ...] = Field(default=(), description="Models; without any, no model is asked.")

    @model_validator(mode="after")
    def _given_once(self) -> Label:
        given = [label for labeller in self.labellers for label in labeller.labels]
        twice = sorted({label for label in given if given.count(label) > 1})
        if twice:
            raise ValueError(f"each label is given by one model; twice: {', '.join(twice)}")
        used: set[str] = {rule.label for rule in self.drop} | {rule.label for rule in self.downsample}
        missing = sorted(used & set(MODEL_LABELS) - set(given))
        if missing:
            raise ValueError(f"drop and downsample use {', '.join(missing)}, which no labeller gives: name a model")
        return self

    @property
    def selected(self) -> Selected:
        """The part that decides about rows: its changes ask no model anything."""
        return Selected(drop=self.drop, downsample=self.downsample, seed=self.seed)

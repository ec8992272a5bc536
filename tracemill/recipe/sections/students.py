"""What a comparison of students is made from: arms of traces, one trainer, what is held out, and the contrast.

Everything that decides what will be told is here, and so is fixed before anything is trained.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tracemill.core import Section
from tracemill.core.settings import Fraction, Name, Positive, Seconds
from tracemill.recipe.recipe import Run
from tracemill.recipe.sections.verify import Verify
from tracemill.sources import Source

Scalar = bool | int | float | str
LEAST_ROWS = 50


class Arm(Section):
    """Traces that a student is trained on."""

    name: Name = Field(description="In tables and plots.")
    traces: Literal["published", "correct", "wrong", "all"] = Field(description="A query over the run's responses.")
    wrong_share: Fraction | Literal["found"] | None = Field(
        default=None,
        description="Of traces: all, so many wrong ones, a wrong one for a right one to the same problem; found: as "
        "many as the run has. null: as they come.",
    )
    matched: bool = Field(
        default=True, description="One trace per problem, the same problems and as many tokens as the other such arms."
    )

    @model_validator(mode="after")
    def _shared_of_all(self) -> Arm:
        if self.wrong_share is not None and self.traces != "all":
            raise ValueError(f"wrong_share mixes right and wrong: traces must be all, not {self.traces}")
        return self


class Contrast(Section):
    """The one difference that the comparison is about."""

    ahead: Name = Field(description="Arm whose score is the minuend.")
    behind: Name = Field(description="Arm whose score is taken off.")


class Trainer(Section):
    """What trains a student and has it answer: a command in an environment of its own, see docs/training.md."""

    python: str = Field(
        description="Python of that environment; relative to where the command runs.",
        json_schema_extra={"operational": True},
    )
    program: str = Field(description="A module (demo.student.train) or a file (deployments/trl_student.py).")
    base: str = Field(description="The student before training: a folder, or a model on the Hub.")
    revision: str | None = Field(default=None, description="Of the base, where it is on the Hub.")
    tokenizer: str | None = Field(
        default=None, description="A tokenizer.json to count tokens by; else the base folder's, or they are estimated."
    )
    settings: dict[str, Scalar] = Field(default={}, description="Handed to the program as JSON.")
    limit_s: Seconds = Field(default=24 * 3600, description="For one student.", json_schema_extra={"operational": True})


class HeldOut(Section):
    """Problems that no arm may hold, and by which students are scored."""

    path: str = Field(description="JSONL.")
    prompt: str = Field(default="question", description="Its column.")
    answer: str = Field(default="answer", description="Its column.")
    only: dict[str, tuple[Scalar, ...]] = Field(
        default={},
        description="Column -> values: the primary endpoint is over these alone.",
        json_schema_extra={"silent": True},
    )


class Secondary(Section):
    """A score that is told beside the primary endpoint, and decides nothing."""

    name: Name = Field(description="In tables.")
    only: dict[str, tuple[Scalar, ...]] = Field(
        min_length=1, description="Column -> values: of the held-out problems, these; also ones that are not primary."
    )


class Seeds(Section):
    """How often every arm is trained: by the noise of one arm against itself, before the contrast is looked at."""

    least: Annotated[int, Field(ge=1)] = Field(default=3, description="Seeds by which the noise is measured.")
    most: Annotated[int, Field(ge=1)] = Field(default=3, description="Seeds at most.")
    detect: Fraction = Field(
        default=0.05, description="A true difference that should be found in 8 of 10 cases, if most allows it."
    )

    @model_validator(mode="after")
    def _rising(self) -> Seeds:
        if self.least > self.most:
            raise ValueError(f"least must not be above most: got {self.least} and {self.most}")
        return self


class Comparison(Section):
    """Students of one base, trained on different traces of one run."""

    name: Name = Field(description="Of the comparison; published in runs/<name> unless told otherwise.")
    description: str = Field(default="", description="A sentence for the report.")
    traces: str = Field(
        description="Directory of the finished build whose responses the arms are made of.",
        json_schema_extra={"operational": True},
    )
    held_out: HeldOut
    template: Literal["boxed@1", "none"] = Field(
        default="boxed@1", description="What stands behind a question, in training and in the exam."
    )
    arms: tuple[Arm, ...] = Field(min_length=2, description="In the order of tables and plots.")
    contrast: Contrast
    secondary: tuple[Secondary, ...] = Field(
        default=(),
        description="Endpoints beside the primary one, as fixed beforehand.",
        json_schema_extra={"silent": True},
    )
    tokens: Positive | None = Field(
        default=None, description="Of each matched arm, at most; null: as many as the smallest of them has."
    )
    trainer: Trainer
    seeds: Seeds = Seeds()
    verify: Verify = Verify()
    run: Run = Run()

    @property
    def data_dir(self) -> str:
        """Folder that sources would be relative to."""
        return "."

    @property
    def sources(self) -> tuple[Source, ...]:
        """None: the rows are a finished run's."""
        return ()

    @model_validator(mode="after")
    def _known_arms(self) -> Comparison:
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"arm names must be unique; twice: {', '.join(twice)}")
        for name in (self.contrast.ahead, self.contrast.behind):
            if name not in names:
                raise ValueError(f"contrast names {name}, which is no arm; there are {', '.join(names)}")
        endpoints = [second.name for second in self.secondary]
        if len(set(endpoints)) < len(endpoints):
            raise ValueError(f"secondary endpoints must have names of their own; got {', '.join(endpoints)}")
        if self.contrast.ahead == self.contrast.behind:
            raise ValueError(f"contrast compares {self.contrast.ahead} with itself")
        return self

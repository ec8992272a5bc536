"""Section ``verify`` of the recipe: how responses are judged, and what with.

Section ``majority`` of the recipe: references where there are none, and an audit of those that are there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracemill.core import Category, Section
from tracemill.core.settings import AtOnce, Fraction, Mebibytes, Positive, WallSeconds
from tracemill.recipe.sections.distill import Often


class Sandbox(Section):
    """The containers that programs run in. All of it is operational: it says where and how, not what is judged."""

    engines: tuple[str, ...] = Field(
        default=(),
        description="Docker engines, as in tcp://host:2376; empty: the environment's (DOCKER_HOST, or the local one).",
        json_schema_extra={"operational": True},
    )
    image: str = Field(
        default="tracemill-sandbox", description="Made by make sandbox-image.", json_schema_extra={"operational": True}
    )
    containers: AtOnce = Field(
        default=2, description="Programs at once, per engine: one core each.", json_schema_extra={"operational": True}
    )
    runtime: str | None = Field(
        default=None, description="Container runtime, as in runsc.", json_schema_extra={"operational": True}
    )
    programs_per_container: Positive = Field(
        default=200, description="A container is replaced after so many.", json_schema_extra={"operational": True}
    )


class CodeTests(Section):
    """How programs are judged."""

    time_limit_s: WallSeconds = Field(
        default=6.0, description="CPU seconds a test, where the row names none; wall is 3x."
    )
    memory_limit_mb: Mebibytes = Field(default=512, description="Where the row names none.")
    budget_s: WallSeconds = Field(default=120.0, description="Wall seconds a program; tests beyond it are NOT_RUN.")
    output_limit_mb: Mebibytes = Field(default=16, description="Output of one test; DMOJ allows 24.")
    first_tests: Positive | None = Field(default=None, description="Only the first so many tests (DD runs 10).")
    stop_at_first_failure: bool = Field(default=False, description="Strict: no pass rate, and no test after a failure.")
    pass_mark: Fraction = Field(default=1.0, description="Share of tests that must pass (DD: above 0.99).")
    float_tolerance: Fraction = Field(default=1e-6, description="Absolute or relative, where floats are expected.")
    exact_integers: bool = Field(default=False, description="5.0 is no 5 in outputs (LiveCodeBench compares decimals).")


class Instructions(Section):
    """How constraints on a response are judged."""

    mode: Literal["strict", "loose"] = Field(default="strict", description="IFEval's two ways to read a response.")
    pass_mark: Fraction = Field(
        default=1.0, description="Share of constraints that must hold: AT wants all, DD more than 0.99 of the mean."
    )


class Verify(Section):
    """Verdicts on every response."""

    wall_s: WallSeconds = Field(default=10.0, description="Wall limit of one verification.")
    memory_mb: Annotated[int, Field(ge=64, le=2**20)] = Field(
        default=1024, description="Address-space limit of a verifier process."
    )
    workers: AtOnce | None = Field(
        default=None,
        description="Verifier processes: as many as this machine has cores, and at least 2, unless given.",
        json_schema_extra={"operational": True},
    )
    code: CodeTests = CodeTests()
    instructions: Instructions = Instructions()
    sandbox: Sandbox = Field(default=Sandbox(), json_schema_extra={"operational": True})


_Voting = Literal[Category.MATH, Category.CHOICE]


class Majority(Section):
    """What most samples of a problem say, by the verifier's equivalence; see docs/verification.md."""

    votes: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=4, description="At least so many samples have to say the same."
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.6, description="And at least this share of those whose answer can be read."
    )
    categories: tuple[_Voting, ...] = Field(
        default=(Category.MATH, Category.CHOICE), min_length=1, description="Whose problems are voted on."
    )
    make: bool = Field(
        default=True,
        description="Problems without a reference answer are asked about, and get what the majority says as one. "
        "false: only references that are there are looked at.",
    )
    samples: Often | None = Field(
        default=None,
        description="Of a problem without a reference, by each teacher in each round; as many as of any other unless "
        "given.",
    )
    contradicted: Literal["keep", "drop"] = Field(
        default="keep",
        description="Problems whose reference most samples contradict: marked, or dropped as contradicted_reference.",
    )

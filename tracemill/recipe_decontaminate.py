"""Section ``decontaminate`` of the recipe: test sets that nothing in the dataset may overlap with."""

from __future__ import annotations

from pydantic import Field

from tracemill.recipe_section import Fraction, Name, Positive, Section


class Benchmark(Section):
    """A test set that nothing in the dataset may overlap with."""

    name: Name
    path: str = Field(
        description="File, relative to data_dir; its content is digested.", json_schema_extra={"operational": True}
    )
    text: str = Field(default="problem", description="Column with the question.")


class Decontaminate(Section):
    """Word n-gram overlap with benchmarks."""

    benchmarks: tuple[Benchmark, ...] = ()
    ngram: Positive = Field(default=8, description="Words per n-gram (Open-R1 uses 8).")
    min_containment: Fraction = Field(
        default=0.5,
        description="Share of a benchmark item's n-grams found in a prompt from which the prompt is dropped.",
    )

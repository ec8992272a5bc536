"""The recipe: one frozen section per stage, read once, refused before anything runs if any of it is wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from tracemill.recipe_judge import Judge, Reward, Rubric
from tracemill.recipe_section import Fraction, Name, Positive, Seconds, Section
from tracemill.recipe_server import Teacher
from tracemill.recipe_verify import Verify
from tracemill.schema import Category

__all__ = ["Recipe", "Teacher"]

Layout = Literal["plain", "gsm8k", "math", "svamp", "mbpp", "humaneval", "code_contests", "ifeval", "am"]
PlainField = Literal[
    "prompt", "reference_answer", "tests", "constraints", "category", "history", "reference_solution", "id"
]


class Source(Section):
    """One question set: a file, a glob of files, or a Hub dataset, and the layout of its rows."""

    name: Name = Field(description="Unique name; it stands in every row that came from here.")
    path: str | None = Field(
        default=None,
        description="File or glob (JSONL, JSONL.zst, CSV, Parquet), relative to data_dir.",
        json_schema_extra={"operational": True},
    )
    hub: str | None = Field(default=None, description="Hub dataset id, instead of path.")
    config: str | None = Field(default=None, description="Hub configuration name.")
    split: str = "train"
    revision: str | None = Field(default=None, description="Hub commit; required with hub, so that rows cannot move.")
    layout: Layout = Field(default="plain", description="How rows are laid out; see tracemill/sources/.")
    columns: dict[PlainField, str] = Field(
        default_factory=dict, description="For layout plain: field of the problem -> column name."
    )
    category: Category = Category.MATH
    licence: str = Field(default="unknown", description="SPDX id where there is one.")
    non_commercial: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a source needs exactly one of path and hub")
        if self.hub is not None and self.revision is None:
            raise ValueError("a Hub source needs its revision pinned: the rows must not move under a run")
        return self


class Collect(Section):
    """Reading the sources."""

    shard_rows: Positive = Field(default=1000, description="Source rows per shard; a Prefect task is a shard.")


class Clean(Section):
    """Rules on a prompt alone."""

    min_words: Positive = Field(default=3, description="Shorter prompts are dropped as too_short.")


class Signature(Section):
    """MinHash signatures; another threshold needs no new ones."""

    ngram: Positive = Field(default=5, description="Words per shingle.")
    num_perm: Positive = Field(default=128, description="MinHash permutations; 128 is datasketch's default.")
    seed: int = 1


class Deduplicate(Section):
    """Exact and MinHash near-duplicates over the whole batch."""

    signature: Signature = Signature()
    threshold: Fraction = Field(default=0.8, description="Estimated Jaccard from which two prompts are one.")
    same_numbers: bool = Field(
        default=True,
        description="Merge maths prompts only if their numbers and operators agree: problems differ by them.",
    )


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


class Label(Section):
    """Labels that need no model: language and length."""


class Distill(Section):
    """Reuse traces that came with a row, then ask the teacher for what is still unsolved."""

    teacher: Teacher
    reuse_traces: bool = True
    samples_per_round: Positive = 1
    max_rounds: Positive = Field(default=1, description="Rounds of samples until one passes.")
    limit: Positive | None = Field(
        default=None,
        description="At most so many problems are distilled, the first by content id; the rest is dropped.",
    )


class Quality(Section):
    """Filters on the form of a response."""

    require_think: bool = Field(default=True, description="The think/answer template of the paper must be followed.")
    allow_truncated: bool = Field(default=False, description="Keep responses with finish_reason=length.")


class Select(Section):
    """Which of a problem's passing responses is published."""

    prefer: Literal["first", "shortest", "longest"] = "first"


class Export(Section):
    """The published files."""

    shuffle_seed: int = 0
    rows_per_file: Positive = 50_000


class Run(Section):
    """How to run; never part of a result."""

    store: str = Field(default=".tracemill/store", json_schema_extra={"operational": True})
    ledger: str | None = Field(
        default=None,
        description="Folder of what has been paid for; inside the store unless given.",
        json_schema_extra={"operational": True},
    )
    workers: Positive = Field(default=4, description="Shard tasks at once.", json_schema_extra={"operational": True})
    shards_per_flow: Positive = Field(
        default=200,
        description="Shards per subflow: Prefect's UI stays usable up to 2-3k task runs in one flow run.",
        json_schema_extra={"operational": True},
    )
    show_cached: int = Field(
        default=200,
        ge=0,
        description="So many finished tasks are shown as Cached in the UI; the rest is one figure.",
        json_schema_extra={"operational": True},
    )
    progress_every_s: Seconds = Field(default=5.0, json_schema_extra={"operational": True})


class Recipe(Section):
    """Everything a run is made from."""

    name: Name
    description: str = ""
    data_dir: str = Field(default=".", json_schema_extra={"operational": True})
    sources: tuple[Source, ...] = Field(min_length=1, description="In order of priority for duplicates.")
    collect: Collect = Collect()
    clean: Clean = Clean()
    deduplicate: Deduplicate = Deduplicate()
    decontaminate: Decontaminate = Decontaminate()
    label: Label = Label()
    distill: Distill
    verify: Verify = Verify()
    reward: Reward | None = None
    rubric: Rubric | None = None
    judge: Judge | None = None
    quality: Quality = Quality()
    select: Select = Select()
    export: Export = Export()
    run: Run = Run()

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must be unique; twice: {', '.join(twice)}")
        return sources

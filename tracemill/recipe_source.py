"""One entry of ``sources`` in the recipe: where rows are read, and how they are laid out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tracemill.recipe_section import Name, Section
from tracemill.schema import Category

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

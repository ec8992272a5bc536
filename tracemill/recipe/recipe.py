"""The recipe: one frozen section per stage, read once, refused before anything runs if any of it is wrong."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from tracemill.core import Section
from tracemill.core.settings import AtOnce, Fraction, Name, Positive, Seconds
from tracemill.ledger.place import CACHE, EVERY_S
from tracemill.recipe.sections.clean import Clean
from tracemill.recipe.sections.decontaminate import Decontaminate
from tracemill.recipe.sections.deduplicate import Deduplicate
from tracemill.recipe.sections.distill import Distill
from tracemill.recipe.sections.judges import Judge, Reward, Rubric
from tracemill.recipe.sections.label import Label
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.push import Push
from tracemill.recipe.sections.quality import FrequentStrings, Perplexity, Quality, Safety
from tracemill.recipe.sections.run import Runner
from tracemill.recipe.sections.select import Select
from tracemill.recipe.sections.server import Teacher
from tracemill.recipe.sections.verify import Majority, Verify
from tracemill.sources import Source

__all__ = ["Recipe", "Teacher"]


class Collect(Section):
    """Reading the sources."""

    shard_rows: Positive = Field(default=1000, description="Source rows per shard; a Prefect task is a shard.")


class Export(Section):
    """The published files."""

    shuffle_seed: int = Field(default=0, description="Of the order in which rows are published.")
    rows_per_file: Positive = Field(default=50_000, description="Rows of one Parquet file of dataset/.")
    keep_versions: Positive = Field(
        default=3,
        description="Publications that stay in the run's directory, the newest among them; older ones are removed.",
        json_schema_extra={"operational": True},
    )
    compare_with: str | None = Field(
        default=None,
        description="Run that report.html compares with: a directory, DIR@N or a URL. Unless given, the publication of "
        "this recipe that the new one takes the place of.",
        json_schema_extra={"operational": True},
    )
    allow_empty: bool = Field(
        default=False,
        description="A dataset of no rows may take the place of one that has some; else such a publication is refused.",
        json_schema_extra={"operational": True},
    )


class Run(Section):
    """How to run; never part of a result."""

    store: str = Field(
        default=".tracemill/store",
        description="Folder of finished work; any that fsspec knows, as s3://bucket/folder.",
        json_schema_extra={"operational": True},
    )
    ledger: str | None = Field(
        default=None,
        description="Folder or URL of what has been paid for; inside the store unless given.",
        json_schema_extra={"operational": True},
    )
    ledger_cache: str = Field(
        default=CACHE,
        description="Where the ledger is on S3: folder for this machine's copy of it, on a disk that outlives the run.",
        json_schema_extra={"operational": True},
    )
    ledger_upload_every_s: Seconds = Field(
        default=EVERY_S,
        description="S3 ledger only: upload interval in seconds, i.e. "
        "how much paid work is lost at most if this machine dies.",
        json_schema_extra={"operational": True},
    )
    workers: AtOnce | None = Field(
        default=None,
        description="Shard tasks at once, over all subflows: of this machine's cores, and at least 4, unless given.",
        json_schema_extra={"operational": True},
    )
    runner: Runner = Field(
        default=Runner(), description="Where shard tasks run.", json_schema_extra={"operational": True}
    )
    shards_per_flow: Positive = Field(
        default=200,
        description="Shards per subflow: Prefect's UI stays usable up to 2-3k task runs in one flow run. The next one "
        "begins during the tail of the one before.",
        json_schema_extra={"operational": True},
    )
    show_cached: int = Field(
        default=200,
        ge=0,
        description="Maximum number of finished tasks submitted to Prefect as Cached; the rest are only counted.",
        json_schema_extra={"operational": True},
    )
    poison_share: Fraction = Field(
        default=0.01,
        description="Rows of a task on which its stage crashes are set aside, up to this share (a few in a small"
        " shard); above it the task fails. 0: it fails on the first.",
        json_schema_extra={"operational": True},
    )
    progress_every_s: Annotated[float, Field(ge=0.1, le=24 * 3600)] = Field(
        default=5.0, description="How often the log says how far a phase is.", json_schema_extra={"operational": True}
    )


class Recipe(Section):
    """Everything a run is made from."""

    name: Name = Field(description="Of the dataset; the run is published in runs/<name> unless told otherwise.")
    description: str = Field(default="", description="A sentence for the card and the report.")
    data_dir: str = Field(
        default=".",
        description="Folder that paths of sources, benchmarks and label.tokenizer are relative to. Is it relative "
        "itself, it is looked for beside the recipe, then where the command runs.",
        json_schema_extra={"operational": True},
    )
    sources: tuple[Source, ...] = Field(min_length=1, description="In order of priority for duplicates.")
    collect: Collect = Collect()
    clean: Clean = Clean()
    deduplicate: Deduplicate = Deduplicate()
    decontaminate: Decontaminate = Decontaminate()
    label: Label = Label()
    distill: Distill
    verify: Verify = Verify()
    majority: Majority | None = Field(
        default=None,
        description="References by vote where there are none, and an audit of the others; off unless given.",
        json_schema_extra={"silent": True},
    )
    reward: Reward | None = None
    rubric: Rubric | None = None
    judge: Judge | None = None
    quality: Quality = Quality()
    perplexity: Perplexity | None = None
    safety: Safety | None = None
    frequent_strings: FrequentStrings | None = None
    select: Select = Select()
    export: Export = Export()
    push: Push | None = Field(
        default=None,
        description="The Hub repository that finished datasets go to; off unless given.",
        json_schema_extra={"operational": True},
    )
    run: Run = Run()

    @property
    def reused(self) -> tuple[str, ...]:
        """Models whose traces are reused; none where the recipe says so."""
        return self.distill.reuse_models if self.distill.reuse_traces else ()

    @property
    def purse(self) -> Purse | None:
        """Whose money teachers, and models that judge and filter, spend; None where nobody's price is known."""
        safety = (self.safety.guard, self.safety.classifier) if self.safety else ()
        beside = (self.reward, self.rubric, self.judge, self.perplexity, self.decontaminate.judge, *safety)
        asked = [*self.distill.asked, *self.label.labellers, *(one for one in beside if one is not None)]
        return self.distill.purse(self.name) if any(one.price is not None for one in asked) else None

    @property
    def vote_samples(self) -> int | None:
        """Of a problem whose reference they make, by each teacher in each round; None: as many as of any other."""
        return self.majority.samples if self.majority is not None and self.majority.make else None

    @model_validator(mode="after")
    def _measured_perplexity(self) -> Recipe:
        if self.select.prefer == "lowest_perplexity" and self.perplexity is None:
            raise ValueError("select.prefer: lowest_perplexity needs section perplexity, which names a model")
        return self

    @model_validator(mode="after")
    def _known_teachers(self) -> Recipe:
        names = [one.named for one in self.distill.teachers]
        if unknown := [name for name in self.select.teachers if name not in names]:
            raise ValueError(
                f"select.teachers names {', '.join(unknown)}; expected of distill.teachers: "
                f"{', '.join(names) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _countable_votes(self) -> Recipe:
        if self.majority is None or not self.distill.turns:
            return self
        n_samples = self.distill.max_rounds * sum(self.vote_samples or turn.samples for turn in self.distill.turns)
        if self.majority.votes > n_samples:
            raise ValueError(
                f"majority.votes is {self.majority.votes}, and a problem is asked {n_samples} times at most: set "
                "majority.samples, or more of distill's samples and rounds"
            )
        alike = [one for one in self.distill.asked if one.temperature == 0 or "seed" in one.extra_body]
        if self.majority.make and alike:
            raise ValueError(
                "majority counts samples, and with teacher.temperature 0 or a seed all of them are the same one"
            )
        return self

    @model_validator(mode="after")
    def _open_problems_stay(self) -> Recipe:
        if self.majority is None or not self.majority.make:
            return self
        if gone := sorted(set(self.majority.categories) & set(self.clean.unusable_reference)):
            raise ValueError(
                f"majority makes references of {', '.join(gone)}, and clean.unusable_reference drops the problems that "
                "have none: take the category out of either; a reference that nothing can be judged by is not paid for"
            )
        return self

    @model_validator(mode="after")
    def _counted_budget(self) -> Recipe:
        if self.distill.budget is not None and self.run.runner.is_cluster:
            raise ValueError(
                "distill.budget is counted by one process, and those of a cluster ask each for itself; expected "
                f"run.runner.kind: threads or processes instead of {self.run.runner.kind}, or no budget"
            )
        return self

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must be unique; twice: {', '.join(twice)}")
        return sources

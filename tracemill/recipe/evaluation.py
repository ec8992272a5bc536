"""What an evaluation is made from: a student, benchmarks, how their answers are judged, what they are compared with."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tracemill.core import Category, Section
from tracemill.core.secrets import Secret
from tracemill.core.settings import Name, Positive
from tracemill.recipe.known_benchmarks import KNOWN, Known
from tracemill.recipe.recipe import Collect, Run
from tracemill.recipe.sections.decontaminate import Overlap
from tracemill.recipe.sections.judges import Judge
from tracemill.recipe.sections.server import Teacher, Template
from tracemill.recipe.sections.verify import Verify
from tracemill.sources import Source
from tracemill.sources.adapter import PlainField

EvaluatedName = Literal[
    "aime-2024", "aime-2025", "math-500", "gpqa-diamond", "livecodebench", "gsm8k-test", "humaneval", "ifeval"
]
_PLACE: Final = ("hub", "config", "split", "files")
_IFEVAL: Final = Known(hub="google/IFEval", split="train", texts=(("prompt",),), ids=("key",), n_items=541)
# How the rows of a known benchmark are laid out, which its place on the Hub does not say.
_LAID_OUT: Final[Mapping[str, dict[str, Any]]] = {
    "aime-2024": {"columns": {"id": "id"}},
    "aime-2025": {"columns": {"id": "id"}},
    "math-500": {"columns": {"id": "unique_id"}},
    "gpqa-diamond": {"layout": "gpqa", "category": Category.CHOICE},
    "livecodebench": {"layout": "livecodebench", "category": Category.CODE},
    "gsm8k-test": {"layout": "gsm8k"},
    "humaneval": {"layout": "humaneval", "category": Category.CODE},
    "ifeval": {"layout": "ifeval", "category": Category.INSTRUCTION},
}
_DAY: Final = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


def known_benchmark(name: str) -> Known:
    """Return where a benchmark that can be evaluated by its name is, and how many items it has."""
    return _IFEVAL if name == "ifeval" else KNOWN[name]  # type: ignore[index]


def _as_date(given: object) -> object:
    """Return a date or a month as text."""
    return given if given is None or isinstance(given, str) else str(given)


Day = Annotated[str, BeforeValidator(_as_date)]


class Dates(Section):
    """A window of dates, both ends within it; a month is all its days."""

    start: Day = Field(alias="from", description="First day, as 2024-08-01, or month, as 2024-08.")
    end: Day = Field(alias="to", description="Last day or month.")

    @field_validator("start", "end")
    @classmethod
    def _is_date(cls, text: str) -> str:
        _day(text, first=True)
        return text

    @model_validator(mode="after")
    def _in_order(self) -> Dates:
        if self.first > self.last:
            raise ValueError(f"from {self.start} is after to {self.end}")
        return self

    @property
    def first(self) -> str:
        """The first day."""
        return _day(self.start, first=True)

    @property
    def last(self) -> str:
        """The last day."""
        return _day(self.end, first=False)


def _day(text: str, *, first: bool) -> str:
    found = _DAY.fullmatch(text)
    if found and 1 <= int(found[2]) <= 12:
        days = calendar.monthrange(int(found[1]), int(found[2]))[1]
        if found[3] is None:
            return f"{text}-{1 if first else days:02d}"
        if 1 <= int(found[3]) <= days:
            return text
    raise ValueError(f"{text} is no day (2024-08-01) or month (2024-08)")


class Student(Teacher):
    """The model that is scored: a served one, or one whose responses stand in a file."""

    place: ClassVar[str] = "student"
    role: ClassVar[str] = "student"

    max_tokens: Positive = Field(default=32768, description="P1 evaluates with 32,768.")
    responses: str | None = Field(
        default=None,
        description="File of responses to judge in place of asking: JSONL of {benchmark, item, sample, content, "
        "reasoning?, finish_reason?}.",
        json_schema_extra={"operational": True},  # the stage that reads it knows the state of the file
    )


class Evaluated(Section):
    """One benchmark: a known one by its name, or a file, or a Hub dataset, and how its rows are laid out."""

    name: Name = Field(description="In scores and reports; known, unless given.")
    known: EvaluatedName | None = Field(
        default=None, description="Says place and layout.", json_schema_extra={"operational": True}
    )
    path: str | None = Field(
        default=None, description="File, relative to data_dir.", json_schema_extra={"operational": True}
    )
    hub: str | None = Field(default=None, description="Hub dataset id, instead of path.")
    config: str | None = None
    split: str = "test"
    files: str | None = Field(default=None, description="Glob of files in the Hub repository, instead of a split.")
    revision: str | None = Field(default=None, description="Hub commit; a run is refused without it.")
    token: Secret = Field(default=None, json_schema_extra={"operational": True})
    layout: str = Field(default="plain", description="How rows are laid out; see docs/sources.md.")
    columns: dict[PlainField, str] = Field(default_factory=dict, description="For layout plain: field -> column.")
    only: dict[str, tuple[str | bool | int | float | None, ...]] = Field(
        default_factory=dict, description="Column -> values: items with another value there are left out."
    )
    category: Category = Field(default=Category.MATH, description="What its items are judged as, unless a row says.")
    samples: Positive = Field(default=1, description="Answers to each item.")
    dates: Dates | None = Field(default=None, description="Only items of these days; LiveCodeBench has dates.")
    template: Template | None = Field(default=None, description="Prompt template, in place of student.template.")

    @model_validator(mode="before")
    @classmethod
    def _from_known(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("known") not in _LAID_OUT:
            return given
        name = given["known"]
        place = {} if given.get("path") else {field: getattr(known_benchmark(name), field) for field in _PLACE}
        return {"name": name} | place | _LAID_OUT[name] | given

    @model_validator(mode="after")
    def _one_place(self) -> Evaluated:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a benchmark needs exactly one of path and hub, or the name of a known one")
        self.source  # noqa: B018 - its own faults, such as an unknown layout
        return self

    @property
    def source(self) -> Source:
        """Its rows, read like those of any source."""
        names = ("name", "path", "hub", "config", "split", "files", "revision", "token", "layout", "columns", "only")
        given = {name: getattr(self, name) for name in (*names, "category")}
        if self.files is not None:
            del given["split"]
        return Source(**given)

    @property
    def has_zeros(self) -> bool:
        """Whether its references begin with zeros that say nothing."""
        return self.known in {"aime-2024", "aime-2025"}

    @property
    def n_items(self) -> int | None:
        """How many items there are, where that is known."""
        return known_benchmark(self.known).n_items if self.known else None


class Evaluation(Section):
    """A student and the benchmarks that it is scored on."""

    name: Name = Field(description="Of the run, which is published in runs/eval-<name> unless told otherwise.")
    description: str = ""
    data_dir: str = Field(
        default=".",
        description="Folder that paths are relative to.",
        json_schema_extra={"operational": True},
    )
    student: Student
    benchmarks: tuple[Evaluated, ...] = Field(min_length=1)
    collect: Collect = Field(default=Collect(shard_rows=100), description="Items per task.")
    verify: Verify = Verify()
    judge: Judge | None = Field(
        default=None,
        description="A model's second look at what the rules call wrong or cannot judge, as in a build.",
        json_schema_extra={"silent": True},
    )
    baseline: str | None = Field(
        default=None,
        description="Directory of another finished evaluation, to be compared with item by item.",
        json_schema_extra={"operational": True},
    )
    trained_on: Source | None = Field(
        default=None,
        description="What the student was trained on: a finished run's directory, a file, or a source as in a build's "
        "recipe; scores of items far from, near to and inside it are told apart.",
    )
    overlap: Overlap = Field(default=Overlap(), description="What near and inside are; as decontaminate has it.")
    run: Run = Run()

    @property
    def sources(self) -> tuple[Source, ...]:
        """The benchmarks, read like sources."""
        return tuple(benchmark.source for benchmark in self.benchmarks)

    @field_validator("benchmarks")
    @classmethod
    def _unique_names(cls, benchmarks: tuple[Evaluated, ...]) -> tuple[Evaluated, ...]:
        names = [benchmark.name for benchmark in benchmarks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"benchmark names must be unique; twice: {', '.join(twice)}")
        return benchmarks

    @field_validator("trained_on", mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """A directory or file alone; that of a finished run holds its rows in ``dataset/``."""
        if isinstance(given, str):
            return {"name": re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(given).name).strip("-._") or "set", "path": given}
        if isinstance(given, dict) and "name" not in given and "known" not in given:
            return {"name": "trained-on"} | given
        return given

    def student_for(self, benchmark: Evaluated) -> Student:
        """Return the student with the template that a benchmark has of its own."""
        return self.student.model_copy(update={"template": benchmark.template}) if benchmark.template else self.student

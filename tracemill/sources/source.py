"""One entry of ``sources`` in the recipe: where rows are read, and how they are laid out."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tracemill.core import Category, Section
from tracemill.core.secrets import Secret
from tracemill.core.settings import Name
from tracemill.sources.adapter import PlainField
from tracemill.sources.catalogue.catalogue import catalogue, datasets_at
from tracemill.sources.layouts.registry import LAYOUTS

_STATED = ("licence", "non_commercial")  # what a recipe may not say otherwise than the catalogue
_PLACE = ("hub", "config", "split", "files")


def _known_layout(name: str) -> str:
    if name not in LAYOUTS:
        raise ValueError(f"no such layout; {_nearest(name, LAYOUTS)}")
    return name


def _folded(name: Any) -> Any:
    """Return the names of layouts have no capitals and no dashes."""
    return name.strip().lower().replace("-", "_") if isinstance(name, str) else name


def _nearest(name: str, valid: Any) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(valid))}"


class Source(Section):
    """One question set: a file, a glob of files, or a Hub dataset, and the layout of its rows."""

    name: Name = Field(description="Unique name; it stands in every row that came from here; known, unless given.")
    known: str | None = Field(
        default=None,
        description="Name in the catalogue, which then says hub, config, split, layout, category and licence.",
        json_schema_extra={"operational": True},  # what it stands for is in the other fields
    )
    path: str | None = Field(
        default=None,
        description="File, folder or glob (JSONL, JSON, CSV, TSV, also .zst, .gz, .bz2, .xz; Parquet, Arrow), "
        "relative to data_dir.",
        json_schema_extra={"operational": True},
    )
    hub: str | None = Field(default=None, description="Hub dataset id, instead of path.")
    config: str | None = Field(default=None, description="Hub configuration name.")
    split: str = Field(default="train", description="Split of the Hub dataset.")
    files: str | None = Field(
        default=None, description="Glob of files in the Hub repository, instead of config and split."
    )
    revision: str | None = Field(
        default=None,
        description="Hub commit, so that rows cannot move; python -m tracemill pin RECIPE fills it in.",
    )
    token: Secret = Field(
        default=None,
        description="Where the Hub's token is, as env:NAME; else as the Hub's client has it (HF_TOKEN, a login).",
        json_schema_extra={"operational": True},
    )
    layout: Annotated[str, BeforeValidator(_folded), AfterValidator(_known_layout)] = Field(
        default="plain", description="How rows are laid out; see docs/sources.md."
    )
    columns: dict[PlainField, str] = Field(
        default_factory=dict, description="For layout plain: field of the problem -> column name."
    )
    only: dict[str, tuple[str | bool | int | float | None, ...]] = Field(
        default_factory=dict,
        description="Column -> values: rows with another value there are dropped as not_selected.",
    )
    allow_empty: bool = Field(
        default=False,
        description="Go on without it where it has no rows, or none that can be used; otherwise that stops the run.",
        json_schema_extra={"operational": True},
    )
    category: Category = Field(default=Category.MATH, description="What its rows are judged as, unless a row says.")
    licence: str = Field(default="unknown", description="SPDX id where there is one.")
    non_commercial: bool = Field(
        default=False, description="Its rows are for non-commercial use only; every published row says so."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_catalogue(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return _filled(given) if given.get("known") is not None else _licensed(given)

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a source needs exactly one of path and hub")
        if self.files is not None and (self.hub is None or self.config is not None):
            raise ValueError("files names files of a Hub repository, in place of config and split")
        return self

    @property
    def stated_licence(self) -> str:
        """The licence for people: with its flag, and whether rows name their own (column ``licence``)."""
        known = [catalogue()[self.known]] if self.known else datasets_at(self.hub or "")
        flags = {"non-commercial": self.non_commercial, "by row": any(dataset.row_licences for dataset in known)}
        shown = ", ".join(flag for flag, is_set in flags.items() if is_set)
        return f"{self.licence} ({shown})" if shown else self.licence


def _filled(given: dict[str, Any]) -> dict[str, Any]:
    """Return a source that names its dataset, with what the catalogue says of it; files are read in the Hub's stead."""
    name = given["known"]
    if name not in catalogue():
        raise ValueError(f"known: {name!r} is not in the catalogue; {_nearest(str(name), catalogue())}")
    dataset = catalogue()[name]
    for field in _STATED:
        if field in given and given[field] != getattr(dataset, field):
            raise ValueError(
                f"{field} is {given[field]!r}, and {name} has {getattr(dataset, field)!r} ({dataset.evidence}): "
                "leave it out, or describe the source without known"
            )
    place = () if given.get("path") is not None else _PLACE
    facts = {field: getattr(dataset, field) for field in (*place, *_STATED, "layout", "category")}
    return {"name": name} | facts | given


def _licensed(given: dict[str, Any]) -> dict[str, Any]:
    """A Hub source that says nothing of its licence, with the catalogue's: nobody forgets it by leaving it out."""
    known = datasets_at(given["hub"]) if isinstance(given.get("hub"), str) else []
    if not known or "licence" in given or "non_commercial" in given:
        return given
    return given | {field: getattr(known[0], field) for field in _STATED}

"""What the catalogue says of one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from tracemill.core import Category


@dataclass(frozen=True, slots=True)
class Dataset:
    """One source dataset: a configuration and split of a Hub repository.

    Attributes:
        hub: its id.
        layout: of its rows, a name in ``LAYOUTS``.
        licence: SPDX id of the whole; a row that names its own has that instead (``row_licences``).
        evidence: how the facts are known.
        config: Hub configuration, or None for the default one.
        split: Hub split.
        files: of the repository, instead of config and split: where ``datasets`` cannot tell them.
        category: of rows that do not show theirs.
        non_commercial: the licence forbids commercial use.
        row_licences: the layout reads a licence in every row.
        traces: models whose traces come with it, "unknown" among them for authors that nobody names. Empty: no traces.
        also: former ids, under which the Hub still finds it.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    hub: str
    layout: str
    licence: str
    evidence: str
    config: str | None = None
    split: str = "train"
    files: str | None = None
    category: Category = Category.MATH
    non_commercial: bool = False
    row_licences: bool = False
    traces: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

"""The catalogue as a table for people: ``python -m tracemill sources [WORD]``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tracemill.sources.catalogue.catalogue import catalogue

if TYPE_CHECKING:
    from tracemill.sources.catalogue.dataset import Dataset

_HEAD = ("known", "dataset", "licence", "layout", "traces of")


def listing(word: str | None = None) -> str:
    """Return one line a dataset; with a word only those that have it in name or id, and with how each is known.

    Args:
        word: in upper or lower case.
    """
    wanted = _wanted(word)
    rows = [_HEAD, *(_cells(name, each) for name, each in wanted.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    told = [] if word is None else [f"{name}: {each.evidence}" for name, each in wanted.items()]
    return "\n".join([*lines, *([""] if told else []), *told])


def facts(word: str | None = None) -> list[dict[str, Any]]:
    """Return the same for scripts: everything that the catalogue says, with the name to write after ``known``."""
    return [{"known": name, **asdict(each)} for name, each in _wanted(word).items()]


def _wanted(word: str | None) -> dict[str, Dataset]:
    return {name: each for name, each in catalogue().items() if word is None or _has(word.lower(), name, each)}


def _has(word: str, name: str, dataset: Dataset) -> bool:
    return any(word in text.lower() for text in (name, dataset.hub, *dataset.also))


def _cells(name: str, dataset: Dataset) -> tuple[str, ...]:
    place = " ".join(part for part in (dataset.hub, dataset.config, _unusual(dataset.split)) if part)
    flags = [flag for flag, is_set in _flags(dataset).items() if is_set]
    licence = f"{dataset.licence} ({', '.join(flags)})" if flags else dataset.licence
    return name, place, licence, dataset.layout, ", ".join(dataset.traces) or "-"


def _flags(dataset: Dataset) -> dict[str, bool]:
    return {"non-commercial": dataset.non_commercial, "by row": dataset.row_licences}


def _unusual(split: str) -> str | None:
    return None if split == "train" else f"split {split}"

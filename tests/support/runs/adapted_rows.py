"""Rows put through the adapter of a layout, for tests."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from tracemill.core import Dropped, Problem
from tracemill.sources import Source
from tracemill.sources.collect import RAW, collect


def adapted(rows: list[dict[str, Any]], layout: str, **settings: Any) -> tuple[list[Problem], list[Dropped]]:
    """The rows as problems and dropped rows of a source of that layout."""
    raw = [{"file": "f", "row": number, "raw": json.dumps(row).encode()} for number, row in enumerate(rows)]
    source = Source(name="s", path="f", layout=layout, **settings)
    return collect(pa.Table.from_pylist(raw, schema=RAW), source)


def one(row: dict[str, Any], layout: str, **settings: Any) -> Problem:
    """The problem that a sound row becomes."""
    kept, dropped = adapted([row], layout, **settings)
    assert [(d.reason, d.evidence) for d in dropped] == []
    return kept[0]


def reason(row: dict[str, Any], layout: str, **settings: Any) -> str:
    """Why a row is dropped."""
    _, dropped = adapted([row], layout, **settings)
    return dropped[0].reason

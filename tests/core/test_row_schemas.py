"""A kind of row is written once: what its columns are stored as is in its annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest

from tracemill.core import Int32, Messages, Row, Text, rows_of, schema_of, table_of
from tracemill.core.schema import Problem


@dataclass(frozen=True, slots=True)
class Everything(Row):
    name: str
    text: Text
    count: int
    small: Int32 | None
    share: float | None
    is_so: bool
    turns: Messages
    found: dict[str, Any] | None
    kind: Annotated[str, pa.dictionary(pa.int8(), pa.string())]
    other: Annotated[str | None, "no type of Arrow's"] = None

    json_fields: ClassVar[frozenset[str]] = frozenset({"found"})


EXPECTED = [
    ("name", pa.string()),
    ("text", pa.large_string()),
    ("count", pa.int64()),
    ("small", pa.int32()),
    ("share", pa.float64()),
    ("is_so", pa.bool_()),
    ("turns", pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))),
    ("found", pa.large_string()),
    ("kind", pa.dictionary(pa.int8(), pa.string())),
    ("other", pa.string()),
]


def test_annotations_say_the_schema() -> None:
    """Every column in order, by its Python type or by the Arrow type that it is annotated with; all may hold nulls."""
    assert Everything.arrow == schema_of(Everything) == pa.schema(EXPECTED)
    assert Everything.arrow.metadata is None
    assert all(column.nullable for column in Everything.arrow)


def test_rows_come_back_as_they_were() -> None:
    """What is stored under a derived schema is read as the same rows."""
    turns = [{"role": "user", "content": "x"}]
    rows = [
        Everything("a", "b", 1, None, 0.5, True, turns, {"a": [1]}, "k"),
        Everything("", "", 0, 2, None, False, [], None, "k", "o"),
    ]
    assert list(rows_of(Everything, table_of(Everything, rows))) == rows


@dataclass(frozen=True, slots=True)
class Untyped(Row):
    fine: str
    odd: dict[str, str]
    either: str | int


def test_a_column_without_a_type_is_refused() -> None:
    """An annotation that says no Arrow type is an error that names the kind of row and the columns."""
    with pytest.raises(TypeError, match=r"Untyped has .*; got: odd: dict\[str, str\], either: str \| int; expected: "):
        _ = Untyped.arrow
    assert not hasattr(Row, "arrow")


def test_an_instance_has_the_schema_of_its_kind() -> None:
    """Every kind has a schema of its own."""
    row = Problem("i", "s", 0, "math", "p", [], None, None, None, [], "MIT", non_commercial=False, info={})
    assert row.arrow is Problem.arrow
    assert row.arrow != Everything.arrow

"""The reference dataset's own layout of a row, as a line of JSON (its card; reference-pipeline §7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

from tracemill.core import ReferenceBy
from tracemill.core.schema import REFERENCE_BY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

# Columns of published rows that it is made of; and the one that says of a reference that nobody gave it, where it is.
AM_COLUMNS: Final = ["source", "messages", "think", "answer", "reference_answer", "tests", "model"]
_ROWS_AT_ONCE: Final = 100  # As Python's strings a row of traces takes up to eight times its bytes.


def am_lines(table: pa.Table) -> Iterator[bytes]:
    """Yield a line for each row of a table that has ``AM_COLUMNS``, in order."""
    marked = [REFERENCE_BY] if REFERENCE_BY in table.column_names else []
    for batch in table.select([*AM_COLUMNS, *marked]).to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from map(am_line, batch.to_pylist())


def am_line(sample: Mapping[str, Any]) -> bytes:
    """Return one row, with the line's LF.

    The layout has no place to say that samples made a reference: such a row has none there.
    """
    unset = {"think_content": None, "answer_content": None}
    *history, user, assistant = sample["messages"]
    case = am_test_case(json.loads(sample["tests"])) if sample["tests"] else None
    reference = None if sample.get(REFERENCE_BY) == ReferenceBy.MAJORITY else sample["reference_answer"]
    asked = {"source": sample["source"], "reference_answer": reference, "test_case": case, **unset}
    answered = {
        "source": sample["model"],
        "think_content": sample["think"],
        "answer_content": sample["answer"],
        "reference_answer": None,
        "test_case": None,
    }
    turns = [
        {**turn, "info": {"source": sample["source"], "reference_answer": None, "test_case": None, **unset}}
        for turn in history
    ]
    turns += [{**user, "info": asked}, {**assistant, "info": answered}]
    return json_line({"messages": turns}) + b"\n"


def am_test_case(tests: dict[str, Any]) -> dict[str, Any]:
    """Tests in the shapes that the reference dataset uses by source."""
    if tests["kind"] == "script":
        return {"test_code": tests["code"], "test_entry_point": tests.get("entry_point")}
    if tests["kind"] == "assert":
        return {"testcase": tests["asserts"]}
    return tests


def json_line(value: Any) -> bytes:
    """The bytes of ``json.dumps(value, ensure_ascii=False)``, lone surrogates escaped; long texts nine times as fast.

    Only texts go by orjson, which escapes the same characters in the same way: its separators and floats are others.

    Args:
        value: what ``json.loads`` can give.
    """
    if isinstance(value, str):
        try:
            return orjson.dumps(value)
        except TypeError:  # lone surrogates
            return json.dumps(value, ensure_ascii=False).encode("utf-8", errors="backslashreplace")
    if isinstance(value, dict):
        return b"{" + b", ".join([json_line(name) + b": " + json_line(item) for name, item in value.items()]) + b"}"
    if isinstance(value, list):
        return b"[" + b", ".join([json_line(item) for item in value]) + b"]"
    return json.dumps(value).encode()

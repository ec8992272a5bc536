"""A published dataset for the audit's tests: rows in AM's layout with planted errors, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard


def am_row(number: int, said: str, reference: str | None, source: str | None = "alpha") -> dict[str, Any]:
    """A question about a sum, and what the assistant said."""
    asked = {"role": "user", "content": f"What is {number} plus {number}?"}
    info = {"source": source, "reference_answer": reference, "test_case": None}
    reply = {"role": "assistant", "content": said, "info": {"source": "am-0309", "reference_answer": None}}
    return {"messages": [asked | {"info": info}, reply]}


def thought(answer: object) -> str:
    """A well-formed response."""
    return f"<think>\nadd\n</think>\n<answer>It is \\boxed{{{answer}}}.</answer>"


def right(number: int, source: str | None = "alpha") -> dict[str, Any]:
    return am_row(number, thought(2 * number), str(2 * number), source)


def wrong(number: int, source: str | None = "alpha") -> dict[str, Any]:
    return am_row(number, thought(2 * number + 1), str(2 * number), source)


def several_turns() -> dict[str, Any]:
    """A wrong answer, an objection, and the right answer."""
    first, last = wrong(900), right(900)
    last["messages"][0]["content"] = "Sure?"
    return {"messages": [*first["messages"], *last["messages"]]}


def two_replies() -> dict[str, Any]:
    """The assistant speaks twice: wrong, then right."""
    row = wrong(901)
    row["messages"].append(right(901)["messages"][1])
    return row


def unanswered() -> dict[str, Any]:
    row = right(902, "beta")
    return {"messages": row["messages"][:1]}


TRUNCATED = "<think>\nadd, and then"
PLANTED: list[dict[str, Any]] = [
    *[right(number) for number in range(10)],
    *[wrong(number) for number in range(20, 24)],
    *[right(number, "beta") for number in range(30, 33)],
    *[am_row(number, TRUNCATED, str(2 * number), "beta") for number in (40, 41)],
    am_row(50, thought(100), None, "beta"),
    am_row(51, thought(102), "The correct answer would involve adding both of the numbers.", "beta"),
    am_row(52, thought(104), "104", None),
    several_turns(),
    two_replies(),
    unanswered(),
    wrong(0),  # another response to a problem that has a right one
]
UNREADABLE = [b'{"messages": [broken', b'{"messages": "text"}']


def write(folder: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """The dataset as JSONL, with two lines that cannot be read unless rows are given."""
    path = folder / "set.jsonl"
    lines = [json.dumps(row).encode() for row in (PLANTED if rows is None else rows)]
    path.write_bytes(b"\n".join([*lines, *(UNREADABLE if rows is None else [])]) + b"\n")
    return path


def write_as(kind: str, folder: Path) -> Path:
    """The rows that can be read, in another format; Parquet pads every struct with nulls."""
    path = write(folder, PLANTED)
    if kind == ".jsonl":
        return path
    target = folder / f"set{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(PLANTED), target)
    else:
        parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
        target.write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compress(path.read_bytes()))
    return target

"""File formats: rows verbatim, in constant memory, and an early end is an error."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import SourceError
from tracemill.sources import formats
from tracemill.sources.formats import DAMAGED, raw_rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def rows(content: bytes, name: str = "f.json") -> list[bytes]:
    return list(raw_rows(name, io.BufferedReader(io.BytesIO(content)), "s"))  # type: ignore[arg-type]


@given(
    values=st.lists(JSON, max_size=8),
    indent=st.none() | st.integers(0, 3),
    chunk=st.integers(1, 40),
    ascii=st.booleans(),
)
def test_an_array_is_its_elements(values: list[Any], indent: int | None, chunk: int, ascii: bool) -> None:  # noqa: A002
    """Whatever the values, the layout, and where chunks end: the rows are the elements."""
    content = json.dumps(values, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "CHUNK", chunk)
        assert [json.loads(row) for row in rows(content)] == values


@given(values=st.lists(JSON, min_size=1, max_size=5), cut=st.integers(1, 200), chunk=st.integers(1, 40))
def test_a_truncated_array_is_an_error(values: list[Any], cut: int, chunk: int) -> None:
    """An array without its end is never taken for the end of the data."""
    content = json.dumps(values).encode()[:-cut]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "CHUNK", chunk)
        if content.strip():
            with pytest.raises(ValueError, match="character"):
                rows(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'[{"a": 1} {"b": 2}]', "character 10"),
        (b'[{"a": 1}, {"b": oops, "c": "' + b"x" * 99 + b'"}]', "character 17: no JSON"),
        (b'[{"a": 1},]', "character 10"),
        (b'{"rows": [\n{"a": 1}\n]}', "neither an array"),
    ],
)
def test_what_is_no_array_is_an_error(content: bytes, says: str) -> None:
    """A fault in an array ends the reading at its place; an object that holds the rows is not guessed at."""
    with pytest.raises(ValueError, match=says):
        rows(content)


def test_bytes_of_rows_are_kept() -> None:
    """A row of an array stays as it is written, also where it is no UTF-8, so that only that row is at fault."""
    written = [b'{"n": 1.0e2,  "u": "\\u00e9"}', b'{"bad": "\xff"}', '{"é": 1}'.encode()]
    assert rows(b"\xef\xbb\xbf [" + b" ,\n ".join(written) + b"]\n") == written


def test_json_suffix_may_hold_lines() -> None:
    """JSON lines under the suffix of plain JSON, as the Hub has them, are rows, too."""
    assert rows(b'\n{"a": 1}\n{"a": [2]}\n') == [b'{"a": 1}', b'{"a": [2]}']


def test_an_array_takes_constant_memory() -> None:
    """An array of 60 MB is read with the memory of a few chunks."""
    row = json.dumps({"query": "x" * 1000, "n": 1}).encode()
    content = io.BytesIO(b"[" + b",\n".join([row] * 60_000) + b"]")
    tracemalloc.start()
    n_rows = sum(1 for found in raw_rows("f.json", io.BufferedReader(content), "s") if found == row)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (n_rows, peak < 12 * formats.CHUNK) == (60_000, True)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_rows_take_constant_memory(pack: Any) -> None:
    """300 MB of rows that repeat, and so compress ten thousandfold, are never decompressed at once."""
    row = json.dumps({"query": "x" * 10_000}).encode()
    packed = io.BufferedReader(io.BytesIO(pack((row + b"\n") * 30_000)))  # type: ignore[arg-type]
    name = "f.jsonl.gz" if pack is gzip.compress else "f.jsonl.zst"
    tracemalloc.start()
    n_rows = sum(1 for found in raw_rows(name, packed, "s") if found == row)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (n_rows, peak < 150e6) == (30_000, True), f"{peak / 1e6:.0f} MB"


@pytest.mark.parametrize("kind", [".jsonl", ".json"])
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_files(kind: str, pack: Any) -> None:
    """Gzip and zstd are opened around JSON; where they are cut off, that is an error."""
    found = [json.dumps({"n": n}).encode() for n in range(5000)]
    content = b"\n".join(found) if kind == ".jsonl" else b"[" + b",".join(found) + b"]"
    suffix = ".gz" if pack is gzip.compress else ".zst"
    assert rows(pack(content), f"f{kind}{suffix}") == found
    with pytest.raises(DAMAGED):
        rows(pack(content)[:-30], f"f{kind}{suffix}")


def test_unknown_formats_are_named() -> None:
    """A suffix that is not known is an error that lists those that are."""
    with pytest.raises(SourceError, match=r"(?s)f\.xlsx.*got: xlsx.*\.jsonl\.zst"):
        rows(b"", "a/f.xlsx")


def test_arrow_files_are_whole() -> None:
    """Arrow's streaming format is read by its schema; cut off after any batch, it is an error."""
    table = pa.Table.from_pylist([{"question": f"q{n}", "flags": [True, None]} for n in range(40)])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table, max_chunksize=10)
    content = sink.getvalue()
    assert [json.loads(row) for row in rows(content, "f.arrow")] == table.to_pylist()
    for cut in (8, 40, 300):
        with pytest.raises(DAMAGED):
            rows(content[:-cut], "f.arrow")

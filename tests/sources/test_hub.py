"""Reading the Hub, against one on the loopback: whole, in constant memory, whatever the network and the types do."""

from __future__ import annotations

import io
import json
import tracemalloc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.support.servers.hub_server import COMMIT, ID, Hub, point_at, serving
from tracemill.core import SourceError
from tracemill.sources import Source, raw_tables
from tracemill.sources import hub as hub_module
from tracemill.sources.hub import RANGE, hub_files
from tracemill.sources.readers import read_hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CARD = b"""---
configs:
- config_name: main
  default: true
  data_files:
  - split: train
    path: data/*.jsonl
  - split: test
    path: held/out.jsonl.zst
- config_name: array
  data_files: arrays/all.json
---
"""
# What breaks reading by inferred types: numbers then lists, lists then text, whole numbers then text.
MIXED = [
    {"question": "a", "output": 1, "label": {"ability": ["x"]}, "id": 7},
    {"question": "b", "output": [1, {"n": 2}], "label": "x", "id": "7b"},
    {"question": "c", "output": None, "case": {"any": "thing"}},
]


def lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


FILES: dict[str, Any] = {
    "README.md": CARD,
    "data/one.jsonl": lines(MIXED),
    "data/two.jsonl": b'{"question": "d"}\nbroken {\n{"question": "e"}',
    "held/out.jsonl.zst": zstandard.compress(lines(MIXED)),
    "arrays/all.json": json.dumps(MIXED, indent=1).encode(),
}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Starts a hub, and makes it the one that the packages talk to."""
    with ExitStack() as stack:

        def start(hub: Hub, *, start: bool = True) -> Hub:
            if start:
                stack.enter_context(serving(hub))
            point_at(hub, monkeypatch, tmp_path)
            monkeypatch.setattr(hub_module, "RETRIES", 1)
            return hub

        yield start


def source(**settings: Any) -> Source:
    return Source(**{"name": "h", "hub": ID, "revision": COMMIT} | settings)


def read(of: Source) -> dict[str, list[Any]]:
    return {name: [row.raw for row in rows] for name, rows in read_hub(of)}


def test_rows_are_the_bytes_of_the_file(serve: Any) -> None:
    """The files of config and split are read in order, rows verbatim: mixed types and broken lines change nothing."""
    serve(Hub(FILES))
    two = [b'{"question": "d"}', b"broken {", b'{"question": "e"}']
    one = [json.dumps(row).encode() for row in MIXED]
    assert read(source()) == {"data/one.jsonl": one, "data/two.jsonl": two}
    assert read(source(config="main", split="test")) == {"held/out.jsonl.zst": one}
    assert [json.loads(row) for row in read(source(config="array"))["arrays/all.json"]] == MIXED


def test_files_may_be_named(serve: Any) -> None:
    """A pattern picks files of the repository, also where ``datasets`` would not; whole names of the same."""
    serve(Hub(FILES | {"set.py": b"raise SystemExit", "data/more.jsonl": lines([{"question": "z"}])}))
    assert list(read(source(files="data/[mo]*.jsonl"))) == ["data/more.jsonl", "data/one.jsonl"]
    assert list(read(source(files="arrays/all.json"))) == ["arrays/all.json"]


def test_parquet_has_its_own_types(serve: Any) -> None:
    """Parquet is read by its schema, row by row."""
    out = io.BytesIO()
    rows = [{"question": f"q{n}", "flags": [True, None], "deep": {"n": n}} for n in range(250)]
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=100)
    serve(Hub({"data/train-00000-of-00001.parquet": out.getvalue()}))
    assert [json.loads(row) for row in read(source())["data/train-00000-of-00001.parquet"]] == rows


def test_chunks_are_of_files(serve: Any) -> None:
    """Raw shards hold rows of one file each, at the published lengths, as those of local files do."""
    serve(Hub(FILES))
    tables = list(raw_tables(source(), ".", 2, {"data/one.jsonl": [1]}))
    assert [(table["file"][0].as_py(), table.num_rows) for table in tables] == [
        ("data/one.jsonl", 1),
        ("data/one.jsonl", 2),
        ("data/two.jsonl", 2),
        ("data/two.jsonl", 1),
    ]


def large(n_rows: int) -> tuple[tuple[int, Callable[[int, int], bytes]], bytes]:
    """A file of equal rows that is nowhere kept whole, and its row."""
    row = json.dumps({"question": "x" * 900}).encode() + b"\n"

    def make(begin: int, end: int) -> bytes:
        first = begin // len(row)
        return (row * (end // len(row) - first + 1))[begin - first * len(row) : end - first * len(row)]

    return (len(row) * n_rows, make), row.strip()


def test_memory_is_constant(serve: Any) -> None:
    """A file of 180 MB is read with the memory of a few ranges; two of them are those of the hub in this process."""
    content, row = large(200_000)
    serve(Hub({"train.jsonl": content}))
    ((_, rows),) = read_hub(source())
    tracemalloc.start()
    assert sum(1 for found in rows if found.raw == row) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * RANGE < content[0] / 3


@pytest.mark.parametrize("fault", [503, "break"])
def test_broken_connections_are_resumed(fault: Any, serve: Any) -> None:
    """A connection that breaks off in mid-body, or a busy server, is asked again, and no row is lost or doubled."""
    content, row = large(20_000)
    serve(Hub({"train.jsonl": content}, faults=[None, fault]))
    ((_, rows),) = read_hub(source())
    assert [found.raw for found in rows] == [row] * 20_000


@pytest.mark.parametrize("faults", [[403], ["break", "break", "break"], [None, "ignore"], [None, 404]])
def test_what_cannot_be_read_is_no_end(faults: list[Any], serve: Any) -> None:
    """Refusals, endless interruptions and answers with other bytes than asked for are never the end of the data."""
    content, _ = large(20_000)
    serve(Hub({"train.jsonl": content}, faults=faults))
    ((_, rows),) = read_hub(source())
    with pytest.raises(SourceError, match=r"(?s)train.jsonl of org/set.*bytes.*18,"):
        list(rows)


def test_truncated_archives_are_errors(serve: Any) -> None:
    """A zst file that was uploaded truncated is an error."""
    serve(Hub(FILES | {"held/out.jsonl.zst": FILES["held/out.jsonl.zst"][:-9]}))
    with pytest.raises(SourceError, match="truncated"):
        read(source(split="test"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"config": "nine"}, r"(?s)nine.*main"),
        ({"split": "validation"}, r"(?s)no such split.*validation.*train, test"),
        ({"files": "*.xlsx"}, r"(?s)no file.*\.xlsx.*data/one\.jsonl"),
        ({"hub": "org/other"}, r"(?s)org/other.*revision"),
    ],
)
def test_what_is_not_there_is_named(settings: dict[str, Any], says: str, serve: Any) -> None:
    """A configuration, split, file or data set that does not exist is named, with what there is."""
    serve(Hub(FILES))
    with pytest.raises(SourceError, match=says):
        read(source(**settings))


def test_an_unreachable_hub_is_named(serve: Any) -> None:
    """Where nothing answers, the error names the data set and its revision."""
    serve(Hub(FILES))
    with serving(Hub({})) as gone:
        pass
    serve(gone, start=False)
    with pytest.raises(SourceError, match=rf"(?s){ID}.*{COMMIT}"):
        read(source(files="*"))


def test_a_gated_dataset_names_the_gate_and_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As GPQA is: whoever has no token is told where to agree, and what to set."""

    def refused(_: Source) -> tuple[str, list[str]]:
        raise PermissionError("Dataset Idavidrein/gpqa is a gated dataset on the Hub; be authenticated.")

    monkeypatch.setattr("tracemill.sources.hub._of_split", refused)
    source = Source(name="gpqa", hub="Idavidrein/gpqa", revision="a" * 40)
    with pytest.raises(
        SourceError, match=r"(?s)is gated.*https://huggingface\.co/datasets/Idavidrein/gpqa; then set HF"
    ):
        hub_files(source)

"""Publishing: Parquet, the reference dataset's own JSONL, every dropped row and every verdict, and a manifest last.

Rows are shuffled with a seed, since a file that begins with one source misleads everyone who reads its head. The
shuffle has two levels so that memory stays bounded: shards in random order, rows at random within groups of shards.
Both orders come from digests, so the result does not depend on how the run went.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tracemill.errors import CorruptShardError, StoreError
from tracemill.schema import Dropped, Verdict, digest, json_text
from tracemill.selection import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracemill.manifest import Shard
    from tracemill.store import Store

MANIFEST = "manifest.json"
GROUP_ROWS = 50_000  # Rows shuffled together: about 1.2 GB of reference-sized rows.
DROPPED_ROWS_PER_FILE = 100_000
AM_FILE = "am.jsonl.zst"


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        key: of everything below; a directory that was published under it is complete.
        selected, dropped, verdicts: shards of ``Sample``, ``Dropped`` and ``Verdict`` rows.
        texts: further files by name, such as the card and the report.
        facts: what else the manifest says.
    """

    key: str
    selected: Sequence[Shard]
    dropped: Sequence[Shard]
    verdicts: Sequence[Shard]
    shuffle_seed: int
    rows_per_file: int
    texts: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)


def published(out: Store) -> dict[str, Any] | None:
    """The manifest of a finished publication, if every file that it names has its size."""
    try:
        manifest: dict[str, Any] = json.loads(out.read_bytes(MANIFEST))
    except (StoreError, ValueError):
        return None
    complete = all(out.size(name) == entry["size"] for name, entry in manifest["files"].items())
    return manifest if complete else None


def publish(store: Store, out: Store, publication: Publication) -> dict[str, Any]:
    """Writes a publication into ``out``; its manifest appears last. Returns the manifest.

    Files of an earlier publication that are not part of this one are removed.

    Raises:
        StoreError: a shard cannot be read, or ``out`` cannot be written.
    """
    earlier = published(out)
    out.remove(MANIFEST)
    files: dict[str, dict[str, Any]] = {}
    _write_dataset(store, out, publication, files)
    for name, shards, schema in (
        ("dropped", publication.dropped, Dropped.arrow),
        ("verdicts", publication.verdicts, Verdict.arrow),
    ):
        _write_parquet(out, name, schema, _tables(store, shards), _rows(shards), DROPPED_ROWS_PER_FILE, files)
    for name, text in publication.texts.items():
        with _recorded(out, name, files, rows=None) as sink:
            sink.write(text.encode())
    for name in set(earlier["files"] if earlier else ()) - set(files):
        out.remove(name)
    manifest = {"key": publication.key, **publication.facts, "files": dict(sorted(files.items()))}
    out.write_bytes(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    return manifest


def _write_dataset(store: Store, out: Store, publication: Publication, files: dict[str, dict[str, Any]]) -> None:
    """Parquet and the AM file in one pass over the shuffled rows."""
    n_rows = _rows(publication.selected)
    with _recorded(out, AM_FILE, files, rows=n_rows) as compressed:
        compressor = zstandard.ZstdCompressor(level=6, threads=0, write_checksum=True)
        with compressor.stream_writer(compressed, closefd=False) as am:

            def tables() -> Iterator[pa.Table]:
                for table in _shuffled(store, publication.selected, publication.shuffle_seed):
                    for record in table.to_pylist():
                        am.write(am_line(record))
                    yield table

            _write_parquet(
                out,
                "dataset",
                _with_features(Sample.arrow),
                tables(),
                n_rows,
                publication.rows_per_file,
                files,
                "train",
            )


def _shuffled(store: Store, shards: Sequence[Shard], seed: int) -> Iterator[pa.Table]:
    group: list[pa.Table] = []
    for shard in sorted(shards, key=lambda shard: digest(seed, shard.sha256)):
        group.append(store.read_table(shard))
        if _total(group) >= GROUP_ROWS:
            yield _permuted(group, seed)
            group = []
    if group:
        yield _permuted(group, seed)


def _permuted(tables: list[pa.Table], seed: int) -> pa.Table:
    table = pa.concat_tables(tables)
    keys = [digest(seed, problem_id) for problem_id in table["id"].to_pylist()]
    return table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__), pa.int64()))


def _tables(store: Store, shards: Iterable[Shard]) -> Iterator[pa.Table]:
    return (store.read_table(shard) for shard in shards if shard.rows)


def _rows(shards: Iterable[Shard]) -> int:
    return sum(shard.rows for shard in shards)


def _total(tables: Iterable[pa.Table]) -> int:
    return sum(table.num_rows for table in tables)


def _write_parquet(
    out: Store,
    folder: str,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    n_rows: int,
    rows_per_file: int,
    files: dict[str, dict[str, Any]],
    prefix: str = "part",
) -> None:
    """Rolls over to a new file every ``rows_per_file`` rows; no rows are one empty file, so that the folder loads."""
    n_files = max(1, -(-n_rows // rows_per_file))
    pieces = _rechunked(tables, rows_per_file, schema)
    for number in range(n_files):
        name = f"{folder}/{prefix}-{number:05d}-of-{n_files:05d}.parquet"
        piece = next(pieces, schema.empty_table())
        with _recorded(out, name, files, rows=piece.num_rows) as sink:
            pq.write_table(piece.cast(schema), sink, compression="zstd", row_group_size=1000)
    if next(pieces, None) is not None:
        raise CorruptShardError(
            f"the shards of {folder} hold more rows than their handles say",
            expected=f"{n_rows} rows",
            remedy="this is a bug in tracemill; nothing was published",
        )


def _rechunked(tables: Iterable[pa.Table], rows_per_file: int, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table.cast(schema))
        while _total(waiting) >= rows_per_file:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, rows_per_file)
            waiting = [joined.slice(rows_per_file)]
    if _total(waiting):
        yield pa.concat_tables(waiting)


@contextlib.contextmanager
def _recorded(out: Store, name: str, files: dict[str, dict[str, Any]], rows: int | None) -> Iterator[IO[bytes]]:
    """An atomic sink whose size and digest are entered into ``files``."""
    with out.open_atomic(name) as sink:
        hashing = _HashingSink(sink)
        yield hashing  # type: ignore[misc]  # writes are all that its users do
    files[name] = {"rows": rows, "size": hashing.size, "sha256": hashing.sha256.hexdigest()}


class _HashingSink:
    """Passes writes on and digests them."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.sha256.update(view)
        self.size += view.nbytes
        self._sink.write(view)
        return view.nbytes

    def flush(self) -> None:
        self._sink.flush()

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The sink's owner closes it."""


def am_line(sample: dict[str, Any]) -> bytes:
    """One row in the reference dataset's own layout (its card; reference-pipeline §7), with the line's LF."""
    unset = {"think_content": None, "answer_content": None}
    *history, user, assistant = sample["messages"]
    case = am_test_case(json.loads(sample["tests"])) if sample["tests"] else None
    asked = {"source": sample["source"], "reference_answer": sample["reference_answer"], "test_case": case, **unset}
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
    return json.dumps({"messages": turns}, ensure_ascii=False).encode("utf-8", errors="backslashreplace") + b"\n"


def am_test_case(tests: dict[str, Any]) -> dict[str, Any]:
    """Tests in the shapes that the reference dataset uses by source."""
    if tests["kind"] == "script":
        return {"test_code": tests["code"], "test_entry_point": tests.get("entry_point")}
    if tests["kind"] == "assert":
        return {"testcase": tests["asserts"]}
    return tests


def _with_features(schema: pa.Schema) -> pa.Schema:
    """The schema with the features that ``datasets.load_dataset`` shall give, whatever it would infer."""
    from datasets import Features

    features = Features.from_arrow_schema(schema).to_dict()
    return schema.with_metadata({"huggingface": json_text({"info": {"features": features}})})

"""A finished run's directory: files that appear whole or not at all, and last the manifest that names them all."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.errors import CorruptShardError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.manifest import Shard
    from tracemill.store import Store

MANIFEST = "manifest.json"


class Published(Protocol):
    """What can be published."""

    @property
    def key(self) -> str:
        """Of everything that is written; a directory that was published under it is complete."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the manifest says beside key and files."""
        ...

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Writes every file but the manifest."""
        ...


def published(out: Store) -> dict[str, Any] | None:
    """The manifest of a finished publication, if every file that it names has its size."""
    try:
        manifest: dict[str, Any] = json.loads(out.read_bytes(MANIFEST))
    except (StoreError, ValueError):
        return None
    complete = all(out.size(name) == entry["size"] for name, entry in manifest["files"].items())
    return manifest if complete else None


def publish(store: Store, out: Store, publication: Published) -> dict[str, Any]:
    """Writes a publication into ``out``; its manifest appears last. Returns the manifest.

    Files of an earlier publication that are not part of this one are removed.

    Raises:
        StoreError: a shard cannot be read, or ``out`` cannot be written.
    """
    earlier = published(out)
    out.remove(MANIFEST)
    directory = RunDirectory(out)
    publication.write(store, directory)
    for name in set(earlier["files"] if earlier else ()) - set(directory.files):
        out.remove(name)
    manifest = {"key": publication.key, **publication.facts, "files": dict(sorted(directory.files.items()))}
    out.write_bytes(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    return manifest


class RunDirectory:
    """The files of one publication, as they are written.

    Attributes:
        files: rows (of tables), size and SHA-256 by name.
    """

    def __init__(self, out: Store) -> None:
        self._out = out
        self.files: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def file(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        """An atomic sink whose size and digest are recorded."""
        with self._out.open_atomic(name) as sink:
            hashing = _HashingSink(sink)
            yield hashing  # type: ignore[misc]  # writes are all that its users do
        self.files[name] = {"rows": rows, "size": hashing.size, "sha256": hashing.sha256.hexdigest()}

    def text(self, name: str, text: str) -> None:
        """One text file."""
        with self.file(name) as sink:
            sink.write(text.encode())

    def table(self, name: str, table: pa.Table) -> None:
        """One Parquet file."""
        with self.file(name, rows=table.num_rows) as sink:
            pq.write_table(table, sink, compression="zstd", row_group_size=1000)

    def tables(
        self,
        folder: str,
        schema: pa.Schema,
        tables: Iterable[pa.Table],
        n_rows: int,
        rows_per_file: int,
        prefix: str = "part",
    ) -> None:
        """Rolls over to a new file every ``rows_per_file`` rows; no rows are one empty file, so that the folder loads.

        Raises:
            CorruptShardError: there are more than ``n_rows``.
        """
        n_files = max(1, -(-n_rows // rows_per_file))
        pieces = _rechunked(tables, rows_per_file, schema)
        for number in range(n_files):
            name = f"{folder}/{prefix}-{number:05d}-of-{n_files:05d}.parquet"
            self.table(name, next(pieces, schema.empty_table()).cast(schema))
        if next(pieces, None) is not None:
            raise CorruptShardError(
                f"the shards of {folder} hold more rows than their handles say",
                expected=f"{n_rows} rows",
                remedy="this is a bug in tracemill; nothing was published",
            )

    def shards(self, folder: str, schema: pa.Schema, store: Store, shards: Sequence[Shard], rows_per_file: int) -> None:
        """The rows of stored shards, in order."""
        tables = (store.read_table(shard) for shard in shards if shard.rows)
        self.tables(folder, schema, tables, sum(shard.rows for shard in shards), rows_per_file)


def _rechunked(tables: Iterable[pa.Table], rows_per_file: int, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table.cast(schema))
        while sum(piece.num_rows for piece in waiting) >= rows_per_file:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, rows_per_file)
            waiting = [joined.slice(rows_per_file)]
    if any(piece.num_rows for piece in waiting):
        yield pa.concat_tables(waiting)


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

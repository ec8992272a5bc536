"""A finished run's directory: files that appear whole or not at all, and last the manifest that names them all.

On a local disk every publication is a version beside the ones before it, and takes their place in one step; see
``versions.py``. Elsewhere it is written in place, without a manifest until it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.errors import CorruptShardError, StoreError
from tracemill.versions import MANIFEST, Versions, equal_files, held, share, versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.manifest import Shard
    from tracemill.store import Store


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

    @property
    def keep(self) -> int:
        """So many versions stay in the run's directory, this one among them."""
        ...

    def write(self, store: Store, directory: RunDirectory) -> None:
        """Writes every file but the manifest."""
        ...


def published(out: Store) -> dict[str, Any] | None:
    """The manifest of the publication that stands, if every file that it names has its size."""
    versions = None if out.folder is None else Versions(out.folder)
    number = versions.current() if versions else None
    if versions is not None and number is not None:
        standing = versions.manifest(number)
        return standing if standing is not None and versions.is_linked(standing) else None
    try:
        manifest: dict[str, Any] = json.loads(out.read_bytes(MANIFEST))
    except (StoreError, ValueError):
        return None
    complete = all(out.size(name) == entry["size"] for name, entry in manifest["files"].items())
    return manifest if complete else None


def publish(store: Store, out: Store, publication: Published) -> dict[str, Any]:
    """Writes a publication into ``out``, unless exactly it stands there; returns its manifest.

    It appears as a whole, or not at all. Processes that publish there wait for each other.

    Raises:
        StoreError: a shard cannot be read, or ``out`` cannot be written; what stood there stands then.
    """
    try:
        versions = versions_of(out.folder)
        if versions is None:
            return _publish_in_place(store, out, publication)
        with held(versions.root, "publishing"):
            standing = published(out)
            if standing is not None and standing["key"] == publication.key:
                return standing
            return _publish_version(store, out, publication, versions)
    except OSError as error:
        raise StoreError(
            f"cannot publish in {out.url}",
            got=f"{type(error).__name__}: {error}",
            remedy="see that there is room and that it may be written, and run again: what stood there stands",
        ) from error


def _publish_version(store: Store, out: Store, publication: Published, versions: Versions) -> dict[str, Any]:
    versions.adopt()
    whole = versions.whole()
    # Also one that was finished before its process was killed at the switch, or that an older recipe had made.
    number = next((number for number, manifest in whole.items() if manifest["key"] == publication.key), None)
    if number is None:
        number = max([*whole, versions.current() or 0], default=0) + 1
        _write_version(store, out, publication, versions, number)
    manifest = versions.manifest(number)
    if manifest is None:
        raise CorruptShardError(
            f"version {number} in {versions.root} is not what was written", remedy="check the disk, and run again"
        )
    versions.switch(number, manifest)
    versions.prune(publication.keep)
    return manifest


def _write_version(store: Store, out: Store, publication: Published, versions: Versions, number: int) -> None:
    versions.discard(number)
    directory = RunDirectory(out, f"{versions.place(number)}/", equal_files(versions))
    publication.write(store, directory)
    files = dict(sorted(directory.files.items()))
    manifest = {"key": publication.key, **publication.facts, "files": files}
    out.write_bytes(f"{versions.place(number)}/{MANIFEST}", _json(manifest))


def _json(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode()


def _publish_in_place(store: Store, out: Store, publication: Published) -> dict[str, Any]:
    """Files of an earlier publication that are not part of this one are removed; the manifest is away meanwhile."""
    earlier = published(out)
    if earlier is not None and earlier["key"] == publication.key:
        return earlier
    out.remove(MANIFEST)
    directory = RunDirectory(out)
    publication.write(store, directory)
    for name in set(earlier["files"] if earlier else ()) - set(directory.files):
        out.remove(name)
    manifest = {"key": publication.key, **publication.facts, "files": dict(sorted(directory.files.items()))}
    out.write_bytes(MANIFEST, _json(manifest))
    return manifest


class RunDirectory:
    """The files of one publication, as they are written.

    Args:
        out: the run's directory.
        prefix: of names below it.
        equal: files that are there already, by SHA-256; what is equal to one is kept once.

    Attributes:
        files: rows (of tables), size and SHA-256 by name.
    """

    def __init__(self, out: Store, prefix: str = "", equal: Mapping[str, Path] | None = None) -> None:
        self._out, self._prefix, self._equal = out, prefix, equal or {}
        self.files: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def file(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        """An atomic sink whose size and digest are recorded."""
        with self._out.open_atomic(self._prefix + name) as sink:
            hashing = _HashingSink(sink)
            yield hashing  # type: ignore[misc]  # writes are all that its users do
        sha256 = hashing.sha256.hexdigest()
        self.files[name] = {"rows": rows, "size": hashing.size, "sha256": sha256}
        if sha256 in self._equal:
            share(self._equal[sha256], Path(self._out.path(self._prefix + name)))

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

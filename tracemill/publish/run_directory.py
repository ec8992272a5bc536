"""A finished run's directory: files that appear whole or not at all, and last the manifest that names them all.

On a local disk every publication is a version beside the ones before it, and takes their place in one step; see
``versions.py``. Elsewhere it is written in place, without a manifest until it is whole; see ``in_place.py``. What no
publication has written is never touched, on either; see ``foreign.py``.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.core import CorruptShardError, StoreError
from tracemill.publish.foreign import foreign_entries
from tracemill.publish.in_place import foreign_in_place, known_in_place, standing_in_place
from tracemill.publish.manifest import MANIFEST, kind_of, n_published, rendered, tops
from tracemill.publish.versions import Versions, equal_files, held, share, shown, versions_of
from tracemill.publish.written_record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.store import Shard, Store

_log: Final = logging.getLogger(__name__)


class Output(NamedTuple):
    """What a flow publishes, as far as it is known before it runs.

    Attributes:
        kind: as :func:`tracemill.publish.manifest.kind_of` calls it; "" if any.
        names: files and folders of the run's directory.
    """

    kind: str
    names: frozenset[str]


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
    return standing_in_place(out)


def refuse_foreign(out: Store, output: Output) -> None:
    """Before anything is run, and again before anything is switched: whether ``out`` can be published in.

    Raises:
        StoreError: something is in the way that no publication wrote, or one of another kind; nothing was touched.
    """
    root = out.folder
    try:
        found = foreign_entries(root, output.names) if root is not None else []
        if not found and (root is None or _is_in_place(root)):
            found = foreign_in_place(out, output.names)
    except OSError as error:
        raise StoreError(
            f"cannot look at what is in {out.url}",
            got=f"{type(error).__name__}: {error}",
            remedy="give this user the right to read and write there, or name another place with --out",
        ) from error
    if found:
        raise _foreign(out, found)
    standing = _last(out)
    kind = kind_of(standing) if standing is not None else ""
    if "" not in {kind, output.kind} and kind != output.kind:
        raise StoreError(
            f"{out.url} holds something else that was published, and is not to be replaced; nothing was touched",
            got=f"{kind} ({str(standing and standing['key'])[:12]})",
            expected=f"{output.kind}, or a new folder",
            remedy="name another place with --out",
        )


def _foreign(out: Store, found: list[str]) -> StoreError:
    return StoreError(
        f"{out.url} holds what was not written by a publication, where this one would go; nothing was touched",
        got=shown(found),
        expected="a new folder, or one that only runs have published in; what has other names does no harm",
        remedy="name another place with --out, or move those away",
    )


def refuse_empty(out: Store) -> None:
    """Whether a dataset of no rows would take the place of one that has some.

    Raises:
        StoreError: it would; what stands there stands.
    """
    standing = _last(out)
    if standing is not None and n_published(standing):
        raise StoreError(
            f"the new dataset has no rows, and would take the place of one that has; {out.url} is as it was",
            got="0 rows",
            expected=f"some, as in publication {standing['key'][:12]}, which stands: {n_published(standing):,} rows",
            remedy="see in the run's log or UI where the rows went, and fix that; or say export.allow_empty: true",
        )


def _last(out: Store) -> dict[str, Any] | None:
    """The manifest of what stands, also where files of it were edited or are gone."""
    versions = None if out.folder is None else Versions(out.folder)
    return (versions.last() if versions is not None else None) or standing_in_place(out, complete=False)


def _is_in_place(root: Path) -> bool:
    """Whether what stands on a disk is replaced file by file, as there can be no links."""
    manifest = root / MANIFEST
    try:
        return manifest.is_file() and not manifest.is_symlink() and versions_of(root) is None
    except OSError:  # it cannot be written at all: whoever is about to write says so
        return False


def publish(store: Store, out: Store, publication: Published, *, may_empty: bool = True) -> dict[str, Any]:
    """Writes a publication into ``out``, unless exactly it stands there; returns its manifest.

    It appears as a whole, or not at all. Processes that publish there wait for each other.

    Args:
        store: where its shards are.
        out: the run's directory.
        publication: what is published.
        may_empty: False where it has no rows, and nobody has said that it may replace some.

    Raises:
        StoreError: a shard cannot be read, ``out`` cannot be written, or something is there that is not to be replaced.
            What stood there stands then.
    """
    try:
        refuse_foreign(out, Output(kind_of(publication.facts), frozenset()))
        versions = versions_of(out.folder)
        if versions is None:
            return _publish_in_place(store, out, publication, may_empty=may_empty)
        with held(versions.root, "publishing"):
            standing = published(out)
            if standing is not None and standing["key"] == publication.key:
                return standing
            if not may_empty:
                refuse_empty(out)
            return _publish_version(store, out, publication, versions)
    except OSError as error:
        raise StoreError(
            f"cannot publish in {out.url}",
            got=f"{type(error).__name__}: {error}",
            remedy="see that there is room and that it may be written, and run again: what stood there stands",
        ) from error


def _publish_version(store: Store, out: Store, publication: Published, versions: Versions) -> dict[str, Any]:
    versions.adopt()
    versions.discard_unfinished()
    # Also one that was finished before its process was killed at the switch, or that an older recipe had made.
    same = (number for number, manifest in versions.whole().items() if manifest["key"] == publication.key)
    number = next(filter(versions.is_unchanged, same), None)
    if number is None:
        number = versions.free_number()
        _write_version(store, out, publication, versions, number)
    manifest = versions.manifest(number)
    if manifest is None:
        raise CorruptShardError(
            f"version {number} in {versions.root} is not what was written", remedy="check the disk, and run again"
        )
    # Hours may have gone by since the first look, and here all names are known.
    refuse_foreign(out, Output(kind_of(manifest), frozenset(tops(manifest["files"]))))
    versions.switch(number, manifest)
    try:
        versions.prune(publication.keep)
    except OSError as error:
        _log.warning("older versions in %s stay (%s); the new one stands", versions.root, error)
    return manifest


def _write_version(store: Store, out: Store, publication: Published, versions: Versions, number: int) -> None:
    prefix = f"{versions.place(number)}/"
    record = Record(out, prefix, {})
    directory = RunDirectory(out, prefix, record, equal_files(versions))
    publication.write(store, directory)
    out.write_bytes(prefix + MANIFEST, _json(publication, directory))
    record.remove()


def _json(publication: Published, directory: RunDirectory) -> bytes:
    """The manifest."""
    return rendered({"key": publication.key, **publication.facts, "files": dict(sorted(directory.files.items()))})


def _publish_in_place(store: Store, out: Store, publication: Published, *, may_empty: bool = True) -> dict[str, Any]:
    """Files of an earlier publication that are not part of this one are removed; the manifest is away meanwhile."""
    earlier = published(out)
    if earlier is not None and earlier["key"] == publication.key:
        return earlier
    if not may_empty:
        refuse_empty(out)
    if out.is_local and (found := foreign_in_place(out, ())):  # elsewhere it has been looked at just now
        raise _foreign(out, found)
    known = known_in_place(out) or {}
    record = Record(out, "", known)
    out.remove(MANIFEST)
    directory = RunDirectory(out, "", record)
    publication.write(store, directory)
    for name in set(known) - set(directory.files):
        out.remove(name)
    out.write_bytes(MANIFEST, _json(publication, directory))
    record.forget_others(directory.files)
    standing = published(out)
    if standing is None:
        raise CorruptShardError(f"{out.url} is not what was written", remedy="check the disk, and run again")
    return standing


class RunDirectory:
    """The files of one publication, as they are written.

    Args:
        out: the run's directory.
        prefix: of names below it.
        record: told of every file before it appears.
        equal: files that are there already, by SHA-256; what is equal to one is kept once.

    Attributes:
        files: rows (of tables), size and SHA-256 by name.
    """

    def __init__(
        self,
        out: Store,
        prefix: str = "",
        record: Record | None = None,
        equal: Mapping[str, Path] | None = None,
    ) -> None:
        self._out, self._prefix, self._record, self._equal = out, prefix, record, equal or {}
        self.files: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def file(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        """An atomic sink whose size and digest are recorded."""
        with self._out.open_atomic(self._prefix + name) as sink:
            hashing = _HashingSink(sink)
            yield hashing  # type: ignore[misc]  # writes are all that its users do
            sha256 = hashing.sha256.hexdigest()
            if self._record is not None:
                self._record.add(name, hashing.size, sha256)
        self.files[name] = {"rows": rows, "size": hashing.size, "sha256": sha256}
        if sha256 in self._equal and self._out.folder is not None:
            share(self._out.folder, self._equal[sha256], Path(self._out.path(self._prefix + name)), sha256)

    def text(self, name: str, text: str) -> None:
        """One text file."""
        with self.file(name) as sink:
            sink.write(text.encode())

    def table(self, name: str, table: pa.Table) -> None:
        """One Parquet file."""
        with (
            self.file(name, rows=table.num_rows) as sink,
            pq.ParquetWriter(sink, table.schema, compression="zstd") as writer,
        ):
            # Of no rows it has no group of rows: one without rows is an error to what reads groups, as `datasets` does.
            if table.num_rows:
                writer.write_table(table, row_group_size=1000)

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

"""A finished run's directory: files that appear whole or not at all, and last the manifest that names them all.

On a local disk every publication is a version beside the ones before it, and takes their place in one step; see
``versions.py``. Elsewhere it is written in place, without a manifest until it is whole; see ``in_place.py``. What no
publication has written is never touched, on either; see ``foreign.py``.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.core import CorruptShardError, StoreError
from tracemill.publish.directory.foreign import foreign_entries
from tracemill.publish.directory.in_place import foreign_in_place, known_in_place, standing_in_place
from tracemill.publish.directory.row_groups import ROW_GROUP_ROWS, RowGroup, Rows, StoredRows, row_groups
from tracemill.publish.directory.versions import Begun, Versions, equal_files, held, share, shown, versions_of
from tracemill.publish.directory.written_record import Record
from tracemill.publish.manifest import MANIFEST, kind_of, n_published, rendered, tops
from tracemill.store.files import partial_path

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


class Written(NamedTuple):
    """How far a publication is.

    Attributes:
        rows: of all tables that are written.
        n_rows: when it is done.
        share: from 0 to 1, by bytes: a row of the dataset is many times a dropped one.
    """

    rows: int
    n_rows: int
    share: float


class Amount(NamedTuple):
    """Rows of some shards, and their bytes."""

    rows: int
    size: int

    @classmethod
    def of(cls, shards: Iterable[Shard]) -> Amount:
        """Return the sums."""
        found = list(shards)
        return cls(sum(shard.rows for shard in found), sum(shard.size for shard in found))


Told = Callable[[Written], None]


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
        """Write every file but the manifest."""
        ...


def published(out: Store) -> dict[str, Any] | None:
    """Return the manifest of the publication that stands, if every file that it names has its size."""
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
    """Return the manifest of what stands, also where files of it were edited or are gone."""
    versions = None if out.folder is None else Versions(out.folder)
    return (versions.last() if versions is not None else None) or standing_in_place(out, complete=False)


def _is_in_place(root: Path) -> bool:
    """Tell whether what stands on a disk is replaced file by file, as there can be no links."""
    manifest = root / MANIFEST
    try:
        return manifest.is_file() and not manifest.is_symlink() and versions_of(root) is None
    except OSError:  # it cannot be written at all: whoever is about to write says so
        return False


def publish(
    store: Store, out: Store, publication: Published, *, may_empty: bool = True, told: Told | None = None
) -> dict[str, Any]:
    """Write a publication into ``out``, unless exactly it stands there; returns its manifest.

    It appears as a whole, or not at all. Processes that publish there wait for each other.

    Args:
        store: where its shards are.
        out: the run's directory.
        publication: what is published.
        may_empty: False where it has no rows, and nobody has said that it may replace some.
        told: how far it is, every thousand rows, from any thread.

    Raises:
        StoreError: a shard cannot be read, ``out`` cannot be written, or something is there that is not to be replaced.
            What stood there stands then.
    """
    try:
        refuse_foreign(out, Output(kind_of(publication.facts), frozenset()))
        versions = versions_of(out.folder)
        if versions is None:
            return _publish_in_place(store, out, publication, may_empty=may_empty, told=told)
        with held(versions.root, "publishing"):
            standing = published(out)
            if standing is not None and standing["key"] == publication.key:
                return standing
            if not may_empty:
                refuse_empty(out)
            return _publish_version(store, out, publication, versions, told)
    except OSError as error:
        raise StoreError(
            f"cannot publish in {out.url}",
            got=f"{type(error).__name__}: {error}",
            remedy="see that there is room and that it may be written, and run again: what stood there stands",
        ) from error


def _publish_version(
    store: Store, out: Store, publication: Published, versions: Versions, told: Told | None
) -> dict[str, Any]:
    versions.adopt()
    begun = versions.begun(publication.key)
    versions.discard_unfinished(begun.number if begun else None)
    # Also one that was finished before its process was killed at the switch, or that an older recipe had made.
    same = (number for number, manifest in versions.whole().items() if manifest["key"] == publication.key)
    number = next(filter(versions.is_unchanged, same), None)
    if number is None:
        begun = begun or Begun(versions.free_number(), {})
        _write_version(store, out, publication, versions, begun, told)
        number = begun.number
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


def _write_version(
    store: Store, out: Store, publication: Published, versions: Versions, begun: Begun, told: Told | None
) -> None:
    prefix = f"{versions.place(begun.number)}/"
    record = Record(out, prefix, {name: [which] for name, which in begun.finished.items()}, publication.key)
    directory = RunDirectory(out, prefix, record, equal_files(versions), told, begun.finished)
    publication.write(store, directory)
    out.write_bytes(prefix + MANIFEST, _json(publication, directory))
    record.remove()


def _json(publication: Published, directory: RunDirectory) -> bytes:
    """Return the manifest."""
    return rendered({"key": publication.key, **publication.facts, "files": dict(sorted(directory.files.items()))})


def _publish_in_place(
    store: Store, out: Store, publication: Published, *, may_empty: bool = True, told: Told | None = None
) -> dict[str, Any]:
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
    directory = RunDirectory(out, "", record, told=told)
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
    """The files of one publication, as they are written; different files may be, by different threads.

    Args:
        out: the run's directory.
        prefix: of names below it.
        record: told of every file before it appears.
        equal: files that are there already, by SHA-256; what is equal to one is kept once.
        told: how far it is, if :meth:`expect` has said of what.
        finished: size and SHA-256 of files that stand there already, as they are going to be: they are not written.

    Attributes:
        files: rows (of tables), size and SHA-256 by name.
        stop: once it is set, tables that are being written end with an error, and do not appear.
    """

    def __init__(
        self,
        out: Store,
        prefix: str = "",
        record: Record | None = None,
        equal: Mapping[str, Path] | None = None,
        told: Told | None = None,
        finished: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:
        self._out, self._prefix, self._record, self._equal = out, prefix, record, equal or {}
        self._told, self._finished = told, finished or {}
        self._expected, self._rows, self._size = Amount(0, 0), 0, 0.0
        self._lock = threading.Lock()
        self.files: dict[str, dict[str, Any]] = {}
        self.stop = threading.Event()

    def expect(self, shards: Iterable[Shard]) -> None:
        """What is going to be written, in tables."""
        self._expected = Amount.of(shards)

    def _count(self, rows: int, size: float) -> None:
        """Some more rows are written, of so many bytes in the store."""
        with self._lock:
            self._rows += rows
            self._size += size
            if self._told is not None and self._expected.size:
                share = min(1.0, self._size / self._expected.size)
                self._told(Written(self._rows, self._expected.rows, share))

    def scratch(self) -> IO[bytes]:
        """Return a file without a name, on the disk that is written to: gone when it is closed, or its process is."""
        if self._out.folder is None:
            return tempfile.TemporaryFile()
        path = partial_path(self._out.folder)
        file = path.open("w+b")
        path.unlink()
        return file

    @contextlib.contextmanager
    def file(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        """Give an atomic sink whose size and digest are recorded."""
        with self._file(name) as sink:
            sink.rows = rows
            yield sink  # type: ignore[misc]  # writes are all that its users do

    @contextlib.contextmanager
    def _file(self, name: str) -> Iterator[_HashingSink]:
        with self._out.open_atomic(self._prefix + name) as sink:
            hashing = _HashingSink(sink)
            yield hashing
            sha256 = hashing.sha256.hexdigest()
            if self._record is not None:
                with self._lock:
                    self._record.add(name, hashing.size, sha256)
        self._enter(name, hashing.rows, hashing.size, sha256)

    def _enter(self, name: str, rows: int | None, size: int, sha256: str) -> None:
        """A file stands."""
        self.files[name] = {"rows": rows, "size": size, "sha256": sha256}
        if sha256 in self._equal and self._out.folder is not None:
            share(self._out.folder, self._equal[sha256], Path(self._out.path(self._prefix + name)), sha256)

    def keeps(self, name: str, rows: int) -> bool:
        """Tell whether a file stands already, as a killed publication has left it; then it has so many rows."""
        if name not in self._finished:
            return False
        self._enter(name, rows, *self._finished[name])
        return True

    def text(self, name: str, text: str) -> None:
        """One text file."""
        with self.file(name) as sink:
            sink.write(text.encode())

    def table(self, name: str, table: pa.Table) -> None:
        """One Parquet file."""
        self._table(name, table.schema, row_groups([table], table.num_rows or 1))

    def _table(self, name: str, schema: pa.Schema, groups: Iterable[RowGroup], bytes_a_row: float = 0) -> None:
        """One Parquet file; of no rows it has no group of rows, as one without rows is an error to `datasets`."""
        if name in self._finished:
            self._pass_over(name, groups, bytes_a_row)
            return
        with self._file(name) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            sink.rows = 0
            for group in groups:
                self._refuse_to_go_on(name)
                writer.write_table(group.table().cast(schema), row_group_size=ROW_GROUP_ROWS)
                sink.rows += group.n_rows
                self._count(group.n_rows, group.n_rows * bytes_a_row)

    def _pass_over(self, name: str, groups: Iterable[RowGroup], bytes_a_row: float) -> None:
        """Take the rows of a file that stands, and write nothing."""
        n_rows = 0
        for group in groups:
            self._refuse_to_go_on(name)
            n_rows += group.n_rows
            self._count(group.n_rows, group.n_rows * bytes_a_row)
        self.keeps(name, n_rows)

    def _refuse_to_go_on(self, name: str) -> None:
        if self.stop.is_set():
            raise StoreError(f"{name} is not written to its end, as another file could not be written")

    def tables(
        self,
        folder: str,
        schema: pa.Schema,
        tables: Iterable[Rows],
        amount: Amount,
        rows_per_file: int,
        prefix: str = "part",
    ) -> None:
        """Roll over to a new file every ``rows_per_file`` rows; no rows are one empty file, so that the folder loads.

        A thousand rows are held at a time, beside the table that they are of.

        Raises:
            CorruptShardError: there are more rows than ``amount`` says.
        """
        n_files = max(1, -(-amount.rows // rows_per_file))
        groups = row_groups(tables, rows_per_file)
        groups_a_file = -(-rows_per_file // ROW_GROUP_ROWS)
        bytes_a_row = amount.size / max(1, amount.rows)
        for number in range(n_files):
            name = f"{folder}/{prefix}-{number:05d}-of-{n_files:05d}.parquet"
            self._table(name, schema, itertools.islice(groups, groups_a_file), bytes_a_row)
        if next(groups, None) is not None:
            raise CorruptShardError(
                f"the shards of {folder} hold more rows than their handles say",
                expected=f"{amount.rows} rows",
                remedy="this is a bug in tracemill; nothing was published",
            )

    def shards(self, folder: str, schema: pa.Schema, store: Store, shards: Sequence[Shard], rows_per_file: int) -> None:
        """The rows of stored shards, in order; of files that stand already none are read."""
        tables = (StoredRows(store, shard) for shard in shards if shard.rows)
        self.tables(folder, schema, tables, Amount.of(shards), rows_per_file)


class _HashingSink:
    """Passes writes on and digests them."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.rows: int | None = None  # of a table
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

"""The store: content-addressed Parquet and the manifests that say what was computed from what.

Layout below one root (a folder or any fsspec URL)::

    objects/ab/abcdef….parquet      a table, named by the SHA-256 of its bytes
    manifests/<stage>/<key>.json    written last: it exists only if everything it names is complete
    .tmp/                           unfinished files of running processes; swept when their process is gone
    store.json                      the identity of this store, which moves with it

Handles are relative to the root, so a store can be moved.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import uuid
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from tracemill.errors import CorruptShardError, StoreError
from tracemill.manifest import Manifest, Shard
from tracemill.process_identity import is_gone, process_name
from tracemill.schema import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

TMP = ".tmp"
ROW_GROUP_ROWS = 10_000  # Fixed, so that equal tables give equal bytes.


class Store:
    """Content-addressed tables and manifests below one root.

    Args:
        url: a local folder or an fsspec URL such as ``s3://bucket/prefix``.

    Raises:
        StoreError: from every method, when the root cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url)
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise StoreError(f"cannot open store {url}", got=str(error), expected="a folder or fsspec URL") from error
        self._is_local = isinstance(self._fs, LocalFileSystem)

    @cached_property
    def identity(self) -> str:
        """Random name of this store, made on first use; it keeps two stores' cached results apart."""
        path = "store.json"
        if not self.exists(path):
            self.write_bytes(path, json_text({"identity": uuid.uuid4().hex}).encode())
        return str(json.loads(self.read_bytes(path))["identity"])

    def path(self, relative: str) -> str:
        """Absolute path or URL of ``relative``."""
        return f"{self._root}/{relative}"

    def exists(self, relative: str) -> bool:
        """Whether a file is there."""
        with self._errors("look for", relative):
            return bool(self._fs.exists(self.path(relative)))

    def size(self, relative: str) -> int | None:
        """Bytes of a file, or None where there is none."""
        with self._errors("look for", relative):
            try:
                return int(self._fs.size(self.path(relative)))
            except FileNotFoundError:
                return None

    def read_bytes(self, relative: str) -> bytes:
        """A file's bytes."""
        with self._errors("read", relative):
            return bytes(self._fs.cat_file(self.path(relative)))

    def write_bytes(self, relative: str, data: bytes) -> None:
        """Writes a file in one step: readers see nothing or all of it."""
        with self.open_atomic(relative) as sink:
            sink.write(data)

    def remove(self, relative: str) -> None:
        """Removes a file; one that is not there is fine."""
        with self._errors("remove", relative), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.path(relative))

    @contextlib.contextmanager
    def open_atomic(self, relative: str) -> Iterator[IO[bytes]]:
        """A binary sink whose content appears under ``relative`` when the block ends well, and never otherwise."""
        target = self.path(relative)
        with self._errors("write", relative):
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            if self._is_local:
                with self._open_local(target) as sink:
                    yield sink
            else:  # Object stores show an object only when its upload is complete.
                with self._fs.transaction, self._fs.open(target, "wb") as sink:
                    yield sink

    @contextlib.contextmanager
    def _open_local(self, target: str) -> Iterator[IO[bytes]]:
        folder = self.path(TMP)
        self._fs.makedirs(folder, exist_ok=True)
        partial = Path(folder, f"{process_name().replace('/', '@')}-{uuid.uuid4().hex}")
        try:
            with partial.open("wb") as sink:
                yield sink
                sink.flush()
                os.fsync(sink.fileno())
            partial.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise

    def write_table(self, table: pa.Table) -> Shard:
        """Stores ``table`` under the digest of its bytes; equal tables are stored once."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        data = buffer.getvalue()
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"objects/{sha256[:2]}/{sha256}.parquet"
        if self.size(path) != len(data):
            self.write_bytes(path, data)
        return Shard(path=path, rows=table.num_rows, size=len(data), sha256=sha256)

    def read_table(self, shard: Shard, columns: list[str] | None = None) -> pa.Table:
        """The table behind a handle, after its bytes were checked.

        Raises:
            CorruptShardError: the file is missing or has other bytes than the handle says.
        """
        try:
            data = self.read_bytes(shard.path)
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            raise _corrupt(self.path(shard.path), "no such file", shard) from error
        found = hashlib.sha256(data).hexdigest()
        if found != shard.sha256:
            raise _corrupt(self.path(shard.path), f"sha256 {found}", shard)
        return pq.read_table(io.BytesIO(data), columns=columns)

    def find(self, stage: str, key: str) -> Manifest | None:
        """The manifest under a key, if everything that it names is there; None means: compute it."""
        path = f"manifests/{stage}/{key}.json"
        with self._errors("read", path):
            try:
                text = bytes(self._fs.cat_file(self.path(path)))
            except FileNotFoundError:
                return None
        manifest = Manifest.model_validate_json(text)
        complete = all(self.size(shard.path) == shard.size for shard in manifest.outputs.values())
        return manifest if complete else None

    def commit(self, manifest: Manifest) -> Manifest:
        """Writes the manifest of finished work.

        Raises:
            ConservationError: it does not account for every row; nothing was written.
        """
        manifest.check_conservation()
        path = f"manifests/{manifest.stage}/{manifest.key}.json"
        self.write_bytes(path, manifest.model_dump_json(indent=1).encode())
        return manifest

    def prepare(self) -> None:
        """Fails early, and clearly, where nothing can be written; removes what killed processes left unfinished."""
        probe = f".probe-{uuid.uuid4().hex}"
        self.write_bytes(probe, b"")
        self.remove(probe)
        self.sweep()

    def sweep(self) -> int:
        """Removes unfinished files whose process on this machine is gone; returns how many."""
        if not self._is_local or not self.exists(TMP):
            return 0
        n_removed = 0
        for partial in Path(self.path(TMP)).iterdir():
            if is_gone(partial.name.rpartition("-")[0].replace("@", "/")):
                with contextlib.suppress(FileNotFoundError):
                    partial.unlink()
                    n_removed += 1
        return n_removed

    @contextlib.contextmanager
    def _errors(self, verb: str, relative: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot {verb} {self.path(relative)}",
                got=f"{type(error).__name__}: {error}",
                remedy=_REMEDIES.get(error.errno or 0, "check that the store is there and can be written"),
            ) from error


_REMEDIES = {
    errno.ENOSPC: "free some space (what is finished is kept) and run again",
    errno.EDQUOT: "raise the quota (what is finished is kept) and run again",
    errno.EACCES: "give this user the right to write there, or choose another place with run.store",
    errno.EROFS: "the file system is read-only: choose another place with run.store",
    errno.ENOTDIR: "a file stands where the store's folder should be: choose another place with run.store",
}


def _corrupt(path: str, got: str, shard: Shard) -> CorruptShardError:
    return CorruptShardError(
        f"{path} is not what its manifest says",
        got=got,
        expected=f"{shard.rows} rows, sha256 {shard.sha256}",
        remedy="delete that file and run again: it will be made anew",
    )

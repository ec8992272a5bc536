"""The store: content-addressed Parquet and the manifests that say what was computed from what.

Layout below one root (a folder or any fsspec URL)::

    objects/ab/abcdef….parquet      a table, named by the SHA-256 of its bytes
    manifests/<stage>/<key>.json    written last: it exists only if everything it names is complete
    .tmp/                           unfinished files of running processes; swept when their process is gone
    store.json                      the identity of this store, which moves with it

Handles are relative to the root, so a store can be moved.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tracemill.core import CorruptShardError, StoreError, json_text
from tracemill.store.files import LocalFiles
from tracemill.store.manifest import Manifest, Shard
from tracemill.store.objects import ObjectFiles

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tracemill.store.files import Files

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
        self.files = files_at(self.url)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.files, LocalFiles)

    @property
    def folder(self) -> Path | None:
        """The root as a folder, or None where it is not on a local disk."""
        return Path(self.path("")) if self.is_local else None

    @cached_property
    def identity(self) -> str:
        """Random name of this store, made on first use; it keeps two stores' cached results apart."""
        path = "store.json"
        if not self.exists(path):
            self.files.create(path, json_text({"identity": uuid.uuid4().hex}).encode())
        return str(json.loads(self.read_bytes(path))["identity"])  # read back: another process may have been first

    def path(self, relative: str) -> str:
        """Absolute path or URL of ``relative``."""
        return self.files.path(relative)

    def exists(self, relative: str) -> bool:
        """Tell whether a file is there."""
        return self.size(relative) is not None

    def size(self, relative: str) -> int | None:
        """Return the bytes of a file, or None where there is none."""
        return self.files.sizes([relative])[0]

    def read_bytes(self, relative: str) -> bytes:
        """Return a file's bytes."""
        return self.files.read(relative)

    def write_bytes(self, relative: str, data: bytes) -> None:
        """Write a file in one step: readers see nothing or all of it."""
        with self.open_atomic(relative) as sink:
            sink.write(data)

    def remove(self, relative: str) -> None:
        """Remove a file; one that is not there is fine."""
        self.files.remove(relative)

    def open_atomic(self, relative: str) -> AbstractContextManager[IO[bytes]]:
        """A binary sink whose content appears under ``relative`` when the block ends well, and never otherwise."""
        return self.files.sink(relative)

    def write_table(self, table: pa.Table) -> Shard:
        """Store ``table`` under the digest of its bytes; equal tables are stored once."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        data = buffer.getvalue()
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"objects/{sha256[:2]}/{sha256}.parquet"
        if self.size(path) != len(data):
            self.write_bytes(path, data)
        return Shard(path=path, rows=table.num_rows, size=len(data), sha256=sha256)

    def read_table(self, shard: Shard, columns: list[str] | None = None) -> pa.Table:
        """Return the table behind a handle, after its bytes were checked.

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
        """Return the manifest under a key, if everything that it names is there; None means: compute it."""
        try:
            text = self.read_bytes(f"manifests/{stage}/{key}.json")
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        manifest = Manifest.model_validate_json(text)
        outputs = list(manifest.outputs.values())
        sizes = self.files.sizes([shard.path for shard in outputs])
        return manifest if sizes == [shard.size for shard in outputs] else None

    def commit(self, manifest: Manifest) -> Manifest:
        """Write the manifest of finished work.

        Raises:
            ConservationError: it does not account for every row; nothing was written.
        """
        manifest.check_conservation()
        path = f"manifests/{manifest.stage}/{manifest.key}.json"
        self.write_bytes(path, manifest.model_dump_json(indent=1).encode())
        return manifest

    def prepare(self) -> None:
        """Fail early, and clearly, where nothing can be written; removes what killed processes left unfinished."""
        probe = f".probe-{uuid.uuid4().hex}"
        self.write_bytes(probe, b"")
        self.remove(probe)
        self.sweep()

    def sweep(self) -> int:
        """Remove unfinished files whose process on this machine is gone; returns how many."""
        return self.files.sweep()


def files_at(url: str) -> Files:
    """Return the files at a folder or URL.

    Raises:
        StoreError: there is no such kind of store.
    """
    protocol, separator, rest = url.partition("://")
    if not separator:
        return LocalFiles(os.path.abspath(url))  # noqa: PTH100 - it need not be there
    return LocalFiles(rest) if protocol in {"file", "local"} else ObjectFiles(url)


def _corrupt(path: str, got: str, shard: Shard) -> CorruptShardError:
    return CorruptShardError(
        f"{path} is not what its manifest says",
        got=got,
        expected=f"{shard.rows} rows, sha256 {shard.sha256}",
        remedy="delete that file and run again: it will be made anew",
    )

"""The store's files in a local folder: written beside, flushed to disk, then renamed.

Files below one root, as the store needs them: each appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from tracemill.core import StoreError
from tracemill.core.process_identity import is_gone, process_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager


class Files(Protocol):
    """What a store can be kept in. Names are relative to the root; every method is for any thread.

    Raises:
        StoreError: from every method, when the files cannot be read or written.
    """

    def path(self, relative: str) -> str:
        """Absolute path or URL, for people."""
        ...

    def sizes(self, relatives: Sequence[str]) -> list[int | None]:
        """Return the bytes of each file, or None where there is none."""
        ...

    def read(self, relative: str) -> bytes:
        """Return a file's bytes; the error for one that is not there is caused by FileNotFoundError."""
        ...

    def sink(self, relative: str) -> AbstractContextManager[IO[bytes]]:
        """Return a binary sink whose content appears when the block ends well, and never otherwise."""
        ...

    def create(self, relative: str, data: bytes) -> bool:
        """Write a file unless there is one; whether it did. Of several processes one does."""
        ...

    def remove(self, relative: str) -> None:
        """Remove a file; one that is not there is fine."""
        ...

    def sweep(self) -> int:
        """Remove unfinished files whose process is gone; returns how many."""
        ...


TMP: Final = ".tmp"

_REMEDIES: Final = {
    errno.ENOSPC: "free some space (what is finished is kept) and run again",
    errno.EDQUOT: "raise the quota (what is finished is kept) and run again",
    errno.EACCES: "give this user the right to write there, or choose another place with run.store",
    errno.EROFS: "the file system is read-only: choose another place with run.store",
    errno.ENOTDIR: "a file stands where the store's folder should be: choose another place with run.store",
}

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def partial_path(root: Path) -> Path:
    """A name below ``root`` for what is not finished; :meth:`LocalFiles.sweep` removes it once this process is gone."""
    folder = root / TMP
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{process_name().replace('/', '@')}-{uuid.uuid4().hex}"


class LocalFiles:
    """Files below a folder, which is made where it is missing; see :class:`tracemill.store.files.Files`."""

    def __init__(self, root: str) -> None:
        self._root = root

    def path(self, relative: str) -> str:
        """Absolute path."""
        return f"{self._root}/{relative}"

    def sizes(self, relatives: Sequence[str]) -> list[int | None]:
        """Return the bytes of each file, or None where there is none."""
        return [self._size(relative) for relative in relatives]

    def _size(self, relative: str) -> int | None:
        with self._errors("look for", relative):
            try:
                return os.stat(self.path(relative)).st_size  # noqa: PTH116 - a Path takes longer to make than this
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read(self, relative: str) -> bytes:
        """Return a file's bytes."""
        with self._errors("read", relative), open(self.path(relative), "rb") as file:  # noqa: PTH123 - as above
            return file.read()

    @contextlib.contextmanager
    def sink(self, relative: str) -> Iterator[IO[bytes]]:
        """Give a binary sink whose content appears when the block ends well, and never otherwise."""
        with self._errors("write", relative), self._partial() as partial:
            with partial.open("wb") as sink:
                yield sink
                sink.flush()
                os.fsync(sink.fileno())
            target = Path(self.path(relative))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)

    def create(self, relative: str, data: bytes) -> bool:
        """Write a file unless there is one; whether it did."""
        with self._errors("write", relative), self._partial() as partial:
            partial.write_bytes(data)
            target = Path(self.path(relative))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(partial, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return not target.exists() and bool(partial.replace(target))
            return True

    @contextlib.contextmanager
    def _partial(self) -> Iterator[Path]:
        """Give a name for an unfinished file, which is gone afterwards."""
        partial = partial_path(Path(self._root))
        try:
            yield partial
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def remove(self, relative: str) -> None:
        """Remove a file; one that is not there is fine."""
        with self._errors("remove", relative):
            Path(self.path(relative)).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove unfinished files whose process on this machine is gone; returns how many."""
        folder = Path(self.path(TMP))
        n_removed = 0
        for partial in folder.iterdir() if folder.is_dir() else ():
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

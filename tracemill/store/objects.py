"""Files on an object store, ``s3://bucket/prefix`` or another of fsspec's: for the store and for the ledger.

Covered: any number of threads and processes; an upload that is killed in the middle leaves nothing that anybody sees
(an object appears when its upload is complete; the parts of a broken-off upload are for the bucket's lifecycle
rule); nothing is believed of an earlier listing; a store that is away for a moment is asked again for ``PATIENCE_S``.

Endpoint, region and credentials are those of the environment and the AWS configuration files, never a recipe's.
fsspec's transactions are not used: a file system has one for all threads, and one thread's end commits them all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import fsspec

from tracemill.core import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Result = TypeVar("Result")

PATIENCE_S: Final = 30.0  # on top of what the client itself tries: 10 s with botocore's defaults
_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
_LOOKS_AT_ONCE: Final = 8
_CONNECTIONS: Final = 32

_PASSING_ERRNOS: Final = frozenset({errno.EBUSY, errno.EREMOTEIO, errno.EAGAIN})  # S3's 503, 500


class Listed(NamedTuple):
    """An object that was found.

    Attributes:
        name: relative to the root.
        size: bytes.
        modified_s: when it was written, in seconds of the store's own clock; 0 where the store does not say.
    """

    name: str
    size: int
    modified_s: float


class ObjectFiles:
    """Objects below a URL; see :class:`tracemill.store.files.Files`.

    Raises:
        StoreError: there is no such kind of store, or its client is not installed.
    """

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self.url, self._patience_s = url.rstrip("/"), patience_s
        protocol = url.partition("://")[0]
        self._fs = _file_system(protocol, os.getpid())
        # Otherwise s3fs asks for the size before each read, to read what is large in pieces.
        self._reading = {"max_concurrency": 1} if protocol == "s3" else {}
        self._root = str(self._fs._strip_protocol(self.url)).rstrip("/")  # noqa: SLF001 - fsspec's own name for it

    def path(self, relative: str) -> str:
        """URL."""
        return f"{self.url}/{relative}"

    def sizes(self, relatives: Sequence[str]) -> list[int | None]:
        """Return the bytes of each file, or None where there is none."""
        if len(relatives) == 1:
            return [self._try("look for", relatives[0], self._size)]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            return list(pool.map(lambda relative: self._try("look for", relative, self._size), relatives))

    def _size(self, at: str) -> int | None:
        try:
            return int(self._fs.info(at)["size"])
        except FileNotFoundError:
            return None

    def read(self, relative: str, start: int = 0, end: int | None = None) -> bytes:
        """Return an object's bytes, or those from ``start`` to before ``end``."""
        bounds = {} if (start, end) == (0, None) else {"start": start, "end": end}
        return bytes(self._try("read", relative, lambda at: self._fs.cat_file(at, **bounds, **self._reading)))

    def fetch(self, relative: str, target: Path) -> None:
        """Copy an object into a local file, piece by piece."""
        self._try("read", relative, lambda at: self._fs.get_file(at, str(target)))

    def write(self, relative: str, data: bytes) -> None:
        """Write an object in one step."""
        self._try("write", relative, lambda at: self._fs.pipe_file(at, data))

    @contextlib.contextmanager
    def sink(self, relative: str) -> Iterator[IO[bytes]]:
        """Give a binary sink on the local disk that is uploaded when the block ends well; nothing is sent before."""
        try:
            with tempfile.NamedTemporaryFile(prefix="tracemill-upload-") as sink:
                yield sink
                sink.flush()
                self._try("write", relative, lambda at: self._fs.put_file(sink.name, at))
        except OSError as error:  # of the local disk
            raise self._failed("write", relative, error, n_tries=1) from error

    def create(self, relative: str, data: bytes) -> bool:
        """Write an object unless there is one; whether it did (S3: ``If-None-Match: *``)."""

        def act(at: str) -> bool:
            try:
                self._fs.pipe_file(at, data, mode="create")
            except FileExistsError:
                # When it is tried again after an answer that was lost on the way, what is there is its own.
                with contextlib.suppress(FileNotFoundError):  # removed since
                    return bool(self._fs.cat_file(at) == data)
                return False
            return True

        return self._try("write", relative, act)

    def remove(self, relative: str) -> None:
        """Remove an object; one that is not there is fine."""

        def act(at: str) -> None:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(at)

        self._try("remove", relative, act)

    def listing(self, folder: str) -> list[Listed]:
        """Return every object below a folder, by name; none where there is no such folder."""
        prefix = f"{self._root}/"

        def act(at: str) -> list[Listed]:
            try:
                found = self._fs.find(at, detail=True)
            except FileNotFoundError:
                return []
            return [Listed(name.removeprefix(prefix), info["size"], _modified_s(info)) for name, info in found.items()]

        return sorted(self._try("list", folder, act))

    def look(self, relative: str) -> Listed | None:
        """Return one object, or None where there is none: a folder is none."""

        def act(at: str) -> Listed | None:
            try:
                info = self._fs.info(at)
            except FileNotFoundError:
                return None
            return None if info["type"] == "directory" else Listed(relative, info["size"], _modified_s(info))

        return self._try("look for", relative, act)

    def sweep(self) -> int:
        """Nothing is left unfinished that anybody could see."""
        return 0

    def _try(self, verb: str, relative: str, act: Callable[[str], Result]) -> Result:
        """Acts on one object, and again while the store is away, for as long as patience lasts."""
        at = f"{self._root}/{relative}" if relative else self._root
        began = time.monotonic()
        attempt = 0
        while True:
            try:
                return act(at)
            except Exception as error:  # botocore's errors are no OSErrors, and other clients have their own
                passing = _is_passing(error)
                if not passing or time.monotonic() - began >= self._patience_s:
                    raise self._failed(verb, relative, error, n_tries=attempt + 1) from error
            time.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)] * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            attempt += 1

    def _failed(self, verb: str, relative: str, error: Exception, n_tries: int) -> StoreError:
        tries = f" ({n_tries} tries)" if n_tries > 1 else ""
        return StoreError(
            f"cannot {verb} {self.path(relative)}",
            got=f"{type(error).__name__}: {error}{tries}",
            expected=f"a bucket that is there and that this user may {verb if verb == 'list' else 'read and write'}",
            remedy=_remedy(error),
        )


@cache
def _file_system(protocol: str, _pid: int) -> Any:
    """Return one client a process for each kind of store: fsspec's own cache makes one for every thread, 0.2 s each."""
    # What another process has written since must be seen, so no listing is kept.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol == "s3":
        options["config_kwargs"] = {"max_pool_connections": _CONNECTIONS}
    try:
        return fsspec.filesystem(protocol, **options)
    except (ValueError, ImportError) as error:
        raise StoreError(
            f"cannot open a store of kind {protocol}://",
            got=str(error),
            expected="a folder, s3://bucket/prefix, or another URL that fsspec knows",
            remedy="correct run.store (or run.ledger, or --out), or install fsspec's client for it",
        ) from error


def forget_clients() -> None:
    """The next store is opened with the environment as it is by then."""
    _file_system.cache_clear()


def _modified_s(info: dict[str, Any]) -> float:
    modified = info.get("LastModified")
    return 0.0 if modified is None else float(modified.timestamp())


def _is_passing(error: Exception) -> bool:
    """Tell whether it may go by itself: the network, or a server that is busy or away."""
    if isinstance(error, OSError):
        return isinstance(error, TimeoutError | ConnectionError) or error.errno in _PASSING_ERRNOS
    kinds = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("botocore")}
    return bool(kinds & {"ConnectionError", "HTTPClientError"})


def _remedy(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room in the folder for temporary files (TMPDIR): an object is written there before it is uploaded"
    if isinstance(error, FileNotFoundError):
        return "make the bucket, or correct its name; a bucket is never made here"
    if isinstance(error, PermissionError):
        return "give this user the right to list, read, write and delete below that prefix"
    if "Credentials" in type(error).__name__:
        return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE: recipes hold no secrets"
    if _is_passing(error):
        return "see that the store is up, and AWS_ENDPOINT_URL right; then run again: what is finished is kept"
    return "see the error above; what is finished is kept"

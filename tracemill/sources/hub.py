"""Files of Hub datasets: which of them are a configuration's split, and their bytes at the pinned revision.

``datasets`` says which files they are, from the dataset's card or from their names; it reads none of them. Bytes come
in ranges: where a connection breaks, what is missing is asked for again, and a file is over only where its size is.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, cast

from tracemill.core import RecipeError, SourceError
from tracemill.core.secrets import revealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from pydantic import SecretStr

    from tracemill.sources.source import Source

RANGE: Final = 8 << 20  # Bytes a request. 11 GB, the largest file among the sources, are 1,400 requests.
RETRIES: Final = 10  # With pauses of 1, 2, 4, then 8 s: about a minute without the Hub is lived through.
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a dataset's repository.

    Attributes:
        repository: Hub id.
        revision: full commit.
        path: in the repository.
        size: bytes.
        token: where the one is that lets it be read; None: where the Hub's client looks.
    """

    repository: str
    revision: str
    path: str
    size: int
    token: SecretStr | None = None


def hub_files(source: Source) -> list[HubFile]:
    """Return the files of a Hub source: those that ``files`` matches, by path, or those of config and split.

    Raises:
        SourceError: the Hub cannot be reached, or has no such dataset, configuration, split or files.
    """
    try:
        revision, paths = _matched(source) if source.files else _of_split(source)
        sizes = _sizes(source, revision)
        return [HubFile(str(source.hub), revision, path, sizes[path], source.token) for path in paths]
    except (SourceError, RecipeError):
        raise
    except Exception as error:  # Of datasets, huggingface_hub, their HTTP client, the card's YAML.
        if "gated" in f"{type(error).__name__} {error}".lower():
            raise _gated(source, error) from error
        raise SourceError(
            f"source {source.name}: cannot find the files of {source.hub} on the Hub",
            got=f"{type(error).__name__}: {error!s:.600}",
            expected=f"config {source.config}, split {source.split}, revision {source.revision}",
            remedy="check the id, the network and the access rights; name the files in sources[].files if `datasets` "
            "cannot tell which they are, as with data sets that bring a script",
        ) from error


def _gated(source: Source, error: Exception) -> SourceError:
    return SourceError(
        f"source {source.name}: {source.hub} is gated: whoever reads it has agreed to its terms, and says who they are",
        got=f"{type(error).__name__}: {error!s:.300}",
        expected="a token of an account that has access",
        remedy=f"agree at https://huggingface.co/datasets/{source.hub}; then set HF_TOKEN, or token: env:NAME",
    )


def _of_split(source: Source) -> tuple[str, list[str]]:
    """Commit and paths of a split, as ``datasets`` finds them."""
    from datasets import load_dataset_builder

    builder = load_dataset_builder(
        str(source.hub), source.config, revision=source.revision, token=hub_token(source.token)
    )
    splits: Mapping[str, list[str]] = builder.config.data_files or {}
    if source.split not in splits:
        raise SourceError(
            f"source {source.name}: {source.hub} has no such split",
            got=source.split,
            expected=f"one of {', '.join(map(str, splits)) or 'none: it has no data files'}",
            remedy="correct sources[].split, or name the files in sources[].files",
        )
    places = [_place(source, url) for url in splits[source.split]]
    return places[0][0], [path for _, path in places]


def _place(source: Source, url: str) -> tuple[str, str]:
    """Commit and path of ``hf://datasets/ID@COMMIT/PATH``."""
    beginning = f"hf://datasets/{source.hub}@"
    revision, _, path = url.removeprefix(beginning).partition("/")
    if not url.startswith(beginning) or not path:
        raise SourceError(
            f"source {source.name}: a file of {source.hub} is not in its repository",
            got=url,
            expected=f"{beginning}…",
            remedy="download that file, and name it in sources[].path",
        )
    return revision, path


def _matched(source: Source) -> tuple[str, list[str]]:
    """Commit and paths that the recipe's pattern matches, in their order."""
    from huggingface_hub import HfApi

    api = HfApi(token=hub_token(source.token))
    revision = str(api.dataset_info(str(source.hub), revision=source.revision).sha)
    pattern, everything = str(source.files), _sizes(source, revision)
    paths = sorted(path for path in everything if PurePosixPath("/" + path).match("/" + pattern))
    if not paths:
        raise SourceError(
            f"source {source.name}: no file of {source.hub} is named so",
            got=pattern,
            expected=f"one of {', '.join(sorted(everything)[:20])}",
            remedy="correct sources[].files",
        )
    return revision, paths


def _sizes(source: Source, revision: str) -> dict[str, int]:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(token=hub_token(source.token))
    tree = api.list_repo_tree(str(source.hub), recursive=True, revision=revision, repo_type="dataset")
    return {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}


def hub_token(place: SecretStr | None) -> str | None:
    """Return the token for the Hub; None where its client is to look for one itself.

    Raises:
        RecipeError: the environment variable that the recipe names is not set.
    """
    return None if place is None else revealed(place, "the token of a Hub dataset")


def open_hub_file(file: HubFile) -> IO[bytes]:
    """Return its bytes, seekable; at most ``RANGE`` bytes of them are held.

    Raises:
        OSError: while reading: the Hub refuses, or answers with other bytes than were asked for.
    """
    return cast("IO[bytes]", io.BufferedReader(_RangedFile(file), 1 << 20))


class _RangedFile(io.RawIOBase):
    """A remote file, read range by range; an answer is whole, or part and asked on, or an error."""

    def __init__(self, file: HubFile) -> None:
        from huggingface_hub import hf_hub_url

        self._url = hf_hub_url(file.repository, file.path, repo_type="dataset", revision=file.revision)
        self._size, self._token = file.size, file.token
        self._at = 0
        self._begin, self._held = 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        if not self._begin <= self._at < self._begin + len(self._held):
            self._begin, self._held = self._at, memoryview(self._fetch(self._at, min(self._at + RANGE, self._size)))
        taken = self._held[self._at - self._begin :][: len(buffer)]
        buffer[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)

    def _fetch(self, begin: int, end: int) -> bytes:
        """Return bytes from ``begin`` on, at least one, none beyond ``end``; what is missing then is asked for next."""
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

        wanted = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        headers = {**build_hf_headers(token=hub_token(self._token)), **wanted}
        try:
            response = http_backoff("GET", self._url, headers=headers, timeout=TIMEOUT_S, max_retries=RETRIES)
            hf_raise_for_status(response)
        except Exception as error:  # Of the HTTP client, whichever it is.
            raise OSError(f"bytes {begin:,} to {end:,} of {self._size:,}: {type(error).__name__}: {error}") from error
        body = response.content
        whole = response.status_code == 200 and begin == 0 and len(body) == self._size
        said = response.headers.get("Content-Range", "")
        if not whole and (not said.startswith(f"bytes {begin}-") or not 0 < len(body) <= end - begin):
            raise OSError(
                f"asked for bytes {begin:,} to {end:,} of {self._size:,}, got {len(body):,} bytes, "
                f"status {response.status_code}, range {said or 'not said'}"
            )
        return cast("bytes", body)

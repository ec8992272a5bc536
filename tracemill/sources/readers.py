"""Raw rows of a source, streamed: bytes of JSON text, not yet parsed, so that nothing is lost when a row is malformed.

Covered: JSONL, JSONL.zst (window up to 2^31, truncation noticed), CSV, Parquet, Hub datasets (streaming).
Arrow never infers types here: upstream files mix them.
"""

from __future__ import annotations

import csv
import glob
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import zstandard

from tracemill.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracemill.recipe_source import Source

CHUNK = 1 << 20  # bytes
ZSTD_MAX_WINDOW = 1 << 31  # The reference dataset's files need it; libzstd refuses more than 2^27 unless told.


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stood in the source.

    Attributes:
        file: base name of the file, or the Hub id.
        row: position in that file, from 0, blank lines not counted.
        raw: JSON text, in whatever bytes the source had.
    """

    file: str
    row: int
    raw: bytes


def files_of(source: Source, data_dir: str) -> list[Path]:
    """The files of a path source, in name order.

    Raises:
        SourceError: there is none.
    """
    pattern = str(Path(data_dir) / (source.path or ""))
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise SourceError(
            f"source {source.name} has no file",
            got=f"nothing at {pattern}",
            expected="a file, or a glob that matches some",
            remedy="correct sources[].path or data_dir; nothing was dropped",
        )
    return found


def read_file(path: Path, source: Source) -> Iterator[RawRow]:
    """The rows of one file.

    Raises:
        SourceError: unknown suffix, unreadable, or damaged: never taken for the end of the data.
    """
    reader = next((read for suffix, read in _READERS.items() if path.name.endswith(suffix)), None)
    if reader is None:
        raise SourceError(
            f"source {source.name}: the format of {path.name} is not known",
            got=path.suffix or "no suffix",
            expected=f"one of {', '.join(_READERS)}",
            remedy="convert the file, or name another",
        )
    try:
        for row, raw in enumerate(reader(path)):
            yield RawRow(path.name, row, raw)
    except (OSError, ValueError, csv.Error, zstandard.ZstdError) as error:
        raise SourceError(
            f"source {source.name}: cannot read {path}",
            got=f"{type(error).__name__}: {error}",
            remedy="restore the file and run again; finished shards are kept",
        ) from error


def read_hub(source: Source) -> Iterator[RawRow]:
    """The rows of a Hub dataset at its pinned revision, streamed.

    Raises:
        SourceError: the Hub cannot be reached or has no such dataset.
    """
    from datasets import load_dataset

    try:
        rows = load_dataset(source.hub, source.config, split=source.split, revision=source.revision, streaming=True)
        for row, record in enumerate(rows):
            yield RawRow(str(source.hub), row, as_json(record))
    except Exception as error:
        raise SourceError(
            f"source {source.name}: cannot read {source.hub} from the Hub",
            got=f"{type(error).__name__}: {error}",
            expected=f"config {source.config}, split {source.split}, revision {source.revision}",
            remedy="check the id, the network and the access rights, then run again",
        ) from error


def as_json(record: object) -> bytes:
    """JSON text of a record; what JSON cannot say (dates, bytes) becomes text, lone surrogates are escaped."""
    text = json.dumps(record, ensure_ascii=False, default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(record, default=str).encode()


def _jsonl(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _lines(file)


def _jsonl_zst(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _lines(io.BufferedReader(_ZstdFile(file), CHUNK))


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines end at LF only: U+2028 and the like may stand inside JSON strings."""
    for line in file:
        stripped = line.strip(b"\r\n \t\xef\xbb\xbf")
        if stripped:
            yield stripped


class _ZstdFile(io.RawIOBase):
    """Decompressed bytes of concatenated zstd frames; a frame that ends too early is an error, not the end."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._new_frame: Callable[[], Any] = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW).decompressobj
        self._frame: Any = None
        self._compressed = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            compressed = self._compressed or self._source.read(CHUNK)
            if not compressed:
                if self._frame is not None:
                    raise ValueError("the zstd stream is truncated")
                return 0
            self._frame = self._frame or self._new_frame()
            self._ready, self._compressed = self._frame.decompress(compressed), b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _csv(path: Path) -> Iterator[bytes]:
    csv.field_size_limit((1 << 31) - 1)  # The default, 128 KiB, is less than one long problem.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for record in csv.DictReader(file, restkey="(beyond the header)"):
            yield as_json(record)


def _parquet(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(batch_size=1000):
        for record in batch.to_pylist():
            yield as_json(record)


_READERS: dict[str, Callable[[Path], Iterator[bytes]]] = {
    ".jsonl": _jsonl,
    ".jsonl.zst": _jsonl_zst,
    ".csv": _csv,
    ".parquet": _parquet,
}

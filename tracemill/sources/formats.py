"""File formats: the rows in a stream of bytes, one by one and in constant memory, as JSON text that nobody has parsed.

Covered: JSON lines, one JSON array and CSV, also compressed (zstd with a window up to 2^31, gzip); Parquet and Arrow
by their own schema. Arrow never infers types, and a stream that ends too early is an error, not the end.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
from typing import IO, TYPE_CHECKING, Any, Final, cast

import zstandard

from tracemill.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20  # bytes
ZSTD_MAX_WINDOW = 1 << 31  # The reference dataset's files need it; libzstd refuses more than 2^27 unless told.
PIECE = 1 << 12  # Compressed bytes at once: what they decompress to is held, thousands of times as much if rows repeat.
PARQUET_BATCH = 100  # Rows. Those of CodeContests hold megabytes of tests each.
_ARROW_END: Final = b"\xff\xff\xff\xff\0\0\0\0"  # pyarrow takes a stream without it for one that is over.
DAMAGED: Final = (OSError, ValueError, EOFError, csv.Error, zstandard.ZstdError)  # What reading bad bytes raises.


def raw_rows(name: str, stream: IO[bytes], source: str) -> Iterator[bytes]:
    """The rows of a file, each as JSON text in whatever bytes the file had.

    Args:
        name: of the file; its suffix says the format.
        stream: its bytes; seekable for Parquet.
        source: name of the source, for messages.

    Raises:
        SourceError: the format is not known.
        DAMAGED: while iterating: the bytes are not of that format, or end too early.
    """
    read = next((read for suffix, read in FORMATS.items() if name.lower().endswith(suffix)), None)
    if read is None:
        raise SourceError(
            f"source {source}: the format of {name} is not known",
            got=name.rpartition("/")[2].partition(".")[2] or "no suffix",
            expected=f"one of {', '.join(FORMATS)}",
            remedy="convert the file, or name another",
        )
    return read(stream)


def as_json(record: object) -> bytes:
    """JSON text of a record; what JSON cannot say (dates, bytes) becomes text, lone surrogates are escaped."""
    text = json.dumps(record, ensure_ascii=False, default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(record, default=str).encode()


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines end at LF only: U+2028 and the like may stand inside JSON strings."""
    for line in stream:
        stripped = line.strip(b"\r\n \t\xef\xbb\xbf")
        if stripped:
            yield stripped


def _json(stream: IO[bytes]) -> Iterator[bytes]:
    """One array of rows; or JSON lines, which the Hub also publishes under this suffix."""
    buffered = cast("io.BufferedReader", stream)
    beginning = buffered.peek(CHUNK).lstrip(b"\xef\xbb\xbf \t\r\n")
    return _array(stream) if beginning.startswith(b"[") else _objects_on_lines(stream)


def _objects_on_lines(stream: IO[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(_lines(stream)):
        if number == 0 and not _is_json(line):
            raise ValueError("neither an array of rows nor one row a line")
        yield line


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AT_THE_END = (
    16  # Characters: no token of JSON except text is longer, so that a fault before it is not for want of more.
)


def _array(stream: IO[bytes]) -> Iterator[bytes]:
    """The elements of one array, verbatim; what is held is one element and a chunk.

    Raises:
        ValueError: it is no array, or it ends before its closing bracket.
    """
    text = _Text(stream)
    text.take(r"\ufeff?[ \t\r\n]*\[[ \t\r\n]*")
    if text.has("]"):
        return
    while True:
        yield text.element().encode("utf-8", "surrogateescape")
        if not text.has(","):
            text.take(r"\]")
            return


class _Text:
    """A text that is read as far as it is needed, and forgotten as far as it is used."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._parse = json.JSONDecoder().raw_decode
        self._text, self._at, self._used = "", 0, 0

    def take(self, pattern: str) -> None:
        """Steps over what must stand here."""
        self._more_if_short()
        found = re.compile(pattern).match(self._text, self._at)
        if found is None:
            raise self._error(f"expected {pattern}, got {self._text[self._at : self._at + 40]!r}")
        self._at = found.end()

    def has(self, mark: str) -> bool:
        """Whether this mark comes next; it and the spaces around it are stepped over."""
        self._skip_space()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip_space()
        return True

    def element(self) -> str:
        """The value that begins here, as it is written."""
        want = CHUNK
        while True:
            end = self._end_of_value()
            if end is not None and self._is_over(end):
                value, self._at = self._text[self._at : end], end
                return value
            if not self._read(want):
                raise self._error("the array ends in the middle of a row")
            want *= 2  # A row of many chunks is not parsed once per chunk.

    def _end_of_value(self) -> int | None:
        """Where the value ends; None if it goes on behind what has been read."""
        try:
            return self._parse(self._text, self._at)[1]
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _AT_THE_END:
                return None
            raise self._error(f"no JSON: {error.msg}", error.pos) from error
        except RecursionError as error:
            raise self._error("a row is nested too deeply") from error

    def _is_over(self, end: int) -> bool:
        """Whether the value ends here; "12" at the end of what was read, also in "12.", may begin 12.5."""
        left = len(self._text) - end
        return left > 0 and (left > _AT_THE_END or self._text[end] in ",] \t\r\n")

    def _skip_space(self) -> None:
        while True:
            if (space := _SPACE.match(self._text, self._at)) is not None:
                self._at = space.end()
            if self._at < len(self._text) or not self._read(CHUNK):
                return

    def _more_if_short(self) -> None:
        while len(self._text) - self._at < _AT_THE_END and self._read(CHUNK):
            pass

    def _read(self, size: int) -> bool:
        """Reads on; False at the end of the file."""
        read = self._stream.read(size)
        self._used += self._at
        self._text, self._at = self._text[self._at :] + self._decode(read, not read), 0
        return bool(read)

    def _error(self, what: str, place: int | None = None) -> ValueError:
        return ValueError(f"character {self._used + (self._at if place is None else place)}: {what}")


def _csv(stream: IO[bytes]) -> Iterator[bytes]:
    csv.field_size_limit((1 << 31) - 1)  # The default, 128 KiB, is less than one long problem.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        for record in csv.DictReader(text, restkey="(beyond the header)"):
            yield as_json(record)
    finally:
        text.detach()  # Whoever opened the stream closes it.


def _parquet(stream: IO[bytes]) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(stream).iter_batches(batch_size=PARQUET_BATCH):
        for record in batch.to_pylist():
            yield as_json(record)


def _arrow(stream: IO[bytes]) -> Iterator[bytes]:
    """Arrow's streaming format, in which ``datasets`` saves: by its own schema, too."""
    import pyarrow as pa

    stream.seek(-len(_ARROW_END), io.SEEK_END)
    if stream.read() != _ARROW_END:
        raise ValueError("the Arrow stream is truncated")
    stream.seek(0)
    with pa.ipc.open_stream(stream) as batches:
        for batch in batches:
            for record in batch.to_pylist():
                yield as_json(record)


def _unzstd(stream: IO[bytes]) -> IO[bytes]:
    return io.BufferedReader(_ZstdFile(stream), CHUNK)


def _ungzip(stream: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))


class _ZstdFile(io.RawIOBase):
    """Decompressed bytes of concatenated zstd frames; a frame that ends too early is an error, not the end."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._new_frame: Callable[[], Any] = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW).decompressobj
        self._frame: Any = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            compressed = self._compressed or self._source.read(PIECE)
            if not compressed:
                if self._frame is not None:
                    raise ValueError("the zstd stream is truncated")
                return 0
            self._frame = self._frame or self._new_frame()
            self._ready, self._compressed = memoryview(self._frame.decompress(compressed)), b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


_PLAIN: Final[dict[str, Callable[[IO[bytes]], Iterator[bytes]]]] = {
    ".jsonl": _lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".arrow": _arrow,
}
_COMPRESSED: Final[dict[str, Callable[[IO[bytes]], IO[bytes]]]] = {".zst": _unzstd, ".gz": _ungzip}


def _compressed(
    unpack: Callable[[IO[bytes]], IO[bytes]], read: Callable[[IO[bytes]], Iterator[bytes]]
) -> Callable[[IO[bytes]], Iterator[bytes]]:
    return lambda stream: read(unpack(stream))


FORMATS: Final[dict[str, Callable[[IO[bytes]], Iterator[bytes]]]] = _PLAIN | {
    kind + suffix: _compressed(unpack, _PLAIN[kind])
    for kind in (".jsonl", ".json", ".csv")
    for suffix, unpack in _COMPRESSED.items()
}

"""File formats: the rows in a stream of bytes, one by one and in constant memory, as JSON text that nobody has parsed.

Covered: JSON lines, one JSON array, CSV and TSV, also compressed (zstd with a window up to 2^31, gzip, bzip2, xz);
Parquet and Arrow by their own schema. Arrow never infers types; a stream that ends too early is an error, not the end.
"""

from __future__ import annotations

import base64
import codecs
import io
import json
import re
from typing import IO, TYPE_CHECKING, Final, cast

from tracemill.core import SourceError
from tracemill.sources.delimited import BadRow, delimited_rows
from tracemill.sources.file_looks import LOOKED_AT, is_json, refuse_other_content
from tracemill.sources.packing import BROKEN, CHUNK, PACKINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARQUET_BATCH = 100  # Rows. Those of CodeContests hold megabytes of tests each.
_ARROW_END: Final = b"\xff\xff\xff\xff\0\0\0\0"  # pyarrow takes a stream without it for one that is over.
DAMAGED: Final = BROKEN  # What reading bad bytes raises.
_TEXT_KINDS: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
FORMATS: Final = (*_TEXT_KINDS, ".parquet", ".arrow", *(kind + pack for kind in _TEXT_KINDS for pack in PACKINGS))
_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar")


def raw_rows(
    name: str, stream: IO[bytes], source: str, notes: list[str] | None = None, *, place: str = ""
) -> Iterator[bytes | BadRow]:
    """The rows of a file: JSON text in whatever bytes the file had, or the row as it stands if it is not well-formed.

    Args:
        name: of the file; its suffix says the format.
        stream: its bytes, buffered; seekable for Parquet.
        source: name of the source, for messages.
        notes: what is worth telling of the file is added to it.
        place: where the file is, for messages; its name unless given.

    Raises:
        SourceError: the format is not known, or the file is plainly of another one.
        DAMAGED: here or while iterating: the bytes are not of that format, or end too early.
    """
    suffix, place = format_of(name), place or name
    if suffix is None:
        raise _unknown_format(name, place, source)
    packing = next((pack for pack in PACKINGS if suffix.endswith(pack)), "")
    kind = suffix.removesuffix(packing)
    refuse_other_content(place, name, _beginning(stream), kind, packing, source)
    if packing:
        stream = PACKINGS[packing](stream)
        refuse_other_content(place, name, _beginning(stream), kind, "", source)
    if kind in _DELIMITERS:
        rows = delimited_rows(stream, _DELIMITERS[kind], place, source, notes if notes is not None else [])
        return (row if isinstance(row, BadRow) else as_json(row) for row in rows)
    return _READERS[kind](stream)


def format_of(name: str) -> str | None:
    """Return the suffix of a file that says its format, with that of its compression; None: it is not known."""
    return next((suffix for suffix in sorted(FORMATS, key=len, reverse=True) if name.lower().endswith(suffix)), None)


def _beginning(stream: IO[bytes]) -> bytes:
    return cast("io.BufferedReader", stream).peek(LOOKED_AT)[:LOOKED_AT]


def _unknown_format(name: str, place: str, source: str) -> SourceError:
    is_archive = name.lower().endswith(_ARCHIVES)
    return SourceError(
        f"source {source}: the format of {place} is not known",
        got=name.rpartition("/")[2].partition(".")[2] or "no suffix",
        expected=f"one of {', '.join(FORMATS)}",
        remedy="unpack the archive, and name the files in it" if is_archive else "convert the file, or name another",
    )


def as_json(record: object) -> bytes:
    """JSON text of a record; what JSON cannot say (dates, decimals) becomes text, lone surrogates are escaped."""
    text = json.dumps(record, ensure_ascii=False, default=_said)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(record, default=_said).encode()


def _said(value: object) -> object:
    """Bytes are their text, as files that were written by Spark have it; those of an image are an object, no text."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(value).decode()}


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield lines end at LF only: U+2028 and the like may stand inside JSON strings."""
    for line in stream:
        stripped = line.strip(b"\r\n \t\xef\xbb\xbf")
        if stripped:
            yield stripped


def _json(stream: IO[bytes]) -> Iterator[bytes]:
    """Return one array of rows; or JSON lines, which the Hub also publishes under this suffix."""
    buffered = cast("io.BufferedReader", stream)
    beginning = buffered.peek(CHUNK).lstrip(b"\xef\xbb\xbf \t\r\n")
    return _array(stream) if beginning.startswith(b"[") else _objects_on_lines(stream)


def _objects_on_lines(stream: IO[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(_lines(stream)):
        if number == 0 and not is_json(line):
            raise ValueError("neither an array of rows nor one row a line")
        yield line


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AT_THE_END = (
    16  # Characters: no token of JSON except text is longer, so that a fault before it is not for want of more.
)


def _array(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the elements of one array, verbatim; what is held is one element and a chunk.

    Raises:
        ValueError: it is no array, or it ends before its closing bracket.
    """
    text = _Text(stream)
    text.take(r"\ufeff?[ \t\r\n]*\[[ \t\r\n]*")
    if text.has("]"):
        text.end()
        return
    while True:
        yield text.element().encode("utf-8", "surrogateescape")
        if not text.has(","):
            text.take(r"\]")
            text.end()
            return


class _Text:
    """A text that is read as far as it is needed, and forgotten as far as it is used."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._parse = json.JSONDecoder().raw_decode
        self._text, self._at, self._used = "", 0, 0

    def take(self, pattern: str) -> None:
        """Step over what must stand here."""
        self._more_if_short()
        found = re.compile(pattern).match(self._text, self._at)
        if found is None:
            raise self._error(f"expected {pattern}, got {self._text[self._at : self._at + 40]!r}")
        self._at = found.end()

    def has(self, mark: str) -> bool:
        """Tell whether this mark comes next; it and the spaces around it are stepped over."""
        self._skip_space()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip_space()
        return True

    def end(self) -> None:
        """Make sure that nothing follows: a second array behind the first would be lost."""
        self._skip_space()
        if self._at < len(self._text):
            raise self._error(f"the array is over, and {self._text[self._at : self._at + 40]!r} follows")

    def element(self) -> str:
        """Return the value that begins here, as it is written."""
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
        """Return where the value ends; None if it goes on behind what has been read."""
        try:
            return self._parse(self._text, self._at)[1]
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _AT_THE_END:
                return None
            raise self._error(f"no JSON: {error.msg}", error.pos) from error
        except RecursionError as error:
            raise self._error("a row is nested too deeply") from error

    def _is_over(self, end: int) -> bool:
        """Tell whether the value ends here; "12" at the end of what was read, also in "12.", may begin 12.5."""
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
        """Read on; False at the end of the file."""
        read = self._stream.read(size)
        self._used += self._at
        self._text, self._at = self._text[self._at :] + self._decode(read, not read), 0
        return bool(read)

    def _error(self, what: str, place: int | None = None) -> ValueError:
        return ValueError(f"character {self._used + (self._at if place is None else place)}: {what}")


def _parquet(stream: IO[bytes]) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
        _refuse_twice(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=PARQUET_BATCH):
            for record in batch.to_pylist():
                yield as_json(record)
    except (pa.ArrowException, NotImplementedError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _refuse_twice(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"columns that stand there twice: {', '.join(twice)}")


def _arrow(stream: IO[bytes]) -> Iterator[bytes]:
    """Arrow's streaming format, in which ``datasets`` saves: by its own schema, too."""
    import pyarrow as pa

    stream.seek(-len(_ARROW_END), io.SEEK_END)
    if stream.read() != _ARROW_END:
        raise ValueError("the Arrow stream is truncated")
    stream.seek(0)
    try:
        with pa.ipc.open_stream(stream) as batches:
            _refuse_twice(batches.schema.names)
            for batch in batches:
                for record in batch.to_pylist():
                    yield as_json(record)
    except (pa.ArrowException, NotImplementedError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_READERS: Final[dict[str, Callable[[IO[bytes]], Iterator[bytes]]]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _json,
    ".parquet": _parquet,
    ".arrow": _arrow,
}

r"""CSV and TSV, strictly by RFC 4180: a row that is not well-formed is told with its line, never read another way.

What readers that guess make of bad files is worse than a loss: behind an unquoted comma all values are shifted, and a
quote that is not closed swallows rows. Here a row has as many fields as the header, and a field that holds a delimiter,
a quote or the end of a line is quoted whole, with its quotes doubled; in TSV a quote within text is itself. Blank lines
are no rows. All else is a :class:`BadRow`: its own text, the line that it begins on, and what is wrong.

Where the next row begins behind a bad one, so that none is swallowed and no part of a text is taken for a row:

- quotes are well-formed, and the fields too many or too few: behind that row, which may go over several lines;
- a quote is not closed, or text follows a closing one. If the next quote below stands where a field ends, it closes
  this row. Otherwise the row ends on the line on which it has as many fields as the header (its first, as a rule), or
  before a line that begins with a quote: what follows is read as rows of its own;
- a line with too few fields has a quote that closes what none opens: so is the row above, whose end it is, a bad one.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, cast

from tracemill.core import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CHARS: Final = 64 << 20  # Of a quoted field: a quote that has found no other by then is not closed.
AHEAD_CHARS: Final = 1 << 20  # Of lines that are looked at for the quote that ends a broken row.
_MOST_HELD: Final = 1000  # rows, until it is known how those below them begin
_LOOKED_AT: Final = 8192  # bytes
_QUOTES: Final = re.compile('""|"')
_UNREADABLE: Final = re.compile("[\0\udc80-\udcff]")  # NUL, and bytes that are not UTF-8
_OTHERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not well-formed.

    Attributes:
        text: as it stands in the file.
        line: that it begins on, from 1.
        fault: what is wrong.
    """

    text: bytes
    line: int
    fault: str


@dataclass(slots=True)
class _Record:
    """A record as far as it was read.

    Attributes:
        line: that it begins on.
        lines: of it.
        fields: that are whole.
        parts: of the quoted field that goes on in the next line, or None.
        fault: what is wrong with its quotes, or None.
        is_open: a quote is open at the end of its first line.
    """

    line: int
    lines: list[str]
    fields: list[str] = field(default_factory=list)
    parts: list[str] | None = None
    fault: str | None = None
    is_open: bool = False


class _Lines:
    """The lines of a file with their numbers; those that were looked at ahead are put back."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = iter(stream)
        self._back: list[str] = []
        self.number = 0  # of the line that was taken last

    def take(self) -> str | None:
        line = self._back.pop() if self._back else next(self._stream, None)
        self.number += line is not None
        return line

    def put_back(self, lines: list[str]) -> None:
        self._back += reversed(lines)
        self.number -= len(lines)


def delimited_rows(
    stream: IO[bytes], delimiter: str, name: str, source: str, notes: list[str]
) -> Iterator[dict[str, str] | BadRow]:
    """Yield the rows below the header as column -> text, and the bad ones, in their order.

    Args:
        stream: bytes in UTF-8, with or without a mark at their beginning; buffered.
        delimiter: between fields.
        name: of the file, for messages.
        source: name of the source, for messages.
        notes: what is worth telling of the file is added to it.

    Raises:
        SourceError: the header cannot be read, names a column twice, or has other delimiters.
    """
    beginning = cast("io.BufferedReader", stream).peek(_LOOKED_AT)
    # Old Macs ended lines so; beside other line ends a CR is text, which Python's writer does not quote.
    newline = "\r" if b"\r" in beginning and b"\n" not in beginning else "\n"
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    try:
        lines = _Lines(text)
        first = _record(lines, delimiter, 1)
        if first is None:
            return
        header = _header(first, delimiter, name, source, notes)
        held: list[tuple[_Record, str | None]] = []  # a good row, and the bad ones directly below it
        while (record := _record(lines, delimiter, len(header))) is not None:
            fault = record.fault or _misfit(record.fields, header) or _unreadable(record.lines)
            if fault is None or len(held) > _MOST_HELD:
                yield from (_row(*each, header) for each in held)
                held = []
            elif held and held[0][1] is None and _closes_above(record, delimiter, len(header)):
                held[0] = held[0][0], f"a quote on line {record.line} closes a field of it that no quote opens"
            held.append((record, fault))
        yield from (_row(*each, header) for each in held)
    finally:
        text.detach()  # Whoever opened the stream closes it.


def _row(record: _Record, fault: str | None, header: list[str]) -> dict[str, str] | BadRow:
    if fault is None:
        return dict(zip(header, record.fields, strict=True))
    text = "".join(record.lines).rstrip("\r\n").encode("utf-8", "surrogateescape")
    return BadRow(text, record.line, fault)


def _closes_above(record: _Record, delimiter: str, n_fields: int) -> bool:
    """Whether a bad row is the end of one above: too few fields, and a quote that closes what it has not opened."""
    line = record.lines[0]
    return not record.is_open and line.count(delimiter) + 1 < n_fields and _ends_a_field(line, delimiter)


def _record(lines: _Lines, delimiter: str, n_fields: int) -> _Record | None:
    """Return the next record, or None at the end; of a broken one only the lines that are surely its own."""
    line = lines.take()
    while line is not None and not line.strip("\r\n \t\ufeff"):
        line = lines.take()
    if line is None:
        return None
    record = _Record(lines.number, [line])
    _read_line(record, line, delimiter)
    is_odd = line.count('"') % 2 == 1 or line.startswith('""') or f'{delimiter}""' in line
    record.is_open = record.parts is not None or (record.is_open and is_odd)
    n_chars = len(line)
    while record.parts is not None:
        following = lines.take() if n_chars < MOST_CHARS else None
        if following is None:
            record.parts, record.fault = None, "a quote is not closed"
            break
        record.lines.append(following)
        n_chars += len(following)
        _read_line(record, following, delimiter)
    if record.fault is not None:
        if len(record.lines) > 1:
            record.fault = "a quote is not closed"  # what was found below lies in another row
        lines.put_back(record.lines[1:])
        record.lines = [line, *(_rest_of_broken(line, lines, delimiter, n_fields) if record.is_open else [])]
    return record


def _read_line(record: _Record, line: str, delimiter: str) -> None:
    """Read one more line of a record: its fields, the field that goes on below, or its fault."""
    end = len(line.removesuffix("\n").removesuffix("\r"))
    at = 0
    if record.parts is None and '"' not in line:
        record.fields = line[:end].split(delimiter)
        return
    while record.fault is None:
        if record.parts is None and not line.startswith('"', at, end):
            stop = line.find(delimiter, at, end) if delimiter in line else -1
            value = line[at : stop if stop >= 0 else end]
            if '"' in value and delimiter != "\t":
                record.fault = f"a quote in a field that is not quoted: {_shown(value)}"
            record.fields.append(value)
        else:
            at += record.parts is None
            stop = _read_quoted(record, line, at, end, delimiter)
        if stop < 0:
            return
        at = stop + 1


def _read_quoted(record: _Record, line: str, at: int, end: int, delimiter: str) -> int:
    """Read on in a quoted field; where the delimiter behind it stands, or -1 where the line is used up."""
    parts = record.parts if record.parts is not None else []
    for quote in _QUOTES.finditer(line, at):
        if len(quote.group()) == 2:  # two are one of the text
            parts.append(line[at : quote.start() + 1])
            at = quote.end()
            continue
        parts.append(line[at : quote.start()])
        record.fields.append("".join(parts))
        record.parts = None
        if quote.end() == end:
            return -1
        if not line.startswith(delimiter, quote.end()):
            record.fault, record.is_open = f"text after a closing quote: {_shown(line[quote.end() :])}", True
        return quote.end()
    parts.append(line[at:])
    record.parts = parts
    return -1


def _rest_of_broken(line: str, lines: _Lines, delimiter: str, n_fields: int) -> list[str]:
    """Return the lines below ``line`` that belong to its row, in which a quote is open."""
    below = _until_quote(lines)
    if below and _ends_a_field(below[-1], delimiter):
        return below
    lines.put_back(below)
    rest: list[str] = []
    n_found = 1 + line.count(delimiter)
    while n_found < n_fields and (following := lines.take()) is not None:
        if following.startswith('"'):
            lines.put_back([following])
            break
        rest.append(following)
        n_found += following.count(delimiter)
    return rest


def _until_quote(lines: _Lines) -> list[str]:
    """Return the lines up to the next one with a quote, itself included, or as far as is looked ahead."""
    taken: list[str] = []
    n_chars = 0
    while n_chars < AHEAD_CHARS and (line := lines.take()) is not None:
        taken.append(line)
        n_chars += len(line)
        if '"' in line:
            break
    return taken


def _ends_a_field(line: str, delimiter: str) -> bool:
    """Tell whether the first quote in a line stands behind text, where a field ends; two together are text."""
    text = line.rstrip("\r\n")
    single = next((found.start() for found in _QUOTES.finditer(text) if len(found.group()) == 1), None)
    if single is None or text.startswith('"') or f'{delimiter}"' in text[: single + 1]:
        return False
    return single == len(text) - 1 or text.startswith(delimiter, single + 1)


def _misfit(fields: list[str], header: list[str]) -> str | None:
    if len(fields) != len(header):
        hint = ": is a field with a delimiter not quoted?" if len(fields) > len(header) else ""
        return f"{len(fields)} of the header's {len(header)} fields{hint}"
    # pandas writes its index first, under no name; elsewhere a value that no column names is one too many.
    nameless = [value for column, value in zip(header[1:], fields[1:], strict=True) if not column and value.strip()]
    return f"a value in a column without a name: {_shown(nameless[0])}" if nameless else None


def _unreadable(lines: list[str]) -> str | None:
    found = next((found for line in lines if not line.isascii() and (found := _UNREADABLE.search(line))), None)
    if found is not None:
        return f"byte 0x{ord(found.group()) - 0xDC00:02x} is not UTF-8: save the file in that encoding"
    return "a NUL byte" if any("\0" in line for line in lines) else None


def _header(record: _Record, delimiter: str, name: str, source: str, notes: list[str]) -> list[str]:
    """Return the column names, without blanks around them."""
    names = [field.strip(" \t\ufeff") for field in record.fields]
    twice = sorted({column for column in names if column and names.count(column) > 1})
    other = next((mark for mark in _OTHERS if len(names) == 1 and mark != delimiter and mark in names[0]), None)
    fault = record.fault or _unreadable(record.lines)
    if fault is None and twice:
        fault = f"columns that stand there twice: {', '.join(twice)}"
    if fault is None and other is not None:
        fault = f"one column, {names[0]!r:.200}: the file looks separated by {_OTHERS[other]}"
    if fault is None and not any(names):
        fault = "no name of a column"
    if fault is not None:
        raise SourceError(
            f"source {source}: the header of {name} cannot be used",
            got=f"line {record.line}: {fault}",
            expected=f"the names of the columns, each once, separated by {_OTHERS[delimiter]}, in UTF-8",
            remedy="fix the first line, or save the file as CSV in UTF-8 with commas, or as TSV with tabs under .tsv",
        )
    padded = [column for column, found in zip(names, record.fields, strict=True) if column != found]
    if padded:
        notes.append(f"{name}: column names are read without the blanks around them: {', '.join(padded)}")
    if not all(names):
        notes.append(f"{name}: a column has no name in the header; no layout reads it")
    return names


def _shown(text: str) -> str:
    return repr(text.rstrip("\r\n")[:40].encode("utf-8", "backslashreplace").decode())

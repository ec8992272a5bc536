"""What a file looks like by its first bytes: where that is not what its name says, it is refused, never guessed at.

A name is wrong because a download went wrong, mostly: Git LFS left its pointer, a proxy its login page, the Hub its
error in JSON; or a file was packed or unpacked on its way. Read by its name, such a file is a source of bad rows only.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from tracemill.core import SourceError

LOOKED_AT: Final = 8192  # bytes: what one look into a buffered file gives
_ERROR_KEYS: Final = frozenset({"error", "errors", "message", "detail", "details", "status", "code", "type", "title",
                                "documentation_url", "request_id", "requestid", "statuscode", "success"})  # fmt: skip
_TELLS_AN_ERROR: Final = frozenset({"error", "errors", "message", "detail"})


class Look(NamedTuple):
    """What a file looks like, and what to do about it; ``suffix`` is the one it should have, if there is one."""

    what: str
    remedy: str
    suffix: str = ""


_RENAME: Final = "give the file its own suffix"
_UNPACK: Final = "unpack it, and name the file in it"
_AGAIN: Final = "download the file itself again: this is what came in its place"
_UTF8: Final = "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"
_MAGIC: Final[tuple[tuple[bytes, Look], ...]] = (
    (b"version https://git-lfs.github.com/spec", Look("a Git LFS pointer, not the file", "fetch it: git lfs pull")),
    (b"\x28\xb5\x2f\xfd", Look("zstd", _RENAME, ".zst")),
    (b"\x1f\x8b", Look("gzip", _RENAME, ".gz")),
    (b"BZh", Look("bzip2", _RENAME, ".bz2")),
    (b"\xfd7zXZ\0", Look("xz", _RENAME, ".xz")),
    (b"PAR1", Look("Parquet", _RENAME, ".parquet")),
    (b"\xff\xff\xff\xff", Look("an Arrow stream", _RENAME, ".arrow")),
    (b"ARROW1", Look("an Arrow file (Feather)", "write it as Parquet")),
    (b"PK\x03\x04", Look("a zip archive (or an Excel sheet)", _UNPACK)),
    (b"PK\x05\x06", Look("an empty zip archive", _AGAIN)),
    (b"7z\xbc\xaf\x27\x1c", Look("a 7z archive", _UNPACK)),
    (b"Rar!", Look("a RAR archive", _UNPACK)),
    (b"%PDF", Look("a PDF", "extract its rows")),
    (b"SQLite format 3", Look("an SQLite database", "export its table as CSV or JSON lines")),
    (b"Obj\x01", Look("Avro", "write it as Parquet")),
    (b"\x89HDF", Look("HDF5", "write it as Parquet")),
    (b"\x93NUMPY", Look("a NumPy array", "write it as Parquet")),
    (b"\x04\x22\x4d\x18", Look("lz4", _UNPACK)),
    (b"\xff\xfe", Look("text in UTF-16", _UTF8)),
    (b"\xfe\xff", Look("text in UTF-16", _UTF8)),
)
_NO_TEXT: Final = Look("binary data", "name a file of rows, and give it the suffix of its format")
_PACKED: Final = (".zst", ".gz", ".bz2", ".xz")
_MARKUP: Final = re.compile(rb"<(?:!doctype|html|head|body|script|\?xml|!--|[a-z]+(?:\s[^<>]*)?>)", re.IGNORECASE)
_CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13, 27}
_MOST_CONTROLS: Final = 0.1  # of the bytes; a damaged row of text has a few


def refuse_other_content(place: str, name: str, beginning: bytes, kind: str, packing: str, source: str) -> None:
    """Refuse a file that holds plainly something else than its name says.

    Args:
        place: where the file is, for the message.
        name: of the file, or its path.
        beginning: its first bytes, as they are.
        kind: suffix of the format that its name says, as ".jsonl".
        packing: suffix of the compression that its name says, or "".
        source: name of the source, for the message.

    Raises:
        SourceError: it does; with what it looks like, and what to do.
    """
    look = _other_packing(beginning, packing) if packing else other_kind(beginning, kind)
    if look is None:
        return
    rename = f", as {_renamed(name, look.suffix, kind, packing)}" if look.remedy == _RENAME else ""
    raise SourceError(
        f"source {source}: {place} is not what its name says",
        got=f"it looks like {look.what}, and begins with {beginning[:60]!r}",
        expected=f"{kind}{packing}",
        remedy=f"{look.remedy}{rename}; nothing was read",
    )


def _renamed(name: str, suffix: str, kind: str, packing: str) -> str:
    """The file's base name with the suffix that it should have: of its compression, of its format, or one less."""
    unpacked = name.rpartition("/")[2][: len(name.rpartition("/")[2]) - len(packing)]
    if suffix in _PACKED:
        return unpacked + suffix
    return unpacked[: len(unpacked) - len(kind)] + suffix if suffix else unpacked


def _other_packing(beginning: bytes, packing: str) -> Look | None:
    """Of a compressed file: whether it begins as one. An empty one holds no rows, which is told elsewhere."""
    look = _by_magic(beginning)
    if not beginning or (look is not None and look.suffix == packing):
        return None
    if look is not None:
        return look
    is_text = not _is_binary(beginning)
    return (
        Look("text that is not compressed", _RENAME)
        if is_text and _markup(beginning) is None
        else (_markup(beginning) or (None if packing == ".zst" and _is_skippable(beginning) else _NO_TEXT))
    )


def _is_skippable(beginning: bytes) -> bool:
    """Tell whether it is a frame of zstd's that holds no data, which may come first."""
    return beginning[1:4] == b"\x2a\x4d\x18" and beginning[0] & 0xF0 == 0x50  # RFC 8878, section 3.1.2


def other_kind(beginning: bytes, kind: str) -> Look | None:
    """Return what a file of rows looks like, or None where it may be of ``kind``; empty files may."""
    look = _by_magic(beginning)
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text or (look is not None and look.suffix == kind != ""):
        return None
    if look is not None:
        return look
    if _is_binary(beginning):
        return _utf16(beginning) or (_NO_TEXT if kind not in (".parquet", ".arrow") else None)
    return _markup(text) or _server_error(text) or _other_text(text, kind)


def _by_magic(beginning: bytes) -> Look | None:
    return next((look for magic, look in _MAGIC if beginning.startswith(magic)), None)


def _is_binary(beginning: bytes) -> bool:
    """Tell whether more of it is control characters than a damaged row would have."""
    head = beginning[:1024]
    return sum(byte in _CONTROLS for byte in head) > _MOST_CONTROLS * len(head)


def _utf16(beginning: bytes) -> Look | None:
    """UTF-16 without its mark: every other byte of what is English in it is NUL."""
    halves = beginning[0:200:2], beginning[1:200:2]
    n_nul = [half.count(0) for half in halves]
    is_utf16 = max(n_nul) > 0.7 * len(halves[0]) and min(n_nul) < 0.1 * len(halves[0])
    return (
        Look("text in UTF-16", _UTF8.replace("UTF-16", "UTF-16LE" if n_nul[1] else "UTF-16BE", 1)) if is_utf16 else None
    )


def _markup(text: bytes) -> Look | None:
    found = _MARKUP.match(text.lstrip())
    if found is None:
        return None
    is_page = b"html" in text[:1000].lower()
    return Look("an HTML page" if is_page else "XML or HTML", _AGAIN)


def _server_error(text: bytes) -> Look | None:
    """Return one object that says that something went wrong, and nothing else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    keys = {str(key).lower() for key in found} if isinstance(found, dict) else set()
    if keys <= _ERROR_KEYS and keys & _TELLS_AN_ERROR:
        return Look("the error message of a server", _AGAIN)
    return None


def _other_text(text: bytes, kind: str) -> Look | None:
    """Return JSON under a name that says otherwise, and an array over several lines in a file of lines."""
    first_line = text.split(b"\n", 1)[0].strip()
    if kind in (".parquet", ".arrow"):
        suffix = ".jsonl" if text.startswith(b"{") else ".json" if text.startswith(b"[") else ".csv"
        return Look("text", _RENAME, suffix)
    if kind in (".csv", ".tsv") and first_line.startswith((b"{", b"[")) and is_json(first_line):
        return Look("JSON", _RENAME, ".jsonl" if text.startswith(b"{") else ".json")
    if kind in (".jsonl", ".ndjson") and b"\n" in text and first_line.startswith(b"[") and not is_json(first_line):
        return Look("one JSON array over several lines", _RENAME, ".json")
    return None


def is_json(text: bytes) -> bool:
    """Tell whether it is one JSON value and nothing else."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def described(rows: list[bytes]) -> str:
    """Return what rows look like that cannot be read by their format, for the message; "" where nothing can be said."""
    text = b"\n".join(rows)
    look = other_kind(text, "")
    if look is not None:
        return f"the file looks like {look.what}: {look.remedy}"
    first = rows[0].strip() if rows else b""
    if first == b"{" or (first.startswith(b"{") and not is_json(first) and any(row.strip() == b"}" for row in rows)):
        return "the file looks like JSON objects over several lines each: write one row a line (jq -c . FILE)"
    if first.startswith(b"[") and is_json(first):
        return "the rows are JSON arrays: if the file is one array of rows, name it .json"
    if first and first[:1] not in b"{[" and (b"," in first or b"\t" in first):
        return "the file looks like CSV or TSV: give it that suffix"
    return ""

"""How many rows a source has, without reading it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow.parquet as pq

from tracemill.sources.readers import files_of, readings

if TYPE_CHECKING:
    from tracemill.sources.source import Source

_LOOKED_AT: Final = 200  # rows, by whose mean length the others are reckoned
_LINES: Final = (".jsonl",)


class Size(NamedTuple):
    """Rows of a source.

    Attributes:
        n_rows: None where files are compressed, or on the Hub: only reading them tells.
        is_exact: they are counted; else reckoned from the files' sizes.
    """

    n_rows: int | None
    is_exact: bool


def size_of(source: Source, data_dir: str) -> Size:
    """Return how many rows a source has: Parquet says it, of lines it follows from their mean length.

    Raises:
        SourceError: a file is missing or cannot be read.
    """
    if source.hub is not None:
        return Size(None, is_exact=False)
    files = files_of(source, data_dir)
    names = [file.name.lower() for file in files]
    if all(name.endswith(".parquet") for name in names):
        return Size(sum(pq.read_metadata(file.path).num_rows for file in files), is_exact=True)
    if not all(name.endswith(_LINES) for name in names):
        return Size(None, is_exact=False)
    rows = (row for _, found in readings(source, data_dir, []) for row in found)
    lengths = [len(row.raw) + 1 for row in itertools.islice(rows, _LOOKED_AT)]
    n_bytes = sum(file.path.stat().st_size for file in files)
    if len(lengths) < _LOOKED_AT:
        return Size(len(lengths), is_exact=True)
    return Size(round(n_bytes / (sum(lengths) / len(lengths))), is_exact=False)

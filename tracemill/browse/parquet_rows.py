"""The rows of several Parquet files by their place, from 0: a few of them are read without reading the rest.

A row group is read in small batches, and no further than the last row that is wanted, so that a group of huge rows
does not come into memory as a whole.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracemill.core.machine import cores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_BATCH_ROWS: Final = 128
_SCAN_ROWS: Final = 65_536
_BUFFER_BYTES: Final = 1 << 20  # a column is read piece by piece, not as one


class Found(NamedTuple):
    """Rows whose text was looked through.

    Attributes:
        places: of those that match.
        n_looked_at: of the rows that were to be looked through, from the first on.
    """

    places: NDArray[np.int64]
    n_looked_at: int


class _Group(NamedTuple):
    file: int
    number: int
    start: int


class ParquetRows:
    """Rows of files, one file after the other.

    Attributes:
        n_rows: of all files.
        names: columns that all files have.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)
        self._metadata = [pq.read_metadata(path) for path in self._paths]
        schemas = [set(metadata.schema.to_arrow_schema().names) for metadata in self._metadata]
        self.names: frozenset[str] = frozenset(set.intersection(*schemas) if schemas else ())
        self._groups: list[_Group] = []
        self.n_rows = 0
        for file, metadata in enumerate(self._metadata):
            for number in range(metadata.num_row_groups):
                self._groups.append(_Group(file, number, self.n_rows))
                self.n_rows += metadata.row_group(number).num_rows
        self._starts = np.array([group.start for group in self._groups], np.int64)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield those of the columns that there are, of all rows in order."""
        names = [name for name in columns if name in self.names]
        for file in range(len(self._paths)):
            for batch in self._opened(file).iter_batches(_SCAN_ROWS, columns=names):
                yield pa.Table.from_batches([batch])

    def records(self, places: NDArray[np.int64], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return a few rows, in the order of their places; all their columns unless some are named."""
        names = sorted(self.names) if columns is None else [name for name in columns if name in self.names]
        found: list[dict[str, Any]] = []
        for group, offsets in self._by_group(np.sort(places)):
            found += self._of_group(group, offsets, names)
        return found

    def search(self, places: NDArray[np.int64], column: str, text: str, most: int, deadline: float) -> Found:
        """Look for a text in a column of some rows, whatever its case, until enough are found or time is up.

        Args:
            places: of the rows to look through, rising.
            column: of texts.
            text: what they contain.
            most: so many matches are enough.
            deadline: by the monotonic clock, after which it stops; it looks at a few row groups at least.
        """
        found, n_found, n_looked_at = [np.empty(0, np.int64)], 0, 0
        groups = list(self._by_group(places))
        n_at_once = cores()
        with ThreadPoolExecutor(n_at_once) as pool:
            for first in range(0, len(groups), 4 * n_at_once):
                piece = groups[first : first + 4 * n_at_once]
                for matching in pool.map(lambda each: self._matching(each[0], each[1], column, text), piece):
                    found.append(matching)
                    n_found += len(matching)
                n_looked_at += sum(len(offsets) for _, offsets in piece)
                if n_found >= most or time.monotonic() > deadline:
                    break
        return Found(np.concatenate(found), n_looked_at)

    def _matching(self, group: _Group, offsets: NDArray[np.int64], column: str, text: str) -> NDArray[np.int64]:
        texts = self._opened(group.file).read_row_group(group.number, columns=[column])[column]
        if len(offsets) < len(texts):
            texts = texts.take(pa.array(offsets))
        matches = pc.fill_null(pc.match_substring(texts, text, ignore_case=True), fill_value=False)
        found: NDArray[np.int64] = group.start + offsets[matches.to_numpy()]
        return found

    def _of_group(self, group: _Group, offsets: NDArray[np.int64], names: Sequence[str]) -> Iterator[dict[str, Any]]:
        wanted, start = list(offsets), 0
        for batch in self._opened(group.file).iter_batches(_BATCH_ROWS, row_groups=[group.number], columns=names):
            here = [int(offset - start) for offset in wanted if start <= offset < start + batch.num_rows]
            if here:
                yield from batch.take(pa.array(here)).to_pylist()
            start += batch.num_rows
            if start > wanted[-1]:
                return

    def _by_group(self, places: NDArray[np.int64]) -> Iterator[tuple[_Group, NDArray[np.int64]]]:
        """Yield each row group that holds some of the rows, with where in it they are."""
        if not len(places):
            return
        groups = np.searchsorted(self._starts, places, side="right") - 1
        cuts = np.flatnonzero(np.diff(groups)) + 1
        for piece in np.split(places, cuts):
            group = self._groups[int(np.searchsorted(self._starts, piece[0], side="right")) - 1]
            yield group, piece - group.start

    def _opened(self, file: int) -> pq.ParquetFile:
        """Return a file of its own, since threads read at once."""
        return pq.ParquetFile(
            self._paths[file], metadata=self._metadata[file], buffer_size=_BUFFER_BYTES, pre_buffer=False
        )

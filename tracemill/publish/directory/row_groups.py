"""Row groups of published Parquet files, cut from tables one after the other; what is not written need not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracemill.store import Shard, Store

ROW_GROUP_ROWS: Final = 1000


class Rows(Protocol):
    """Rows that can be cut: a table, or one that is read when it is wanted."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        ...

    def slice(self, offset: int, length: int) -> pa.Table:
        """Return some of them."""
        ...


class StoredRows:
    """The rows of a stored shard, read when the first of them are wanted."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self._store, self._shard = store, shard
        self._table: pa.Table | None = None

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self._shard.rows

    def slice(self, offset: int, length: int) -> pa.Table:
        """Return some of them."""
        if self._table is None:
            self._table = self._store.read_table(self._shard)
        return self._table.slice(offset, length)


class _Part(NamedTuple):
    rows: Rows
    offset: int
    length: int


class RowGroup:
    """Some rows in their order, of one table or of several."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts
        self.n_rows = sum(part.length for part in parts)

    def table(self) -> pa.Table:
        """Return the rows; chunks are kept, as Parquet's pages depend on them."""
        return pa.concat_tables([part.rows.slice(part.offset, part.length) for part in self._parts])


def rows_until_cut(position: int, rows_per_file: int) -> int:
    """Return rows from one on to the next end of a row group, or of its file: at most ``ROW_GROUP_ROWS``."""
    in_file = position % rows_per_file
    return min(rows_per_file - in_file, ROW_GROUP_ROWS - in_file % ROW_GROUP_ROWS)


def row_groups(tables: Iterable[Rows], rows_per_file: int) -> Iterator[RowGroup]:
    """Yield the rows, one row group of a file after the other."""
    parts: list[_Part] = []
    position = 0
    for table in tables:
        start = 0
        while start < table.num_rows:
            left = rows_until_cut(position, rows_per_file)
            parts.append(_Part(table, start, min(left, table.num_rows - start)))
            start += parts[-1].length
            position += parts[-1].length
            if parts[-1].length == left:
                yield RowGroup(parts)
                parts = []
    if parts:
        yield RowGroup(parts)

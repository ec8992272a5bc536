"""The order of the published rows, taken piece by piece: shards in random order, rows at random within groups of them.

Both orders come from digests, so the result does not depend on how the run went. A group that is larger than what is
held in memory goes to a file first, divided by ranges of its rows' keys; then one range after the other is read and
put in order. So memory is bounded by a shard and a range. The file costs 11 % of the export's processor time; to decode
every shard once more for each half GB of the group would cost 19 % a time.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

    from tracemill.store import Shard, Store

GROUP_ROWS: Final = 50_000  # Rows shuffled together.
ROWS_A_RANGE: Final = 1000  # in the middle
HELD_BYTES: Final = 256_000_000  # A group of more is written to a file: 5,000 rows of 50 kB.
_KEY_SPACE: Final = 1 << 32


class Piece(NamedTuple):
    """Some rows, in their order.

    Attributes:
        group: number of the group that they are of.
        table: the rows; every column is one chunk.
    """

    group: int
    table: pa.Table


def shuffled(
    store: Store,
    shards: Sequence[Shard],
    seed: int,
    rows_until_cut: Callable[[int], int],
    scratch: Callable[[], IO[bytes]],
) -> Iterator[Piece]:
    """Yield all rows of the shards, in an order that depends on nothing but them and the seed.

    Args:
        store: where the shards are.
        shards: in any order.
        seed: of the order.
        rows_until_cut: how many rows of the result come before the next cut, from a row of it on; no piece goes over
            a cut or over the end of a group.
        scratch: opens a file that is gone when it is closed.
    """
    position = 0
    for number, group in enumerate(_groups(shards, seed)):
        waiting = _Waiting()
        for part in _ranges(store, group, seed, scratch):
            waiting.add(part)
            while waiting.n_rows >= (n_wanted := rows_until_cut(position)):
                yield Piece(number, waiting.take(n_wanted))
                position += n_wanted
        if waiting.n_rows:
            position += waiting.n_rows
            yield Piece(number, waiting.take(waiting.n_rows))


def _groups(shards: Sequence[Shard], seed: int) -> Iterator[list[Shard]]:
    group: list[Shard] = []
    n_rows = 0
    for shard in sorted(shards, key=lambda shard: digest(seed, shard.sha256)):
        group.append(shard)
        n_rows += shard.rows
        if n_rows >= GROUP_ROWS:
            yield group
            group, n_rows = [], 0
    if group:
        yield group


class _Keyed(NamedTuple):
    """Rows with the keys that they are ordered by."""

    table: pa.Table
    keys: list[str]

    def order(self) -> list[int]:
        """Row numbers by key; rows of one key in the order in which they are."""
        return sorted(range(len(self.keys)), key=self.keys.__getitem__)


def _ranges(store: Store, shards: Sequence[Shard], seed: int, scratch: Callable[[], IO[bytes]]) -> Iterator[_Keyed]:
    """Yield the rows of a group by ranges of their keys, the lowest first; in a range as they come."""
    held: list[_Keyed] = []
    n_held = 0
    n_ranges = -(-sum(shard.rows for shard in shards) // ROWS_A_RANGE)
    with contextlib.ExitStack() as stack:
        file: _Ranges | None = None
        for shard in shards:
            table = store.read_table(shard)
            held.append(_Keyed(table, _keys(table, seed)))
            n_held += table.nbytes
            if file is None and n_held > HELD_BYTES:
                file = _Ranges(stack.enter_context(scratch()), n_ranges)
            while file is not None and held:
                file.add(held.pop(0))
        if file is None:
            yield _joined(held)
            return
        for number in range(n_ranges):
            yield file.read(number)


def _keys(table: pa.Table, seed: int) -> list[str]:
    """By problem; where one may have several rows by response, so that they do not stand side by side."""
    if "sample_index" not in table.column_names:
        return [digest(seed, row_id) for row_id in table["id"].to_pylist()]
    pairs = zip(table["id"].to_pylist(), table["response_id"].to_pylist(), strict=True)
    return [digest(seed, row_id, response_id) for row_id, response_id in pairs]


def _joined(parts: Sequence[_Keyed]) -> _Keyed:
    table = pa.concat_tables([part.table for part in parts]).combine_chunks()
    return _Keyed(table, [key for part in parts for key in part.keys])


class _Ranges:
    """Rows in a file, by ranges of their keys.

    Args:
        file: where they are written.
        n_ranges: into so many; digests are spread evenly.
    """

    def __init__(self, file: IO[bytes], n_ranges: int) -> None:
        self._file, self._n_ranges = file, n_ranges
        self._size = 0
        self._schema: pa.Schema = pa.schema([])
        self._entries: defaultdict[int, list[tuple[int, int, list[str]]]] = defaultdict(list)  # place, size, keys

    def add(self, rows: _Keyed) -> None:
        """Write rows that come after those of earlier calls."""
        self._schema = rows.table.schema
        order = rows.order()
        table = rows.table.take(pa.array(order, pa.int64())).combine_chunks()
        keys = [rows.keys[row] for row in order]
        start = 0
        for end in range(1, len(keys) + 1):
            if end == len(keys) or self._range(keys[end]) != self._range(keys[start]):
                (batch,) = table.slice(start, end - start).to_batches()
                data = batch.serialize()
                self._file.write(data)
                self._entries[self._range(keys[start])].append((self._size, data.size, keys[start:end]))
                self._size += data.size
                start = end

    def _range(self, key: str) -> int:
        return int(key[:8], 16) * self._n_ranges // _KEY_SPACE

    def read(self, number: int) -> _Keyed:
        """Return the rows of a range, in the order in which they were added; those of a shard by key."""
        self._file.flush()
        batches, keys = [], []
        for place, size, some in self._entries.pop(number, []):
            data = pa.py_buffer(os.pread(self._file.fileno(), size, place))
            batches.append(pa.ipc.read_record_batch(data, self._schema))
            keys += some
        return _Keyed(pa.Table.from_batches(batches, self._schema).combine_chunks(), keys)


class _Waiting:
    """Ranges that have come and are not taken yet."""

    def __init__(self) -> None:
        self._parts: list[tuple[pa.Table, list[int]]] = []
        self.n_rows = 0

    def add(self, part: _Keyed) -> None:
        """A range that comes after the others."""
        self._parts.append((part.table, part.order()))
        self.n_rows += len(part.keys)

    def take(self, n_rows: int) -> pa.Table:
        """Return the next rows."""
        self.n_rows -= n_rows
        taken: list[pa.Table] = []
        while n_rows or not taken:
            table, order = self._parts.pop(0)
            taken.append(table.take(pa.array(order[:n_rows], pa.int64())))
            if len(order) > n_rows:
                self._parts.insert(0, (table, order[n_rows:]))
            n_rows -= taken[-1].num_rows
        return pa.concat_tables(taken).combine_chunks()


@dataclass
class _Column:
    """Of a column, or of a part of a nested one: its rows, how many are null, and bytes but for bitmaps."""

    kind: pa.DataType
    rows: int = 0
    nulls: int = 0
    n_bytes: int = 0

    def total(self) -> int:
        """Bytes of all of them in one piece."""
        n_bitmaps = int(pa.types.is_boolean(self.kind)) + int(self._is_masked())
        return self.n_bytes + n_bitmaps * -(-self.rows // 8)

    def _is_masked(self) -> bool:
        """Whether a bitmap of nulls counts: ``take`` makes one of any text, and ``nbytes`` counts none of structs."""
        if pa.types.is_primitive(self.kind):
            return self.nulls > 0
        return not pa.types.is_struct(self.kind)


class TakenBytes:
    """Bytes of groups of rows in memory, as ``nbytes`` says of each group that ``take`` has made in one piece.

    The card tells them (``num_bytes``), so that they must not depend on how a group is cut.
    """

    def __init__(self) -> None:
        self._group = 0
        self._columns: dict[tuple[str, str], _Column] = {}  # of the group, by column and path in it
        self._sums: Counter[str] = Counter()  # of the groups before, by column

    def add(self, piece: Piece) -> None:
        """Some more rows; those of a group come together."""
        if piece.group != self._group:
            self._sums = self._by_column()
            self._group, self._columns = piece.group, {}
        for name in piece.table.column_names:
            for chunk in piece.table[name].chunks:
                self._add(name, "", chunk)

    def _add(self, name: str, path: str, array: pa.Array) -> None:
        kind = array.type
        column = self._columns.setdefault((name, path), _Column(kind))
        column.rows += len(array)
        column.nulls += array.null_count
        if pa.types.is_struct(kind):
            for number, field in enumerate(kind):
                self._add(name, f"{path}/{field.name}", array.field(number))
        elif pa.types.is_list(kind):
            column.n_bytes += 4 * len(array)
            self._add(name, f"{path}/", array.flatten())
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            n_text = pc.sum(pc.binary_length(array)).as_py() or 0
            column.n_bytes += (4 if pa.types.is_string(kind) else 8) * len(array) + n_text
        elif not pa.types.is_boolean(kind):
            column.n_bytes += kind.bit_width // 8 * len(array)

    def of(self, names: Sequence[str]) -> int:
        """Bytes of these columns."""
        found = self._by_column()
        return sum(found[name] for name in names)

    def _by_column(self) -> Counter[str]:
        found = self._sums.copy()
        for (name, _), column in self._columns.items():
            found[name] += column.total()
        return found

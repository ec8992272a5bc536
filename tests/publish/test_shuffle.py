"""The order of published rows: from digests alone, in pieces that need no cut, whatever is held in memory."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

from tests.support.runs.publications import samples
from tracemill.core import digest, table_of
from tracemill.publish import shuffle
from tracemill.publish.directory.row_groups import rows_until_cut
from tracemill.publish.shuffle import Piece, TakenBytes, shuffled
from tracemill.select import Sample
from tracemill.store import Shard, Store

SEED = 3
SIZES = (700, 0, 1300, 2, 999, 1000, 64)
GROUP = 1500
ROWS_PER_FILE = 1200


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def shards(store: Store) -> list[Shard]:
    rows, starts = samples(sum(SIZES)), [sum(SIZES[:number]) for number in range(len(SIZES))]
    return [
        store.write_table(table_of(Sample, rows[start : start + n_rows]))
        for start, n_rows in zip(starts, SIZES, strict=True)
    ]


def groups(store: Store, shards: list[Shard]) -> list[pa.Table]:
    """What the order is defined as: every group in one piece, taken at once."""
    found: list[list[pa.Table]] = [[]]
    for shard in sorted(shards, key=lambda shard: digest(SEED, shard.sha256)):
        found[-1].append(store.read_table(shard))
        if sum(table.num_rows for table in found[-1]) >= GROUP:
            found.append([])
    tables = [pa.concat_tables(group) for group in found if group]
    return [
        table.take(pa.array(sorted(range(len(ids)), key=lambda row: digest(SEED, ids[row])), pa.int64()))
        for table in tables
        for ids in [table["id"].to_pylist()]
    ]


def pieces(store: Store, shards: list[Shard]) -> list[Piece]:
    until_cut = partial(rows_until_cut, rows_per_file=ROWS_PER_FILE)
    return list(shuffled(store, shards, SEED, until_cut, tempfile.TemporaryFile))


@pytest.mark.parametrize("held", [0, 300_000, 1 << 40])
def test_the_order_does_not_depend_on_memory(
    store: Store, shards: list[Shard], monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Held in memory, in part or not at all: the same rows in the same order, and pieces end where row groups do."""
    monkeypatch.setattr(shuffle, "GROUP_ROWS", GROUP)
    monkeypatch.setattr(shuffle, "HELD_BYTES", held)
    found, expected = pieces(store, shards), groups(store, shards)
    assert pa.concat_tables([piece.table for piece in found]).equals(pa.concat_tables(expected))
    position = 0
    for piece in found:
        assert 0 < piece.table.num_rows <= rows_until_cut(position, ROWS_PER_FILE)
        assert all(column.num_chunks == 1 for column in piece.table.columns)
        position += piece.table.num_rows
    sizes = [sum(piece.table.num_rows for piece in found if piece.group == n) for n in range(len(expected))]
    assert sizes == [table.num_rows for table in expected]


def test_rows_of_one_id_stay_in_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that no key tells apart come as their shards do, also through a file."""
    rows = [row for row in samples(3) for _ in range(400)]
    table = table_of(Sample, rows).set_column(23, "n_correct", pa.array(range(len(rows)), pa.int32()))
    shards = [store.write_table(table.slice(0, 700)), store.write_table(table.slice(700))]
    whole = pa.concat_tables([piece.table for piece in pieces(store, shards)])
    monkeypatch.setattr(shuffle, "HELD_BYTES", 0)
    assert pa.concat_tables([piece.table for piece in pieces(store, shards)]).equals(whole)


def test_what_is_divided_is_in_no_folder(store: Store, shards: list[Shard], tmp_path: Path) -> None:
    """The file of a group is closed when its rows are taken, and when nobody takes them any more."""
    opened: list[IO[bytes]] = []

    def scratch() -> IO[bytes]:
        opened.append(tempfile.TemporaryFile(dir=tmp_path))  # noqa: SIM115 - whether it is closed is asked
        return opened[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shuffle, "HELD_BYTES", 0)
        patched.setattr(shuffle, "GROUP_ROWS", GROUP)
        rows = shuffled(store, shards, SEED, lambda _: 100, scratch)
        next(rows)
        assert [file.closed for file in opened] == [False]
        rows.close()  # type: ignore[attr-defined]
        assert [file.closed for file in opened] == [True]
        list(shuffled(store, shards, SEED, lambda _: 100, scratch))
    assert len(opened) > 2
    assert all(file.closed for file in opened)


KINDS = pa.schema(
    [
        ("text", pa.string()),
        ("long", pa.large_string()),
        ("number", pa.int32()),
        ("real", pa.float64()),
        ("flag", pa.bool_()),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))),
    ]
)


@pytest.mark.parametrize("has_nulls", [False, True])
def test_bytes_in_memory_are_those_of_the_whole(has_nulls: bool) -> None:
    """Counted piece by piece: what Arrow says of a group that was taken at once, for every kind of column."""
    rows = [
        {
            "text": "é" * (row % 5),
            "long": "x" * row,
            "number": row,
            "real": 0.5,
            "flag": row % 2 == 0,
            "turns": [{"role": "user", "content": "y" * row}] * (row % 3),
        }
        for row in range(1003)
    ]
    if has_nulls:
        rows[7] = dict.fromkeys(KINDS.names)
    order = pa.array(range(1002, -1, -1), pa.int64())
    table = pa.Table.from_pylist(rows, KINDS).take(order)
    taken = TakenBytes()
    for start in range(0, 1003, 333):
        taken.add(Piece(0, table.slice(start, 333).take(pa.array(range(min(333, 1003 - start)), pa.int64()))))
    for name in KINDS.names:
        assert taken.of([name]) == table[name].nbytes
    few = table.take(pa.array([5, 1002 - 7], pa.int64()))
    taken.add(Piece(1, few))
    assert taken.of(KINDS.names) == table.nbytes + few.nbytes

"""Publishing: all or nothing, in an order that depends on nothing but the rows and the seed."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.support.runs.publications import ids, publication, samples
from tests.support.runs.samples import problem, response, verdict
from tests.support.runs.small_run import digests_of
from tracemill.core import (
    CorruptShardError,
    Dropped,
    Outcome,
    StoreError,
    Verdict,
    dropped_problem,
    json_text,
    table_of,
)
from tracemill.publish import Publication, Written, export, publish, published, shuffle
from tracemill.publish.directory.run_directory import Amount, RunDirectory, _HashingSink
from tracemill.runs import story
from tracemill.select import Sample
from tracemill.store import Shard, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def out(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "out"))


def test_rows_are_shuffled_whatever_their_shards(store: Store, out: Store, tmp_path: Path) -> None:
    """The same rows in other shards give the same order, which is not that of the sources; files are bounded."""
    rows = samples(25)
    manifest = publish(store, out, publication(store, [rows[:20], rows[20:]]))
    other = Store(str(tmp_path / "other"))
    publish(store, other, publication(store, [rows[:3], rows[3:9], rows[9:]]))
    assert ids(out) == ids(other)
    assert sorted(ids(out)) == sorted(row.id for row in rows)
    assert ids(out) != [row.id for row in rows]
    assert [entry["rows"] for name, entry in manifest["files"].items() if name.startswith("dataset/train")] == [
        10,
        10,
        5,
    ]


@pytest.mark.parametrize("shards", [[], [[]], [[], []]])
def test_an_empty_dataset_is_published(store: Store, out: Store, shards: list[list[Sample]]) -> None:
    """No row that passes is a result too: files with the schema and no rows."""
    publish(store, out, publication(store, shards))
    assert ids(out) == []
    assert published(out) is not None


def test_stale_files_are_removed(store: Store, out: Store) -> None:
    """Files of an earlier, larger publication do not stay behind."""
    publish(store, out, publication(store, [samples(25)]))
    publish(store, out, publication(store, [samples(5)], key="other"))
    assert [path.name for path in Path(out.path("dataset")).glob("*.parquet")] == ["train-00000-of-00001.parquet"]


def test_a_publication_that_fails_changes_nothing(store: Store, out: Store) -> None:
    """A version that cannot be written whole never stands: the one before it does, entire."""
    whole = publication(store, [samples(5)])
    before = publish(store, out, whole)
    missing = Shard(path="objects/00/none.parquet", rows=1, size=1, sha256="0")
    with pytest.raises(StoreError):
        publish(store, out, Publication(**{**vars(whole), "key": "new", "selected": [*whole.selected, missing]}))
    assert published(out) == before
    assert len(ids(out)) == 5


def test_a_damaged_publication_is_not_complete(store: Store, out: Store) -> None:
    """A directory that lost a file is published again."""
    publish(store, out, publication(store, [samples(5)]))
    for name in ("am.jsonl.zst", "current/report.html"):
        Path(out.path(name)).unlink()
        assert published(out) is None
        publish(store, out, publication(store, [samples(5)]))
        assert published(out) is not None


def test_publishing_twice_gives_the_same_bytes(store: Store, out: Store) -> None:
    """Equal publications are equal byte by byte."""
    publish(store, out, publication(store, [samples(12)]))
    first = digests_of(Path(out.path("")))
    publish(store, out, publication(store, [samples(12)]))
    assert digests_of(Path(out.path(""))) == first


def test_why_tells_the_row_from_its_prefix(store: Store, out: Store) -> None:
    """A published or dropped row is found by the beginning of its id; an unknown one is an error."""
    rows = samples(3)
    publish(store, out, publication(store, [rows]))
    run = Path(out.path(""))
    assert story(run, rows[0].id[:12])[0]["prompt"] == rows[0].prompt
    assert story(run, "gone")[0]["reason"] == "too_short"
    with pytest.raises(StoreError, match="no row"):
        story(run, "ffff0000ffff")
    with pytest.raises(StoreError, match="no finished run"):
        story(run / "nowhere", "x")


def test_why_finds_a_rewritten_row_by_its_former_id(store: Store, out: Store) -> None:
    """The id from before cleaning rewrote a problem leads to the row and its verdicts, and to a dropped row."""
    (row,) = samples(1)
    row = dataclasses.replace(row, info=json_text({"a": '"former_id":"no"', "former_id": "before1"}))
    gone = dropped_problem(problem("x", info={"former_id": "before2"}), "verify", "incorrect", {"n": 1})
    judged = dataclasses.replace(verdict(response(problem("p"), "r"), Outcome.CORRECT), problem_id=row.id)
    whole = publication(store, [[row]])
    tables = {
        "dropped": [store.write_table(table_of(Dropped, [gone]))],
        "verdicts": [store.write_table(table_of(Verdict, [judged]))],
    }
    publish(store, out, Publication(**{**vars(whole), **tables}))
    run = Path(out.path(""))
    assert [record["where"] for record in story(run, "before1")] == ["dataset", "verdicts"]
    assert story(run, "before1")[0]["id"] == row.id
    assert [record["reason"] for record in story(run, "before2")] == ["incorrect"]
    with pytest.raises(StoreError):
        story(run, "no")


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("held", [0, 1 << 40])
def test_bytes_do_not_depend_on_threads_or_memory(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_threads: int, held: int
) -> None:
    """However many threads write, and whether groups of rows fit into memory: the same bytes, and no file left."""
    rows = samples(2300)
    made = publication(store, [rows[:900], rows[900:1000], rows[1000:]], rows_per_file=1700)
    monkeypatch.setattr(shuffle, "GROUP_ROWS", 1000)
    publish(store, Store(str(tmp_path / "usual")), made)
    monkeypatch.setattr(export, "n_cores", lambda: n_threads)
    monkeypatch.setattr(shuffle, "HELD_BYTES", held)
    publish(store, Store(str(tmp_path / "out")), made)
    assert digests_of(tmp_path / "out") == digests_of(tmp_path / "usual")
    assert not list((tmp_path / "out/.tmp").iterdir())


def test_large_lines_are_compressed_by_many_threads(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above some size zstd divides its work: the bytes are the same for one thread and for many, and one stream."""
    chance = random.Random(0)  # noqa: S311 - texts, not secrets
    letters = bytes(b"abcdefgh"[number % 8] for number in range(256))
    texts = [chance.randbytes(20_000).translate(letters).decode() for _ in range(400)]
    rows = [dataclasses.replace(row, think=text) for row, text in zip(samples(400), texts, strict=True)]
    made = publication(store, [rows], rows_per_file=1000)
    publish(store, Store(str(tmp_path / "small")), made)
    monkeypatch.setattr(export, "DIVIDED_BYTES", 0)
    for n_threads in (1, 2, 8):
        monkeypatch.setattr(export, "n_cores", lambda n=n_threads: n)
        publish(store, Store(str(tmp_path / f"by {n_threads}")), made)
    files = [(tmp_path / name / "am.jsonl.zst").read_bytes() for name in ("by 1", "by 2", "by 8", "small")]
    assert files[0] == files[1] == files[2] != files[3]
    lines = [zstandard.ZstdDecompressor().decompressobj().decompress(file) for file in files]
    assert lines[0] == lines[3]
    assert lines[0].count(b"\n") == 400


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (999, 1), (1000, 1000), (2500,), (300, 800, 0, 1400, 77)])
@pytest.mark.parametrize("rows_per_file", [1, 400, 1000, 1300, 5000])
def test_files_are_those_of_whole_tables(tmp_path: Path, sizes: tuple[int, ...], rows_per_file: int) -> None:
    """Written a thousand rows at a time: byte for byte what Arrow writes of each file's rows at once."""
    if sum(sizes) // rows_per_file > 50:
        rows_per_file = 50
    schema = pa.schema([("id", pa.string()), ("text", pa.large_string())])
    tables = [
        pa.table({"id": [f"{number}/{row}" for row in range(n)], "text": ["x" * row for row in range(n)]}, schema)
        for number, n in enumerate(sizes)
    ]
    out = Store(str(tmp_path))
    n_rows = sum(sizes)
    RunDirectory(out).tables("rows", schema, iter(tables), Amount(n_rows, 1), rows_per_file)
    whole = pa.concat_tables([schema.empty_table(), *tables])
    files = sorted((tmp_path / "rows").iterdir())
    assert len(files) == max(1, -(-n_rows // rows_per_file))
    for number, path in enumerate(files):
        expected = io.BytesIO()
        with pq.ParquetWriter(expected, schema, compression="zstd") as writer:
            if n_rows:
                writer.write_table(whole.slice(number * rows_per_file, rows_per_file), row_group_size=1000)
        assert path.read_bytes() == expected.getvalue()


def test_more_rows_than_the_handles_say(tmp_path: Path) -> None:
    """A table that goes on after its last file is an error, not a loss."""
    table = pa.table({"id": ["a"] * 11})
    with pytest.raises(CorruptShardError, match="expected: 10 rows"):
        RunDirectory(Store(str(tmp_path))).tables("rows", table.schema, [table], Amount(10, 1), 10)


def test_how_far_it_is_is_told(store: Store, out: Store) -> None:
    """After every thousand rows of a table: rows of all tables, and a share that only grows, to its end."""
    rows = samples(2300)
    told: list[Written] = []
    publish(store, out, publication(store, [rows[:900], rows[900:]], rows_per_file=5000), told=told.append)
    assert [written.rows for written in told] == sorted(written.rows for written in told)
    assert [written.share for written in told] == sorted(written.share for written in told)
    assert len(told) >= 5
    assert {written.n_rows for written in told} == {2302}
    assert (told[-1].rows, round(told[-1].share, 9)) == (2302, 1)


class NoRoom(io.BytesIO):
    """A file on a full disk."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, f"No space left on device for {type(data).__name__}")


@pytest.mark.parametrize("name", ["dropped", "am.jsonl", "dataset"])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_what_fails_in_a_thread_fails_the_publication(
    store: Store, out: Store, monkeypatch: pytest.MonkeyPatch, name: str, n_threads: int
) -> None:
    """An error of whichever file is the publication's, what stood there stands, and the next run publishes."""
    before = publish(store, out, publication(store, [samples(5)]))
    large = publication(store, [samples(2300)], key="new", rows_per_file=300)
    monkeypatch.setattr(export, "n_cores", lambda: n_threads)
    opened = RunDirectory._file

    @contextlib.contextmanager
    def failing(directory: RunDirectory, called: str) -> Iterator[_HashingSink]:
        with opened(directory, called) as sink:
            if called.startswith(name):
                monkeypatch.setattr(sink, "_sink", NoRoom())
            yield sink

    with monkeypatch.context() as broken:
        broken.setattr(RunDirectory, "_file", failing)
        with pytest.raises(StoreError, match="No space left on device"):
            publish(store, out, large)
    assert published(out) == before
    assert not list(Path(out.path(".tmp")).iterdir())
    publish(store, out, large)
    assert len(ids(out)) == 2300

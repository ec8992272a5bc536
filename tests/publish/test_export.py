"""Publishing: all or nothing, in an order that depends on nothing but the rows and the seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.support.runs.publications import ids, publication, samples
from tests.support.runs.samples import problem, response, verdict
from tests.support.runs.small_run import digests_of
from tracemill.core import Dropped, Outcome, StoreError, Verdict, dropped_problem, json_text, table_of
from tracemill.publish import Publication, publish, published
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

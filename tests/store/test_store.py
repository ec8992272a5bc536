"""The store: atomic, content-addressed, and honest about what is missing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemill.core import ConservationError, CorruptShardError, StoreError
from tracemill.core.process_identity import process_name
from tracemill.store import Manifest, Store, stage_key


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def manifest_of(store: Store, table: pa.Table, **changes: object) -> Manifest:
    fields = {
        "stage": "clean",
        "version": "1",
        "key": "k",
        "inputs": {},
        "outputs": {"kept": store.write_table(table)},
        "rows_in": table.num_rows,
        "rows_kept": table.num_rows,
    }
    return Manifest(**(fields | changes))


TABLE = pa.table({"x": [1, 2, 3]})


def leftovers(store: Store) -> list[str]:
    return [path.name for path in Path(store.path(".tmp")).iterdir()]


def test_equal_tables_are_one_object(store: Store) -> None:
    """Equal tables have equal handles and are stored once."""
    assert store.write_table(TABLE) == store.write_table(pa.table({"x": [1, 2, 3]}))
    assert len(list(Path(store.path("objects")).rglob("*.parquet"))) == 1


def test_table_survives_the_round_trip(store: Store) -> None:
    """A stored table reads back equal."""
    assert store.read_table(store.write_table(TABLE)).equals(TABLE)


def test_store_can_be_moved(store: Store, tmp_path: Path) -> None:
    """Handles and identity hold after the folder was renamed."""
    shard, identity = store.write_table(TABLE), store.identity
    Path(store.path("")).rename(tmp_path / "elsewhere")
    moved = Store(str(tmp_path / "elsewhere"))
    assert moved.read_table(shard).equals(TABLE)
    assert moved.identity == identity


def test_two_stores_have_two_identities(tmp_path: Path) -> None:
    """Stores are told apart, so that cached results of one are never taken for the other's."""
    assert Store(str(tmp_path / "a")).identity != Store(str(tmp_path / "b")).identity


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"PAR1"), lambda path: path.unlink()])
def test_damaged_table_is_an_error(store: Store, damage: object) -> None:
    """Reading a table whose file is missing or changed raises CorruptShardError."""
    shard = store.write_table(TABLE)
    damage(Path(store.path(shard.path)))
    with pytest.raises(CorruptShardError, match="not what its manifest says"):
        store.read_table(shard)


def test_manifest_is_found_under_its_key(store: Store) -> None:
    """A committed manifest is found; another key finds nothing."""
    manifest = store.commit(manifest_of(store, TABLE))
    assert store.find("clean", "k") == manifest
    assert store.find("clean", "other") is None


def test_manifest_with_a_missing_output_is_not_found(store: Store) -> None:
    """Work whose result is gone is to be done again."""
    manifest = store.commit(manifest_of(store, TABLE))
    Path(store.path(manifest.outputs["kept"].path)).unlink()
    assert store.find("clean", "k") is None


def test_unaccounted_rows_are_refused(store: Store) -> None:
    """A manifest that loses a row is not written."""
    with pytest.raises(ConservationError, match="does not account for every row"):
        store.commit(manifest_of(store, TABLE, rows_in=4))
    assert store.find("clean", "k") is None


@given(st.integers(0, 50), st.dictionaries(st.text(min_size=1), st.integers(0, 50)), st.integers(-3, 3))
def test_conservation_is_exact(n_kept: int, dropped: dict[str, int], error: int) -> None:
    """Conservation holds exactly when the counts add up."""
    n_in = n_kept + sum(dropped.values()) + error
    manifest = Manifest(
        stage="s", version="1", key="k", inputs={}, outputs={}, rows_in=n_in, rows_kept=n_kept, dropped=dropped
    )
    if error:
        with pytest.raises(ConservationError):
            manifest.check_conservation()
    else:
        manifest.check_conservation()


def test_an_interrupted_write_leaves_nothing(store: Store) -> None:
    """A file appears whole or not at all, and its unfinished part is removed."""

    def interrupted() -> None:
        with store.open_atomic("x") as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not store.exists("x")
    assert leftovers(store) == []


def test_sweep_removes_what_dead_processes_left(store: Store) -> None:
    """Unfinished files of a process that is gone are removed, though its id is used again; a running one's are not."""
    store.write_bytes("x", b"")
    mine = process_name().replace("/", "@")
    host, pid, start, *namespace = mine.split("@")
    Path(store.path(f".tmp/{'@'.join([host, '999999999', start, *namespace])}-a")).touch()
    Path(store.path(f".tmp/{'@'.join([host, pid, '1', *namespace])}-b")).touch()
    Path(store.path(f".tmp/{mine}-c")).touch()
    assert store.sweep() == 2
    assert leftovers(store) == [f"{mine}-c"]


def test_a_file_is_created_once_where_there_are_no_links(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links does as well."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert [store.files.create("x", text) for text in (b"a", b"b")] == [True, False]
    assert store.read_bytes("x") == b"a"
    assert leftovers(store) == []


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    """A store below a plain file is refused with the path and a remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"(?s)cannot write .*file/store.*run\.store"):
        Store(str(tmp_path / "file" / "store")).prepare()


def test_full_disk_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left is a StoreError that says so and what is kept, and leaves no partial file."""

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"(?s)No space left.*free some space"):
        store.write_table(TABLE)
    assert leftovers(store) == []


def test_works_on_an_object_store() -> None:
    """The same tables and manifests work on a store that is no local folder."""
    store = Store("memory://bucket/prefix")
    manifest = store.commit(manifest_of(store, TABLE))
    assert store.find("clean", "k") == manifest
    assert store.read_table(manifest.outputs["kept"]).equals(TABLE)


def test_key_depends_on_each_part() -> None:
    """Stage, version, section and inputs all count in a cache key."""
    base = stage_key("clean", "1", "section", {"a": "x"})
    others = [
        stage_key("sign", "1", "section", {"a": "x"}),
        stage_key("clean", "2", "section", {"a": "x"}),
        stage_key("clean", "1", "other", {"a": "x"}),
        stage_key("clean", "1", "section", {"a": "y"}),
        stage_key("clean", "1", "section", {"b": "x"}),
    ]
    assert len({base, *others}) == 6

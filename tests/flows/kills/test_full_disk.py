"""Publishing on a disk that is full: at whatever moment that shows, the version before it stands, whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.runs.publications import ids, publication, samples
from tests.support.runs.small_disk import SmallDisk, small_disk
from tracemill.core import StoreError
from tracemill.publish import publish, published
from tracemill.publish.directory import run_directory
from tracemill.publish.directory.run_directory import _publish_in_place
from tracemill.publish.directory.versions import Versions
from tracemill.store import Store

pytestmark = pytest.mark.needs_mounts
MOST_INODES = 100_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 4) as made:
        yield made


def leave_inodes(disk: SmallDisk, n_free: int) -> None:
    """Links need no blocks on a tmpfs, but each an inode."""
    found = os.statvfs(disk.seen)
    disk.remount(f"nr_inodes={found.f_files - found.f_ffree + n_free}")


@pytest.mark.parametrize("n_free", range(4))
@pytest.mark.parametrize("moment", ["adopt", "switch", "prune"])
@pytest.mark.parametrize("in_place", [False, True])
def test_no_more_links(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, n_free: int, *, in_place: bool
) -> None:
    """Before the switch, in the middle of it, or while an older release's files are moved: what is shown is whole.

    The next run, with room again, ends it.
    """
    store, out = Store(str(tmp_path / "store")), Store(str(disk.seen / "out"))
    (_publish_in_place if in_place else publish)(store, out, publication(store, [samples(5)]))
    act: Callable[..., object] = getattr(Versions, moment)

    def full(*given: object) -> object:
        leave_inodes(disk, n_free)
        return act(*given)

    made = publication(store, [samples(8)], key="new")
    made.texts["new.html"] = "one more link"
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Versions, moment, full)
        with contextlib.suppress(StoreError):
            publish(store, out, made)
    standing = published(out)
    n_rows = len(ids(out))
    assert n_rows in {5, 8}
    assert standing is not None or in_place  # between two places some files of an older release are there by two names
    disk.remount(f"nr_inodes={MOST_INODES}")
    publish(store, out, made)
    assert (len(ids(out)), Versions(disk.seen / "out").numbers()) == (8, [1, 2])
    assert len(ids(Store(str(disk.seen / "out/versions/0001")))) == 5


@pytest.mark.parametrize("moment", ["_json", "tables", "text"])
def test_no_more_room(disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """A disk that fills up while files are written, or before the manifest, leaves the version before it."""
    store, out = Store(str(tmp_path / "store")), Store(str(disk.seen / "out"))
    before = publish(store, out, publication(store, [samples(5)]))
    where = run_directory if moment == "_json" else run_directory.RunDirectory
    act: Callable[..., object] = getattr(where, moment)

    def full(*given: object) -> object:
        disk.fill()
        return act(*given)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(where, moment, full)
        with pytest.raises(StoreError, match="No space left on device"):
            publish(store, out, publication(store, [samples(8)], key="new"))
    assert (published(out), len(ids(out))) == (before, 5)
    disk.empty()
    publish(store, out, publication(store, [samples(8)], key="new"))
    assert (len(ids(out)), Versions(disk.seen / "out").numbers()) == (8, [1, 2])

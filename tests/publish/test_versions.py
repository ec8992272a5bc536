"""Versions of a published run: each stays whole beside the others, and one takes another's place in one step."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.runs.publications import folder, ids, publication, samples
from tests.support.runs.small_run import digests_of
from tests.support.warm import start as programs
from tracemill.core import StoreError
from tracemill.publish import publish, published
from tracemill.publish.directory.run_directory import _publish_in_place
from tracemill.publish.directory.versions import Versions, held, listed, run_place
from tracemill.publish.manifest import MANIFEST
from tracemill.runs import diff
from tracemill.store import Store

FUNNEL = {"recipe": "r", "funnel": []}
# A process that publishes 25 rows under key "new", and kills itself at one of its calls.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.support.runs.publications import publication, samples
from tracemill.publish.directory import run_directory, versions
from tracemill.store.store import Store
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
where, what = sys.argv[1:]
module, name = {"switch": (versions.Versions, "switch"), "manifest": (run_directory, "_json"),
                "prune": (versions.Versions, "prune"), "text": (run_directory.RunDirectory, "text"),
                "rows": (run_directory.RunDirectory, "_count"), "4 files": (run_directory.RunDirectory, "_enter")}[what]
enter = run_directory.RunDirectory._enter
def die_of_four(directory, *entry):
    enter(directory, *entry)
    if len(directory.files) >= 4: die()
setattr(module, name, die_of_four if what == "4 files" else die)
store = Store(where + "/store")
run_directory.publish(store, Store(where + "/out"), publication(store, [samples(25)], key="new"))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def out(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "out"))


def test_a_new_version_stands_beside_the_old(store: Store, out: Store) -> None:
    """The newest is what the directory shows; the old one can be read and compared, and shares what did not change."""
    for n, key in ((5, "a"), (8, "b")):
        made = publication(store, [samples(n)], key=key)
        made.facts.update(FUNNEL)
        publish(store, out, made)
    run = folder(out)
    assert len(ids(out)) == 8
    found = diff(run_place(f"{run}@1"), run_place(f"{run}@2"))
    assert (found.rows_a, found.rows_b, found.added.rows, found.removed.rows) == (5, 8, 3, 0)
    assert diff(run / "versions/0001", run).added.rows == 3
    one, two = (next((run / f"versions/000{n}/dropped").glob("*.parquet")) for n in (1, 2))
    assert one.samefile(two)
    lines = list(listed(run))
    assert [line.split()[0] for line in lines] == [f"{run}@1", "*"]
    with pytest.raises(StoreError, match=r"no version 3(?s:.*)versions 1, 2"):
        run_place(f"{run}@3")


def test_old_versions_go(store: Store, out: Store) -> None:
    """So many versions stay as the recipe says, the newest ones; one that is made again takes its old place."""
    for n in range(1, 6):
        publish(store, out, publication(store, [samples(n)], key=str(n)))
    versions = Versions(folder(out))
    assert versions.numbers() == [3, 4, 5]
    assert publish(store, out, publication(store, [samples(4)], key="4"))["version"] == 4
    assert (versions.current(), len(ids(out))) == (4, 4)
    made = publication(store, [samples(7)], key="7")
    publish(store, out, type(made)(**{**vars(made), "keep": 1}))
    assert versions.numbers() == [6]


@pytest.mark.parametrize(("moment", "rows"), [("rows", 5), ("text", 5), ("manifest", 5), ("switch", 5), ("prune", 25)])
def test_a_kill_leaves_one_whole_version(store: Store, out: Store, tmp_path: Path, moment: str, rows: int) -> None:
    """SIGKILL while files are written, before the switch, or after it: what stands is whole; the next run ends it."""
    before = publish(store, out, publication(store, [samples(5)]))
    process = programs.script(KILLED, tmp_path, moment)
    assert process.communicate() == ("", "")
    assert process.returncode == -signal.SIGKILL
    standing = published(out)
    assert standing is not None
    assert (len(ids(out)), standing == before) == (rows, rows == 5)
    written = folder(out) / "versions/0002" / MANIFEST
    at = written.stat().st_mtime_ns if written.exists() else None
    assert (at is not None) == (moment in {"switch", "prune"})
    after = publish(store, out, publication(store, [samples(25)], key="new"))
    assert (after["version"], len(ids(out)), Versions(folder(out)).numbers()) == (2, 25, [1, 2])
    assert at in {None, written.stat().st_mtime_ns}
    out.sweep()
    assert not list((folder(out) / ".tmp").iterdir())


def killed(tmp_path: Path, moment: str) -> dict[str, tuple[int, int]]:
    """Publish 25 rows as version 1 and be killed; inode and time of the files that it has finished, by name."""
    process = programs.script(KILLED, tmp_path, moment)
    assert process.communicate() == ("", "")
    assert process.returncode == -signal.SIGKILL
    return finished_files(tmp_path / "out/versions/0001")


def finished_files(version: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the tables of a version, by name."""
    paths = [path for path in version.rglob("*") if path.suffix in {".parquet", ".zst"}]
    return {str(path.relative_to(version)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


@pytest.mark.parametrize(("moment", "least"), [("4 files", 3), ("text", 6)])
def test_what_a_killed_publication_has_finished_is_kept(
    store: Store, out: Store, tmp_path: Path, moment: str, least: int
) -> None:
    """The next one writes none of those files again, and what stands is what an undisturbed one has written."""
    before = killed(tmp_path, moment)
    assert len(before) >= least
    made = publication(store, [samples(25)], key="new")
    manifest = publish(store, out, made)
    after = finished_files(folder(out) / "versions/0001")
    assert {name: after[name] for name in before} == before
    assert manifest == publish(store, Store(str(tmp_path / "other")), made)
    assert digests_of(tmp_path / "out") == digests_of(tmp_path / "other")


@pytest.mark.parametrize("changed", ["bytes", "another file", "another publication"])
def test_what_has_changed_since_a_kill_is_not_gone_on_with(
    store: Store, out: Store, tmp_path: Path, changed: str
) -> None:
    """A file with other bytes of the same size, one that is nobody's, and what was to become something else."""
    name = next(name for name in killed(tmp_path, "text") if name.startswith("verdicts/"))
    path = tmp_path / "out/versions/0001" / name
    if changed == "bytes":
        path.write_bytes(bytes(reversed(path.read_bytes())))
    if changed == "another file":
        path.with_name("mine").write_text("mine")
    made = publication(store, [samples(25)], key="other" if changed == "another publication" else "new")
    manifest = publish(store, out, made)
    assert manifest["version"] == (1 if changed == "another publication" else 2)
    assert path.exists()
    assert manifest["files"] == publish(store, Store(str(tmp_path / "other")), made)["files"]


def test_readers_see_one_version(store: Store, out: Store) -> None:
    """While versions take each other's place, whoever follows the link finds all files of one of them."""
    made = [publication(store, [samples(n)], key=str(n)) for n in (5, 25)]
    publish(store, out, made[0])
    stop = threading.Event()

    def switch() -> None:
        while not stop.is_set():
            for each in reversed(made):
                publish(store, out, each)

    switching = threading.Thread(target=switch)
    switching.start()
    seen = set()
    try:
        while len(seen) < 2:
            place = (folder(out) / "dataset").resolve()
            files = [pq.read_table(path).num_rows for path in place.glob("*.parquet")]
            seen.add((len(files), sum(files)))
            assert published(out) is not None
    finally:
        stop.set()
        switching.join()
    assert seen == {(1, 5), (3, 25)}


@pytest.mark.parametrize("moved", [(), ("dataset",), ("dataset", "am.jsonl.zst", "dropped", "verdicts", "report.html")])
def test_a_directory_without_versions_gets_them(store: Store, out: Store, moved: tuple[str, ...]) -> None:
    """What an earlier release published in place becomes version 1, also where that was killed on its way."""
    _publish_in_place(store, out, publication(store, [samples(5)]))
    run = folder(out)
    if moved:
        (run / "versions/0001").mkdir(parents=True)
        (run / "current").symlink_to("versions/0001")
    for name in moved:
        (run / name).rename(run / "versions/0001" / name)
    publish(store, out, publication(store, [samples(8)], key="new"))
    assert len(ids(out)) == 8
    assert len(ids(Store(str(run / "versions/0001")))) == 5
    assert all((run / name).is_symlink() for name in ("dataset", "dropped", "manifest.json", "report.html"))


def test_what_was_half_written_in_place_makes_way(store: Store, out: Store) -> None:
    """Files without a manifest are no version: the new one takes their place."""
    _publish_in_place(store, out, publication(store, [samples(5)]))
    out.remove(MANIFEST)
    publish(store, out, publication(store, [samples(8)], key="new"))
    assert (len(ids(out)), Versions(folder(out)).numbers()) == (8, [1])


def test_without_links_it_is_published_in_place(store: Store, out: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there can be no links, files are replaced, stale ones removed, and the manifest comes last."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for n, key in ((25, "a"), (5, "b")):
        assert publish(store, out, publication(store, [samples(n)], key=key))["key"] == key
    standing = published(out)
    assert standing is not None
    assert [name for name in standing["files"] if name.startswith("dataset/t")] == [
        "dataset/train-00000-of-00001.parquet"
    ]
    assert not (folder(out) / "versions").exists()


def test_a_copied_directory_is_whole(store: Store, out: Store, tmp_path: Path) -> None:
    """The links are relative: a run's directory can be moved, and copied with or without them."""
    publish(store, out, publication(store, [samples(5)]))
    shutil.copytree(folder(out), tmp_path / "with", symlinks=True)
    shutil.copytree(folder(out) / "current/", tmp_path / "without")
    folder(out).rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "with", tmp_path / "followed")
    for name in ("with", "without", "moved", "followed"):
        copy = Store(str(tmp_path / name))
        assert published(copy) is not None
        publish(store, copy, publication(store, [samples(8)], key="new"))
        assert len(ids(copy)) == 8


def test_whoever_comes_second_waits(tmp_path: Path) -> None:
    """A lock of a run's directory is held by one at a time, tells who holds it, and goes with its process."""
    told: list[str] = []
    second = threading.Event()

    def come_second() -> None:
        with held(tmp_path, "refreshing", lambda holder: (told.append(holder), second.set())):  # type: ignore[func-returns-value]
            told.append("mine")

    with held(tmp_path, "refreshing"):
        waiting = threading.Thread(target=come_second)
        waiting.start()
        assert second.wait(60)
        assert told == [f"process {os.getpid()} on {os.uname().nodename}"]
    waiting.join(60)
    assert told[1:] == ["mine"]
    holder = (
        "import os, signal, sys; from pathlib import Path; from tracemill.publish.directory.versions import held\n"
        "with held(Path(sys.argv[1]), 'refreshing'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    programs.script(holder, tmp_path).communicate()
    with held(tmp_path, "refreshing", told.append):
        assert told[1:] == ["mine"]


def test_what_an_older_release_has_published_is_known(store: Store, out: Store) -> None:
    """Its manifests do not tell their own digest: they stand, they are taken further, and they go when they are old."""
    for n in range(1, 3):
        publish(store, out, publication(store, [samples(n)], key=str(n)))
        path = folder(out) / f"versions/000{n}" / MANIFEST
        facts = {name: value for name, value in json.loads(path.read_bytes()).items() if name != "manifest_sha256"}
        path.write_text(json.dumps(facts, indent=1))
    standing = published(out)
    assert (standing and standing["key"]) == "2"
    for n in range(3, 6):
        publish(store, out, publication(store, [samples(n)], key=str(n)))
    assert (len(ids(out)), Versions(folder(out)).numbers()) == (5, [3, 4, 5])

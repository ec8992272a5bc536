"""Publishing without versions, on object stores and disks without links: only what was written here is replaced."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import fsspec
import pytest

from tests.support.runs.publications import MANIFESTS, OUTPUT, publication, samples
from tracemill.core import StoreError, json_text
from tracemill.publish import Publication, publish, published, refuse_foreign
from tracemill.publish.directory import run_directory
from tracemill.publish.manifest import MANIFEST
from tracemill.store import Store, objects
from tracemill.store.objects import ObjectFiles


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture(params=["memory", "no links"])
def out(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run's directory that is written in place."""
    if request.param == "memory":
        fsspec.filesystem("memory").rm("/", recursive=True)
        return Store(f"memory://bucket/{tmp_path.name}")

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    return Store(str(tmp_path / "out"))


def n_rows(out: Store) -> int:
    """Of what stands; -1 where nothing does."""
    standing = published(out)
    return -1 if standing is None else standing["files"]["am.jsonl.zst"]["rows"]


def test_one_takes_the_place_of_another(store: Store, out: Store) -> None:
    """Larger and smaller ones; what has other names, and what was there before, stays."""
    for name in ("rows.jsonl", "notes/a.txt", "datasets/x", "dataset.jsonl"):
        out.write_bytes(name, b"mine")
    for n, key in ((25, "a"), (5, "b"), (12, "c")):
        refuse_foreign(out, OUTPUT)
        publish(store, out, publication(store, [samples(n)], key=key))
        assert n_rows(out) == n
    assert not out.exists("dataset/train-00002-of-00003.parquet")
    assert out.exists("dataset/train-00001-of-00002.parquet")
    assert {out.read_bytes(name) for name in ("rows.jsonl", "notes/a.txt", "datasets/x", "dataset.jsonl")} == {b"mine"}


@pytest.mark.parametrize(
    "name",
    [
        "dataset/rows.jsonl",
        "dataset/train-00000-of-00001.parquet",
        "verdicts/a/b",
        "report.html",
        "am.jsonl.zst",
        ".written.json",
    ],
)
@pytest.mark.parametrize("stands", [False, True])
def test_what_is_somebodys_is_refused_and_stays(store: Store, out: Store, name: str, stands: bool) -> None:
    """Beside a publication or without one: it is named before a run, and never replaced."""
    if stands:
        publish(store, out, publication(store, [samples(12)]))
    name = name.replace("train-00000-of-00001", "train-00000-of-00003")
    out.write_bytes(name, b"mine")
    with pytest.raises(StoreError, match=name.partition("/")[0]) as refused:
        refuse_foreign(out, OUTPUT)
    assert name in str(refused.value) or not stands
    with contextlib.suppress(StoreError):  # a file of a name that it does not write is none of its business
        publish(store, out, publication(store, [samples(25)], key="new"))
    assert out.read_bytes(name) == b"mine"


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=list(MANIFESTS))
def test_another_manifest_is_refused_and_stays(store: Store, out: Store, manifest: object) -> None:
    """Of any shape."""
    data = json_text(manifest).encode()
    out.write_bytes(MANIFEST, data)
    assert published(out) is None
    with pytest.raises(StoreError, match=r"got: manifest\.json"):
        publish(store, out, publication(store, [samples(2)]))
    assert out.read_bytes(MANIFEST) == data


@pytest.mark.parametrize("name", ["report.html", "dataset/README.md", MANIFEST])
@pytest.mark.parametrize("is_same_size", [False, True])
def test_what_was_edited_is_refused_and_stays(store: Store, out: Store, name: str, is_same_size: bool) -> None:
    """There is nowhere to keep it beside its successor, so it has none until somebody has decided."""
    publish(store, out, publication(store, [samples(3)]))
    data = out.read_bytes(name)
    edited = data.replace(b"c", b"k").replace(b"p", b"q") if is_same_size else data + b" "
    if name == MANIFEST:
        edited = (
            edited.replace(b'"key": "k"', b'"key": "j"') if is_same_size else data.replace(b"{", b'{"note": "mine",', 1)
        )
    assert edited != data
    out.write_bytes(name, edited)
    for act in (
        lambda: refuse_foreign(out, OUTPUT),
        lambda: publish(store, out, publication(store, [samples(4)], key="new")),
    ):
        with pytest.raises(StoreError, match=name):
            act()
    assert out.read_bytes(name) == edited
    out.write_bytes(name, data)
    publish(store, out, publication(store, [samples(4)], key="new"))
    assert n_rows(out) == 4


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("moment", ["text", "_json", "forget_others"])
def test_one_that_was_crashed_is_ended(
    store: Store, out: Store, monkeypatch: pytest.MonkeyPatch, moment: str, first: bool
) -> None:
    """Whatever a killed process has left is known by its record, and the next run ends it; the rest is not ours."""
    if not first:
        publish(store, out, publication(store, [samples(25)]))
    out.write_bytes("rows.jsonl", b"mine")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    where = {"text": run_directory.RunDirectory, "_json": run_directory, "forget_others": run_directory.Record}[moment]
    with monkeypatch.context() as broken:
        broken.setattr(where, moment, die)
        with pytest.raises(KeyboardInterrupt):
            publish(store, out, publication(store, [samples(12)], key="new"))
    assert n_rows(out) == (12 if moment == "forget_others" else -1)
    refuse_foreign(out, OUTPUT)
    out.write_bytes("dataset/mine.parquet", b"mine")
    with pytest.raises(StoreError, match=r"dataset/mine\.parquet"):
        refuse_foreign(out, OUTPUT)
    out.remove("dataset/mine.parquet")
    publish(store, out, publication(store, [samples(5)], key="newer"))
    assert n_rows(out) == 5
    assert not out.exists("dataset/train-00000-of-00003.parquet")
    assert out.read_bytes("rows.jsonl") == b"mine"


def test_what_appears_in_the_meantime(store: Store, out: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is put where the next would go while others are written is not replaced."""
    wrote = run_directory.RunDirectory.text

    def put(directory: run_directory.RunDirectory, name: str, text: str) -> None:
        out.write_bytes("report.html", b"mine")
        wrote(directory, name, text)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(run_directory.RunDirectory, "text", put)
        with pytest.raises(StoreError, match=r"report\.html has appeared"):
            publish(store, out, publication(store, [samples(3)]))
    assert out.read_bytes("report.html") == b"mine"


def test_an_empty_one_is_refused_before_anything_is_written(store: Store, out: Store) -> None:
    """What stands has rows and stays; where somebody has said that it may, it goes."""
    publish(store, out, publication(store, [samples(3)]))
    empty: Publication = publication(store, [], key="empty")
    with pytest.raises(StoreError, match=r"got: 0 rows\n.*which stands: 3 rows"):
        publish(store, out, empty, may_empty=False)
    assert n_rows(out) == 3
    publish(store, out, empty)
    assert n_rows(out) == 0


@pytest.mark.parametrize(("modified_s", "is_read"), [(5.0, False), (9.0, True), (11.0, True), (0.0, True)])
def test_nothing_is_read_of_what_was_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch, modified_s: float, is_read: bool
) -> None:
    """An object that is older than its manifest by the store's clock is not read; any other is."""
    fsspec.filesystem("memory").rm("/", recursive=True)
    out = Store("memory://bucket/out")
    publish(store, out, publication(store, [samples(3)]))
    asked: list[str] = []
    read = ObjectFiles.read
    monkeypatch.setattr(objects, "_modified_s", lambda info: 9.0 if info["name"].endswith(MANIFEST) else modified_s)
    monkeypatch.setattr(ObjectFiles, "read", lambda files, *given: (asked.append(given[0]), read(files, *given))[1])
    refuse_foreign(out, OUTPUT)
    assert ({"am.jsonl.zst", "report.html"} <= set(asked)) == is_read
    assert set(asked) - {MANIFEST, ".written.json"} == set() or is_read


def test_on_s3(store: Store, bucket: str, tmp_path: Path) -> None:
    """The same holds on S3: what is somebody's, and what was edited, is named and stays; the rest is replaced."""
    out = Store(f"{bucket}/runs/{tmp_path.name}")
    out.write_bytes("rows.jsonl", b"mine")
    publish(store, out, publication(store, [samples(12)]))
    publish(store, out, publication(store, [samples(5)], key="new"))
    refuse_foreign(out, OUTPUT)
    page = out.read_bytes("report.html")
    out.write_bytes("report.html", page.upper())
    out.write_bytes("verdicts/x", b"mine")
    with pytest.raises(StoreError, match=r"report\.html \(changed\), verdicts/x \(not of a publication\)"):
        refuse_foreign(out, OUTPUT)
    out.remove("verdicts/x")
    with pytest.raises(StoreError, match=r"report\.html \(changed\)"):
        publish(store, out, publication(store, [samples(2)], key="newer"))
    assert (out.read_bytes("report.html"), out.read_bytes("rows.jsonl"), n_rows(out)) == (page.upper(), b"mine", 5)
    assert not out.exists("dataset/train-00001-of-00002.parquet")

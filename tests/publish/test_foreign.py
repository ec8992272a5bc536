"""What is in a run's directory and no publication has written: refused by name before anything is run, untouched."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.publications import MANIFESTS, OUTPUT, folder, ids, publication, samples, snapshot, write
from tracemill.audit.publication import AUDIT
from tracemill.core import StoreError
from tracemill.publish import publish, published, refuse_foreign
from tracemill.publish.directory.run_directory import _publish_in_place
from tracemill.publish.directory.versions import Versions
from tracemill.publish.manifest import MANIFEST
from tracemill.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def out(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "out"))


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


# What somebody has put there -> how the refusal calls it.
FOREIGN: list[tuple[str, Callable[[Path], object], str]] = [
    ("a source in dataset/", lambda out: write(out / "dataset/rows.jsonl"), "dataset/"),
    ("a file dataset", lambda out: write(out / "dataset"), "dataset"),
    ("an empty folder", lambda out: (out / "dataset").mkdir(parents=True), "dataset/"),
    ("a folder in dataset/", lambda out: (out / "dataset/raw").mkdir(parents=True), "dataset/"),
    ("dataset elsewhere", lambda out: link(out / "dataset", "../elsewhere"), "dataset -> ../elsewhere"),
    ("dataset to nowhere", lambda out: link(out / "dataset", "/no/where"), "dataset -> /no/where"),
    ("a link of ours under another name", lambda out: link(out / "dataset", "current/dropped"), "dataset -> "),
    ("verdicts", lambda out: write(out / "verdicts/v.csv"), "verdicts/"),
    ("traces", lambda out: write(out / "traces/t.json"), "traces/"),
    ("grey", lambda out: write(out / "grey"), "grey"),
    ("a hidden file", lambda out: write(out / "dropped/.keep"), "dropped/"),
    ("a page", lambda out: write(out / "report.html", "<html>"), "report.html"),
    ("a compressed file", lambda out: write(out / "am.jsonl.zst"), "am.jsonl.zst"),
    ("a folder am.jsonl.zst", lambda out: write(out / "am.jsonl.zst/x"), "am.jsonl.zst/"),
    ("decontamination.json", lambda out: write(out / "decontamination.json", "{}"), "decontamination.json"),
    ("a folder current", lambda out: write(out / "current/app.py"), "current/"),
    ("a file current", lambda out: write(out / "current"), "current"),
    ("current of other releases", lambda out: link(out / "current", "releases/0001"), "current -> releases/0001"),
    ("current elsewhere", lambda out: link(out / "current", "/srv/versions/0001"), "current -> /srv/versions/0001"),
    ("a version", lambda out: write(out / "versions/0001/app.py"), "versions/0001"),
    (
        "a version and current",
        lambda out: (write(out / "versions/0001/x"), link(out / "current", "versions/0001")),
        "0001",
    ),
    ("a version with a manifest", lambda out: write(out / "versions/0001/manifest.json", "{}"), "versions/0001"),
    ("a file as version", lambda out: write(out / "versions/0001"), "versions/0001"),
    ("a link as version", lambda out: link(out / "versions/0001", "../.."), "versions/0001"),
    ("a file versions", lambda out: write(out / "versions"), "versions"),
    ("a link as lock", lambda out: link(out / "versions/.publishing.lock", "../notes"), "versions/.publishing.lock"),
    ("a folder manifest.json", lambda out: write(out / "manifest.json/x"), "manifest.json/"),
    ("a pipe manifest.json", lambda out: (out.mkdir(), os.mkfifo(out / "manifest.json")), "manifest.json"),
    ("a link manifest.json", lambda out: link(out / "manifest.json", "package.json"), "manifest.json -> package.json"),
    ("a file .tmp", lambda out: write(out / ".tmp"), ".tmp"),
    ("the directory a file", write, "no folder"),
    ("the directory a link to nowhere", lambda out: link(out, "no/where"), "no folder"),
]


@pytest.mark.parametrize(("put", "named"), [row[1:] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_what_is_somebodys_is_refused_and_stays(
    store: Store, out: Store, put: Callable[[Path], object], named: str
) -> None:
    """Whatever stands where a publication would go is named, with the remedy, before a run and by publishing itself."""
    root = folder(out)
    put(root)
    before = snapshot(root.parent)
    with pytest.raises(StoreError) as refused:
        refuse_foreign(out, OUTPUT)
    assert named in str(refused.value).partition("got: ")[2]
    assert "another place with --out" in str(refused.value)
    assert snapshot(root.parent) == before
    with pytest.raises(StoreError):
        publish(
            store,
            out,
            dataclasses.replace(
                publication(store, [samples(3)]),
                beside={"traces": [], "grey": []},
                texts=dict.fromkeys(("report.html", "decontamination.json"), "x"),
            ),
        )
    kept = {name: what for name, what in snapshot(root.parent).items() if name in before}
    assert kept == before


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=list(MANIFESTS))
def test_another_manifest_is_refused_and_stays(store: Store, out: Store, manifest: Any) -> None:
    """A ``manifest.json`` of any shape that is not ours is no publication, no other error, and not replaced."""
    text = json.dumps(manifest)
    write(folder(out) / MANIFEST, text)
    assert published(out) is None
    for act in (lambda: refuse_foreign(out, OUTPUT), lambda: publish(store, out, publication(store, [samples(3)]))):
        with pytest.raises(StoreError, match=r"got: manifest\.json"):
            act()
    assert (folder(out) / MANIFEST).read_text() == text


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"#!/bin/sh\n"])
def test_no_json_is_refused_and_stays(out: Store, data: bytes) -> None:
    """So is one that is no JSON, or nested without end."""
    folder(out).mkdir()
    (folder(out) / MANIFEST).write_bytes(data)
    assert published(out) is None
    with pytest.raises(StoreError, match=r"got: manifest\.json"):
        refuse_foreign(out, OUTPUT)


def harmless(root: Path) -> None:
    """Entries with which no publication has anything to do."""
    for name in ("rows.jsonl", "notes/a.txt", ".git/config", ".env", "README.md", "versions/notes.txt", "versions/²/x"):
        write(root / name)
    for name in ("versions/7/x", "versions/00007/x", ".tmp/mine-1", "datasets/x", ".dataset-0123/x"):
        write(root / name)
    link(root / ".hidden", "notes")
    link(root / f".dataset-{'0' * 32}", "notes/a.txt")
    link(root / "latest", "current/dataset")
    link(root / "mine", "current/mine")


def test_what_is_in_nobodys_way_stays(store: Store, out: Store) -> None:
    """Files, folders and links with other names do no harm and come to none: not by publishing again and again."""
    root = folder(out)
    harmless(root)
    before = snapshot(root)
    refuse_foreign(out, OUTPUT)
    for n in range(1, 6):
        publish(store, out, publication(store, [samples(n)], key=str(n)))
    assert (len(ids(out)), Versions(root).numbers()) == (5, [3, 4, 5])
    after = snapshot(root)
    assert {name: after[name] for name in before} == before
    assert (root / ".tmp/mine-1").read_text() == "mine"
    refuse_foreign(out, OUTPUT)


def test_the_directory_may_be_a_link(store: Store, out: Store, tmp_path: Path) -> None:
    """A link to a folder is that folder."""
    (tmp_path / "disk").mkdir()
    folder(out).symlink_to("disk")
    refuse_foreign(out, OUTPUT)
    publish(store, out, publication(store, [samples(2)]))
    refuse_foreign(out, OUTPUT)
    assert len(ids(Store(str(tmp_path / "disk")))) == 2


@pytest.mark.parametrize("inside", ["versions/0001", "current", "versions/0001/dataset", "current/new/place"])
def test_a_version_is_no_place_for_a_run(store: Store, out: Store, inside: str) -> None:
    """Nothing is published in a version of another run, under whatever name."""
    publish(store, out, publication(store, [samples(2)]))
    before = snapshot(folder(out))
    other = Store(f"{folder(out)}/{inside}")
    with pytest.raises(StoreError, match="a version of the run in"):
        publish(store, other, publication(store, [samples(3)], key="new"))
    assert snapshot(folder(out)) == before


def test_no_kind_takes_anothers_place(store: Store, out: Store) -> None:
    """An audit is not published over the dataset that it is of, nor a dataset over an audit."""
    made = publication(store, [samples(2)])
    made.facts["funnel"] = []
    publish(store, out, made)
    with pytest.raises(StoreError, match=r"got: dataset (?s:.*)expected: audit"):
        refuse_foreign(out, AUDIT)
    refuse_foreign(out, OUTPUT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset/README.md", "card by hand"),
        ("dataset/README.md", "CARD"),
        ("report.html", "PAGE"),
        ("dataset/notes.md", "a file more"),
        ("manifest.json", None),
        ("am.jsonl.zst", ""),
    ],
)
def test_an_edited_version_is_kept(
    store: Store, out: Store, name: str, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A version in which somebody has changed or added a file, of the same size or not, stays, and is named."""
    root = folder(out)
    publish(store, out, publication(store, [samples(1)], key="1"))
    path = root / name
    edited = path.read_text().replace('"key": "1"', '"key": "2", "note": "mine"') if text is None else text
    path.write_text(edited)
    with caplog.at_level(logging.WARNING):
        for n in range(2, 7):
            publish(store, out, publication(store, [samples(n)], key=f"v{n}"))
    assert len(ids(out)) == 6
    assert (root / "versions/0001" / name).read_text() == edited
    assert [number for number in Versions(root).numbers() if number > 1] == [4, 5, 6]
    assert "versions/0001 is kept" in caplog.text
    assert name in caplog.text
    refuse_foreign(out, OUTPUT)


def test_an_edited_version_does_not_come_back(store: Store, out: Store) -> None:
    """What stands again is what was published, not what somebody has made of it; that stays beside it."""
    root = folder(out)
    for key, n in (("a", 2), ("b", 3)):
        publish(store, out, publication(store, [samples(n)], key=key))
    (root / "versions/0001/report.html").write_text("PAGE")
    manifest = publish(store, out, publication(store, [samples(2)], key="a"))
    assert ((root / "report.html").read_text(), manifest["version"]) == ("page", 3)
    assert (root / "versions/0001/report.html").read_text() == "PAGE"


def test_an_edited_table_is_not_published_again(store: Store, out: Store) -> None:
    """Two versions share a table only if it still has the bytes that were published; they never share a text."""
    root = folder(out)
    publish(store, out, publication(store, [samples(2)], key="a"))
    (path,) = (root / "dropped").resolve().glob("*.parquet")
    data = path.read_bytes()
    path.write_bytes(b"x" * len(data))
    publish(store, out, publication(store, [samples(3)], key="b"))
    (new,) = (root / "dropped").resolve().glob("*.parquet")
    assert (new.read_bytes(), path.read_bytes()) == (data, b"x" * len(data))
    publish(store, out, publication(store, [samples(4)], key="c"))
    third = root / "versions/0003"
    assert next((third / "dropped").glob("*.parquet")).samefile(new)
    assert not (third / "report.html").samefile(root / "versions/0002/report.html")
    assert new.stat().st_mode & 0o222 == 0


def test_a_link_that_became_a_file_is_somebodys(store: Store, out: Store) -> None:
    """``sed -i`` on a link leaves a file: that is refused, whether it has changed anything or not."""
    root = folder(out)
    publish(store, out, publication(store, [samples(2)], key="a"))
    for name in ("report.html", "manifest.json", "am.jsonl.zst"):
        data = (root / name).read_bytes()
        (root / name).unlink()
        (root / name).write_bytes(data)
        with pytest.raises(StoreError, match=f"got: {name}"):
            publish(store, out, publication(store, [samples(3)], key="b"))
        (root / name).unlink()
        (root / name).symlink_to(f"current/{name}")
    publish(store, out, publication(store, [samples(3)], key="b"))


@pytest.mark.parametrize(
    "name",
    ["dataset/rows.jsonl", "verdicts/.keep", "dropped/sub/x", "dataset/a\n\x1b[1mb", "dataset/\udcff", "dataset/数"],
)
def test_a_file_beside_what_was_written_in_place(store: Store, out: Store, name: str) -> None:
    """What somebody has put into a folder of an older release's publication is named, and not moved with it."""
    _publish_in_place(store, out, publication(store, [samples(2)]))
    write(folder(out) / name)
    before = snapshot(folder(out))
    with pytest.raises(StoreError) as refused:
        publish(store, out, publication(store, [samples(3)], key="new"))
    assert (name if name.isprintable() else ascii(name)) in str(refused.value)
    assert str(refused.value).encode()
    assert {key: value for key, value in snapshot(folder(out)).items() if key in before} == before


def test_what_was_edited_in_place_becomes_a_version(store: Store, out: Store) -> None:
    """A file of it that was edited goes into version 1 as it is, and stays there."""
    _publish_in_place(store, out, publication(store, [samples(1)]))
    write(folder(out) / "report.html", "by hand")
    for n in range(2, 6):
        publish(store, out, publication(store, [samples(n)], key=str(n)))
    assert (folder(out) / "versions/0001/report.html").read_text() == "by hand"
    assert len(ids(out)) == 5


def test_what_no_run_of_this_release_left_half_written(store: Store, out: Store) -> None:
    """Files without manifest and record may be anybody's."""
    _publish_in_place(store, out, publication(store, [samples(5)]))
    for name in (MANIFEST, ".written.json"):
        out.remove(name)
    with pytest.raises(StoreError, match=r"got: am\.jsonl\.zst, dataset/, dropped/"):
        refuse_foreign(out, OUTPUT)


def test_a_version_that_was_never_finished(store: Store, out: Store) -> None:
    """What a killed process left of a version is known by its record; with anything else in it, it stays."""
    root = folder(out)
    publish(store, out, publication(store, [samples(2)]))
    broken = Store(f"{root}/versions/0002")
    _publish_in_place(store, broken, publication(store, [samples(3)], key="b"))
    (root / "versions/0002" / MANIFEST).unlink()
    shutil.copytree(root / "versions/0002", root / "versions/0003")
    write(root / "versions/0003/mine.txt")
    (root / "versions/0004").mkdir()
    refuse_foreign(out, OUTPUT)
    publish(store, out, publication(store, [samples(4)], key="c"))
    assert (root / "versions/0003/mine.txt").read_text() == "mine"
    assert (root / "versions/0003/report.html").read_text() == "page"
    assert len(ids(out)) == 4


def test_what_appears_in_the_meantime(store: Store, out: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something put there while files are written stays, and the version before stands; the run can be repeated."""
    root = folder(out)
    publish(store, out, publication(store, [samples(2)]))
    (root / "report.html").unlink()
    made = publication(store, [samples(3)], key="new")
    wrote = type(made).write
    monkeypatch.setattr(type(made), "write", lambda *given: (wrote(*given), write(root / "report.html"))[0])
    with pytest.raises(StoreError, match=r"got: report\.html"):
        publish(store, out, made)
    monkeypatch.undo()
    assert ((root / "report.html").read_text(), len(ids(out))) == ("mine", 2)
    (root / "report.html").unlink()
    assert (publish(store, out, made)["version"], len(ids(out))) == (2, 3)

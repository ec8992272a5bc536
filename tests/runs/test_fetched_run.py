"""A finished run on an object store, as the commands on runs read it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tracemill.cli.main import main
from tracemill.core import CorruptShardError, StoreError
from tracemill.publish import publish
from tracemill.publish.directory.run_directory import RunDirectory
from tracemill.runs.fetch import run_folder
from tracemill.store import Store


class Texts:
    """A publication of two texts."""

    key = "k"
    facts: Mapping[str, Any] = {"audit": "x"}

    def write(self, store: Store, directory: RunDirectory) -> None:
        del store
        directory.text("summary.json", '{"rows": 1}')
        directory.text("dataset/README.md", "# card")


@pytest.fixture
def out(bucket: str) -> Store:
    store = Store(f"{bucket}/runs/x")
    publish(store, store, Texts())
    return store


def test_a_folder_stays_as_it_is(tmp_path: Path) -> None:
    """A run in a folder is read where it is."""
    assert run_folder(str(tmp_path)) == tmp_path


def test_a_run_is_fetched_once(out: Store, tmp_path: Path) -> None:
    """All files that the manifest names are there, with the manifest; the next call finds them."""
    folder = run_folder(out.url, tmp_path)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "manifest.json",
        "summary.json",
        "dataset/README.md",
    }
    assert (folder / "dataset/README.md").read_text() == "# card"
    before = (folder / "summary.json").stat().st_mtime_ns
    assert run_folder(out.url + "/", tmp_path) == folder
    assert (folder / "summary.json").stat().st_mtime_ns == before


def test_a_damaged_file_is_named(out: Store, tmp_path: Path) -> None:
    """An object with other bytes than the manifest says is an error, and is not taken for fetched."""
    out.write_bytes("summary.json", b'{"rows": 2}')
    for _ in range(2):
        with pytest.raises(CorruptShardError, match=f"{out.url}/summary.json is not what"):
            run_folder(out.url, tmp_path)


def test_a_run_that_is_not_finished_is_named(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no manifest is, the URL is named, also by the commands."""
    with pytest.raises(StoreError, match=f"no finished run at {bucket}/none"):
        run_folder(f"{bucket}/none")
    monkeypatch.setattr(sys, "argv", ["tracemill", "report", f"{bucket}/none"])
    assert main() == 1
    assert f"no finished run at {bucket}/none" in capsys.readouterr().err

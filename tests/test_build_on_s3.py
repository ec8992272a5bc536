"""Builds whose store is an object store: the same dataset as in a folder, and everything found again."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chat_server import ChatServer
from killed_run import finish
from small_run import SmallRun, digests_of, question

from tracemill.store_objects import ObjectFiles

if TYPE_CHECKING:
    from flows.build_dataset import Built

pytestmark = pytest.mark.usefixtures("prefect_flows")


def fetched(url: str, target: Path) -> Path:
    """A copy of everything below a URL."""
    files = ObjectFiles(url)
    for found in files.listing(""):
        (target / found.name).parent.mkdir(parents=True, exist_ok=True)
        (target / found.name).write_bytes(files.read(found.name))
    return target


def build(run: SmallRun, out: str) -> Built:
    from flows.build_dataset import build_dataset

    run.write()
    built: Built = build_dataset(str(run.recipe_path), out=out)
    return built


def test_a_store_on_s3_gives_the_same_bytes(bucket: str, tmp_path: Path) -> None:
    """A build with its store on S3 publishes the very files that one in a folder does, to a folder and to S3.

    Another process then finds everything finished, also where Prefect has forgotten its results, and sends nothing.
    """
    with ChatServer() as teacher:
        local = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(24)])
        local.build()
        n_asked = teacher.completed
        on_s3 = dataclasses.replace(
            local, sections={"run": {"store": f"{bucket}/store", "ledger": str(tmp_path / "l")}}
        )
        first = build(on_s3, str(tmp_path / "from-s3"))
        assert first.n_cached == 0
        assert teacher.completed == 2 * n_asked
        assert digests_of(tmp_path / "from-s3") == digests_of(local.out)

        again = build(on_s3, f"{bucket}/out")
        assert again.n_executed == 1  # the export, which is elsewhere
        assert digests_of(fetched(f"{bucket}/out", tmp_path / "fetched")) == digests_of(local.out)
        assert build(on_s3, f"{bucket}/out").n_executed == 0

        shutil.rmtree(tmp_path / "prefect-results")
        shutil.rmtree(local.out)
        shutil.copytree(tmp_path / "from-s3", local.out)
        finish(on_s3)
        assert "everything was cached" in (on_s3.folder / "build.log").read_text()
        assert teacher.completed == 2 * n_asked

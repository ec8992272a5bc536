"""Refresh: what is new becomes a new version beside the old; nothing new says so; two never overlap."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flows.refresh_dataset import refresh_dataset
from tests.support.runs.killed_run import PATIENCE_S, end, launch
from tests.support.runs.small_run import SmallRun, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.publish.directory.versions import Versions, held, run_place
from tracemill.runs import diff

pytestmark = pytest.mark.usefixtures("prefect_flows")


def test_a_refresh_says_what_it_found(tmp_path: Path) -> None:
    """Nothing new is Completed with that message; new rows are a new version, beside the one that stood."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(8)])
        first = run.refresh()
        n_rows = table(run.out, "dataset").num_rows
        assert first.note == f"{run.out}, version 1, {n_rows} rows (the first)"
        state = refresh_dataset(str(run.recipe_path), out=str(run.out), return_state=True)
        assert (state.name, state.message) == (
            "Completed",
            f"nothing new: {run.out}, version 1, {n_rows} rows, as before",
        )
        same = run.refresh()
        assert (same.n_executed, same.manifest, same.note) == (0, first.manifest, state.message)
        asked = teacher.completed
        run.rows += [question(n) for n in range(20, 23)]
        grown = run.refresh()
        assert grown.note == f"{run.out}, version 2, {n_rows + 3} rows (before: {n_rows})"
        assert teacher.completed == asked + 3
        found = diff(run_place(f"{run.out}@1"), run_place(f"{run.out}@2"))
        assert (found.rows_a, found.added.rows, found.removed.rows, found.changed.rows) == (n_rows, 3, 0, 0)
        assert found.added.why == {"not in its sources": 3}


def test_a_second_refresh_waits(tmp_path: Path) -> None:
    """On one machine a refresh waits for another one of the same directory, says so, and then goes on."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(5)])
        run.write()
        with held(run.out, "refreshing"):
            second = launch(tmp_path, "flows.refresh_dataset", str(run.recipe_path), "--out", str(run.out))
            deadline = time.monotonic() + PATIENCE_S
            while "is under way (process" not in (tmp_path / "build.log").read_text():
                assert second.poll() is None, (tmp_path / "build.log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert teacher.received == 0
        end(second, tmp_path)
    assert Versions(run.out).numbers() == [1]

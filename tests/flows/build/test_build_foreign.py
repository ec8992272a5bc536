"""Flows into a directory that holds what is not theirs: refused before the first task, before anything is paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.build_dataset import build_dataset
from flows.check_references import check_references
from flows.refresh_dataset import refresh_dataset
from flows.verify_dataset import verify_dataset
from tests.support.runs import small_run
from tests.support.runs.publications import snapshot, write
from tests.support.runs.small_run import SmallRun, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.audit.publication import AUDIT, REFERENCES
from tracemill.core import StoreError
from tracemill.publish import dataset_output
from tracemill.publish.directory.versions import Versions
from tracemill.publish.manifest import MANIFEST, tops


def settings(run: SmallRun) -> list[str]:
    return [f"run.store={run.folder / 'store'}", "verify.workers=1"]


FLOWS: dict[str, Callable[[SmallRun, Path], Any]] = {
    "build": lambda run, out: build_dataset(str(run.recipe_path), out=str(out)),
    "refresh": lambda run, out: refresh_dataset(str(run.recipe_path), out=str(out)),
    "check": lambda run, out: check_references(str(run.recipe_path), out=str(out)),
    "audit": lambda run, out: verify_dataset(str(run.folder / "traced.jsonl"), overrides=settings(run), out=str(out)),
}
PLAIN: dict[str, Callable[[SmallRun, Path], Any]] = {
    "build": SmallRun.build,
    "refresh": lambda run, _: run.refresh(),
    "check": SmallRun.check,
    "audit": lambda run, out: small_run.audit(run.folder / "traced.jsonl", out, settings(run)),
}


def n_tasks(since: datetime) -> int:
    """Task runs that have started; those of other tests may be recorded later."""
    started = {"task_runs": {"start_time": {"after_": since.isoformat()}}}
    with get_client(sync_client=True) as client:
        found: int = client.request("POST", "/task_runs/count", json=started).json()
    return found


@pytest.mark.usefixtures("prefect_flows")
@pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))
def test_a_flow_is_refused_before_its_first_task(tmp_path: Path, flow: Callable[[SmallRun, Path], Any]) -> None:
    """Everything in the directory is as it was, no lock among it; no task has run, no store was made, nobody asked."""
    with ChatServer() as teacher:
        run = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(3)])
        run.write()
        for name in ("dropped/mine.csv", "report.html", "rows.jsonl"):
            write(run.out / name)
        before, began = snapshot(run.folder), datetime.now(UTC)
        with pytest.raises(StoreError, match=r"got: dropped/, report\.html\n"):
            flow(run, run.out)
        assert (snapshot(run.folder), n_tasks(began), teacher.received) == (before, 0, 0)
        assert sorted(path.name for path in run.out.iterdir()) == ["dropped", "report.html", "rows.jsonl"]
        assert not (run.folder / "store").exists()


def test_flows_write_what_they_say(tmp_path: Path) -> None:
    """What is looked for before a run are the files and folders that it publishes."""
    with ChatServer(wrong_percent=0) as teacher:
        sections = {"select": {"preferences": 1, "rejected": True}}
        run = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(3)], sections=sections)
        run.write()
        beside = ["traces", "grey", "preferences", "rejected"]
        for name, output in {"build": dataset_output(beside), "audit": AUDIT, "check": REFERENCES}.items():
            out = tmp_path / name
            PLAIN[name](run, out)
            assert set(tops(json.loads((out / MANIFEST).read_bytes())["files"])) == output.names | {MANIFEST}
        for other in ("audit", "check"):
            with pytest.raises(StoreError, match="got: dataset "):
                PLAIN[other](run, tmp_path / "build")


def test_a_source_is_none_of_what_it_makes(tmp_path: Path) -> None:
    """A source or benchmark that is read from what the run publishes is named, and nothing is run."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(3)])
        run.build()
        before = snapshot(run.out)
        for path in (
            "out/am.jsonl.zst",
            "out/current/am.jsonl.zst",
            "out/versions/0001/am*",
            "../run/out/am.jsonl.zst",
        ):
            source = {"name": "own", "path": path, "layout": "am"}
            run.sections = {"sources": [*SmallRun(tmp_path, teacher.url).recipe()["sources"], source]}
            with pytest.raises(StoreError, match="own is read from"):
                run.build()
        assert snapshot(run.out) == before


@pytest.mark.parametrize("flow", ["build", "refresh"])
def test_no_rows_take_no_rows_place(tmp_path: Path, flow: str) -> None:
    """A version with rows stands until the recipe says that one without may take its place: what stands is named."""
    with ChatServer(wrong_percent=0) as teacher, ChatServer(wrong_percent=100, models=("wrong",)) as wrong:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(4)])
        run.build()
        n_rows = table(run.out, "dataset").num_rows
        before = snapshot(run.out)
        run.model, run.teacher_url, run.sections = "wrong", wrong.url, {"distill": {"reuse_traces": False}}
        run.sections["distill"] |= run.recipe()["distill"]
        run.write()
        with pytest.raises(StoreError, match=rf"got: 0 rows\n.*stands: {n_rows} rows\n.*export.allow_empty: true"):
            PLAIN[flow](run, run.out)
        assert snapshot(run.out) == before
        run.sections |= {"export": {"allow_empty": True}}
        run.write()
        PLAIN[flow](run, run.out)
        assert (table(run.out, "dataset").num_rows, Versions(run.out).numbers()) == (0, [1, 2])

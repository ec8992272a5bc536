"""The edges of the DAG as Prefect's server has them: every task waits for what made its inputs, across subflows too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort

from flows.build_dataset import build_dataset
from tests.support.runs.held_source import HeldSource, n_curated
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer

pytestmark = pytest.mark.usefixtures("prefect_flows")

ROOT = Path(__file__).parents[3]
RECORDED_S = 120.0  # the server records task runs after they have run


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


class Recorded:
    """What the server knows of the newest run of ``build-dataset`` and its subflows.

    Args:
        n_tasks: that it has run; they and the export are waited for.
    """

    def __init__(self, client: SyncPrefectClient, n_tasks: int) -> None:
        newest = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=50)
        self.run = next(run for run in newest if run.name.startswith("build "))
        deadline = time.monotonic() + RECORDED_S
        while True:
            self.tasks = self._tasks(client)
            ended = [task for task in self.tasks if task.state and task.state.is_completed()]
            if (len(ended) >= n_tasks and self.named("export")) or time.monotonic() > deadline:
                break
            time.sleep(1)
        assert len(ended) >= n_tasks, f"{len(ended)} of {n_tasks} task runs recorded"
        self.graph: dict[str, Any] = client.request("GET", f"/flow_runs/{self.run.id}/graph-v2").json()

    def _tasks(self, client: SyncPrefectClient) -> list[TaskRun]:
        mine = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[self.run.id]))
        parents = client.read_task_runs(task_run_filter=mine)
        runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=50)
        self.blocks = [run for run in runs if run.parent_task_run_id in {task.id for task in parents}]
        dummies = {run.parent_task_run_id for run in self.blocks}
        found = [task for task in parents if task.id not in dummies]
        for block in self.blocks:
            inside = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[block.id]))
            found += client.read_task_runs(task_run_filter=inside)
        return found

    def upstream(self, task: TaskRun) -> set[UUID]:
        """The runs that a task waited for."""
        return {one.id for inputs in task.task_inputs.values() for one in inputs if hasattr(one, "id")}

    def named(self, name: str) -> list[TaskRun]:
        """The tasks of a stage."""
        return [task for task in self.tasks if task.name.split(" ")[0] == name]

    def block(self, phase: str) -> list[FlowRun]:
        """The subflows of a phase."""
        return [run for run in self.blocks if run.name.startswith(f"{phase} ")]

    def drawn(self) -> dict[str, set[str]]:
        """The run's own page: what each node comes after, by label."""
        nodes = {node["id"]: node for _, node in self.graph["nodes"]}
        return {
            node["label"].partition(" / ")[2] or node["label"]: {
                nodes[parent["id"]]["label"].partition(" / ")[2] or nodes[parent["id"]]["label"]
                for parent in node["parents"]
            }
            for node in nodes.values()
        }


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


def test_every_task_waits_for_what_made_its_inputs(
    teacher: ChatServer, client: SyncPrefectClient, tmp_path: Path
) -> None:
    """Shard by shard within a block, from block to block, and through the clustering in between."""
    rows = [question(number) for number in range(60)]
    run = SmallRun(tmp_path, teacher.url, rows=rows, sections={"run": {"shards_per_flow": 2, "workers": 3}})
    built = run.build_by_flow()
    seen = Recorded(client, built.n_executed)
    by_id = {task.id: task for task in seen.tasks}

    def sources(task: TaskRun) -> set[str]:
        return {by_id[one].name for one in seen.upstream(task) if one in by_id}

    for label in ("00001-rows", "00003-rows"):
        (collect,) = [task for task in seen.named("collect") if task.name.endswith(label)]
        (clean,) = [task for task in seen.named("clean") if task.name.endswith(label)]
        (dropped,) = [task for task in seen.named("drop_duplicates") if task.name.endswith(label)]
        (selected,) = [task for task in seen.named("select") if task.name.endswith(label)]
        assert sources(collect) == {"snapshot rows"}
        assert sources(clean) == {f"collect {label}"}
        assert sources(dropped) == {f"clean {label}", "deduplicate batch 0"}
        assert {f"quality {label}", f"distill {label}", f"verify {label}"} <= sources(selected)
        assert all(name.endswith(label) for name in sources(selected))
    (clustering,) = seen.named("deduplicate")
    assert seen.upstream(clustering) == {block.id for block in seen.block("curate")}
    (export,) = seen.named("export")
    assert {block.id for block in seen.block("distill")} <= seen.upstream(export)


def test_edges_while_a_source_is_read(
    teacher: ChatServer, client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards that are curated while their source is read hang on the task that reads it, as do their blocks.

    The blocks have the names of all their shards in the end, and no source is read before the one before it.
    """
    rows = [question(number) for number in range(200)]
    how = {"shards_per_flow": 4, "workers": 3, "runner": {"kind": "threads"}}
    run = SmallRun(tmp_path, teacher.url, rows=rows, sections={"run": how})
    HeldSource("rows", lambda: n_curated(run) >= 2).take_effect(monkeypatch)
    built = run.build_by_flow()
    seen = Recorded(client, built.n_executed)
    by_id = {task.id: task.name for task in seen.tasks}
    snapshots = {task.name: task for task in seen.named("snapshot")}
    assert {by_id[one] for one in seen.upstream(snapshots["snapshot rows"])} == {"snapshot traced"}
    for collect in seen.named("collect"):
        source = collect.name.rpartition("-")[2]
        assert {by_id[one] for one in seen.upstream(collect)} == {f"snapshot {source}"}
    drawn = {name: after for name, after in seen.drawn().items() if name.startswith("curate ")}
    names = ["00000-traced to 00003-rows", "00004-rows to 00007-rows", "00008-rows to 00010-rows"]
    assert sorted(block.name for block in seen.block("curate")) == [f"curate {name}" for name in names]
    assert all(after == set(snapshots) for after in drawn.values())
    (first,) = [block for block in seen.block("curate") if "00000" in block.name]
    assert {"curate", "traced", "rows"} <= set(first.tags)


def test_the_page_of_a_run_shows_the_dag(teacher: ChatServer, client: SyncPrefectClient, tmp_path: Path) -> None:
    """Sources, blocks, clustering and export are drawn as one connected graph, also where the run was cached.

    A source whose files are as they were is not read again, so that then the curation comes first.
    """
    run = SmallRun(tmp_path, teacher.url, sections={"run": {"show_cached": 5}})
    for begins_with in ("snapshot", "curate"):
        built = run.build_by_flow()
        drawn = Recorded(client, built.n_executed).drawn()
        assert {name.split(" ")[0] for name in drawn if not drawn[name]} == {begins_with, "benchmarks"}
        after = {name.split(" ")[0]: {one.split(" ")[0] for one in drawn[name]} for name in drawn}
        assert after["deduplicate"] == {"curate"}
        assert "deduplicate" in after["prepare"]
        assert "prepare" in after["distill"]
        assert "distill" in after["export"]


def test_most_tasks_of_the_demo_have_an_edge(
    teacher: ChatServer, client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least 80 % of the demo's task runs wait for another; those that do not read files."""
    monkeypatch.chdir(ROOT)
    overrides = [
        f"distill.teacher.base_urls=[{teacher.url}]",
        "distill.teacher.model=demo",
        f"run.store={tmp_path}/store",
    ]
    built = build_dataset("recipes/demo.yaml", overrides=overrides, out=str(tmp_path / "out"))
    seen = Recorded(client, built.n_executed)
    alone = [task.name for task in seen.tasks if not seen.upstream(task)]
    assert len(alone) <= 0.2 * len(seen.tasks), alone
    assert {name.split(" ")[0] for name in alone} == {"snapshot", "benchmarks"}


def test_a_run_without_prefect_makes_the_same_bytes(teacher: ChatServer, tmp_path: Path) -> None:
    """The same functions without a server: every published file is the same, and so is the count of tasks."""
    shown = SmallRun(tmp_path / "shown", teacher.url)
    built = shown.build_by_flow()
    plain = SmallRun(tmp_path / "plain", teacher.url)
    alone = plain.build()
    files = [
        {name: digest for name, digest in run.digests().items() if name.endswith((".parquet", ".zst"))}
        for run in (shown, plain)
    ]
    assert files[0] == files[1] != {}
    assert (alone.n_executed, alone.n_cached) == (built.n_executed, built.n_cached)

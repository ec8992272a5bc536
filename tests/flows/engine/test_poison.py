"""Poison rows: one row on which a stage crashes costs itself alone, and is tried again when the code has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import Task
from prefect.client.orchestration import get_client

import flows.engine.poison
import tasks.decontaminate
import tasks.distill
import tasks.engine.quarantine
import tasks.label
import tasks.quality
import tasks.select
import tasks.verify
import tracemill.audit.rows
import tracemill.clean.clean
import tracemill.dedup.minhash
import tracemill.sources.collect
from flows.engine.failures import ShardsFailedError
from tasks.engine import poison
from tasks.engine.poison import allowed, belongs_to_a_row, describe_error, guilty
from tasks.engine.stage import body_of, perform
from tasks.label import Measure, label_shard
from tests.support.runs.audited_set import PLANTED, write
from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, audit, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import Problem, ServerUnavailableError, StageCrashedError, StoreError, table_of
from tracemill.publish.funnel import DROP_STAGES
from tracemill.store import Store

SHARE = 0.01
# Where a row breaks a stage: module, function, number of the row, its stage in the funnel, the task.
PLANTED_BUGS = [
    (tracemill.sources.collect, "_problem", 10, "collect", "collect"),
    (tracemill.clean.clean, "question", 11, "clean", "clean"),
    (tracemill.dedup.minhash, "sketches", 12, "deduplicate", "sign"),
    (tasks.decontaminate, "decontaminate", 13, "decontaminate", "decontaminate"),
    (tasks.label, "language", 14, "label", "label"),
    (tasks.distill, "source_traces", 15, "distill", "reuse"),
    (tasks.distill, "build_request", 16, "distill", "distill"),
    (tasks.verify, "attempt_of", 17, "verify", "verify"),
    (tasks.quality, "fault_of", 18, "quality", "quality"),
    (tasks.select, "select", 19, "quality", "select"),
]


def breaking(on: Callable[[str], bool], call: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which raises where an argument says something."""

    def broken(*arguments: Any, **named: Any) -> Any:
        for argument in arguments:
            text = str(argument.to_pylist()) if isinstance(argument, pa.Table | pa.ChunkedArray) else str(argument)
            if on(text):
                raise KeyError("no such thing")
        return call(*arguments, **named)

    return broken


def plant(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int) -> None:
    """A bug that one row of the small run brings out."""
    monkeypatch.setattr(module, name, breaking(lambda text: f"Note {number} " in text, getattr(module, name)))


def other_code(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    """As if the code had been changed."""
    for module in (poison, tasks.engine.quarantine, flows.engine.poison):
        monkeypatch.setattr(module, "code_digest", lambda: digest)


def tables(key: str) -> list[dict[str, Any]]:
    """Rows of the newest table artifact of a key."""
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
    newest = next(artifact.data for artifact in found if artifact.key == key)
    rows: list[dict[str, Any]] = json.loads(str(newest))
    return rows


def test_a_row_that_breaks_a_stage_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten stages crash on a row each: ten rows are dropped with what and where; mended, nothing shows of it."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path / "run", teacher.url)
        with monkeypatch.context() as bugs:
            for module, name, number, _, _ in PLANTED_BUGS:
                plant(bugs, module, name, number)
            built = run.build()
            counts = funnel(built)
            dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "poison"]
            found = {row["row"]: (row["stage"], json.loads(row["evidence"])) for row in dropped}
            assert {row: (stage, seen["task"]) for row, (stage, seen) in found.items()} == {
                number: (stage, task) for _, _, number, stage, task in PLANTED_BUGS
            }
            for number, (_, seen) in found.items():
                assert seen["error"] == "KeyError: 'no such thing'"
                assert seen["where"].startswith("broken (test_poison.py:")
                assert f"Note {number} " in seen["excerpt"]
            assert counts["source/rows"] == 62 == sum(counts.values()) - 62
            assert run.build().n_executed == 0
            stands = run.refresh()
            assert (stands.n_executed, stands.manifest["poison"]["n"]) == (0, 10)
        asked = teacher.completed
        other_code(monkeypatch, "mended")
        mended = run.refresh()
        assert not any(key.endswith("/poison") for key in funnel(mended))
        assert "poison" not in mended.manifest
        assert teacher.completed <= asked + 10
        rows = table(run.out, "dataset").sort_by("id")
        whole = SmallRun(tmp_path / "whole", teacher.url)
        whole.build()
        assert rows == table(whole.out, "dataset").sort_by("id")


@pytest.mark.usefixtures("prefect_flows")
def test_poison_is_shown_where_the_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by the flow: a table of the phase names the rows, and Prefect's cache knows them for finished."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(20)])
        for module, name, number, _, _ in PLANTED_BUGS:
            plant(monkeypatch, module, name, number)
        counts = funnel(run.build_by_flow())
        assert sum(n for key, n in counts.items() if key.endswith("/poison")) == len(PLANTED_BUGS)
        assert {row["row"] for row in tables("poison-distill")} == {15, 16, 17, 18, 19}
        assert run.build_by_flow().n_executed == 0


@pytest.mark.usefixtures("prefect_flows")
def test_above_the_share_the_task_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more rows break a stage than may be set aside, its shard fails, and names rows and command."""
    with ChatServer(wrong_percent=0) as teacher:
        run = SmallRun(tmp_path, teacher.url, rows=[question(n) for n in range(20, 40)])
        bug = breaking(lambda text: "Note 3" in text, tasks.label.language)
        monkeypatch.setattr(tasks.label, "language", bug)
        with pytest.raises(ShardsFailedError) as failed:
            run.build_by_flow()
        told_of = str(failed.value)
        assert "stage label crashed on 4 or more of 20 rows" in told_of
        assert "at most 3, which run.poison_share lets be set aside" in told_of
        assert told_of.count("\n  row: problem ") == 4
        assert "KeyError: 'no such thing'" in told_of
        assert "python -m tasks.reproduce label " in told_of
        run.sections["run"] = run.recipe()["run"] | {"poison_share": 0.6}
        assert funnel(run.build())["label/poison"] == 10


@pytest.mark.parametrize(
    ("module", "name", "marks"),
    [
        (tracemill.sources.collect, "_problem", "What is 7 plus 7?"),
        (tracemill.audit.rows, "source_traces", "What is 7 plus 7?"),
        (tasks.verify, "attempt_of", "What is 7 plus 7?"),
        (tracemill.audit.rows, "_audited", "What is 7 plus 7?"),
    ],
)
def test_audits_account_for_poison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, marks: str
) -> None:
    """An audit judges the other rows, and counts the one that breaks a stage among those that could not be read."""
    path = write(tmp_path)
    settings = [f"run.store={tmp_path / 'store'}", "collect.shard_rows=7", "verify.workers=1"]
    before = audit(path, tmp_path / "before", settings).summary
    settings[0] = f"run.store={tmp_path / 'other'}"
    monkeypatch.setattr(module, name, breaking(lambda text: marks in text, getattr(module, name)))
    after = audit(path, tmp_path / "after", settings).summary
    assert after["rows"] == before["rows"] == len(PLANTED) + 2
    n_poison = after["reasons"]["unreadable"]["poison"]
    assert n_poison >= 1
    assert after["unreadable"] == before["unreadable"] + n_poison
    assert after["correct"] + after["incorrect"] == before["correct"] + before["incorrect"] - n_poison


def labelled(store: Store, n_rows: int, share: float) -> Any:
    """A stage on some problems, without Prefect."""
    problems = [problem(f"Tell me {number}.") for number in range(n_rows)]
    return perform(label_shard, store, Measure(), {"problems": store.write_table(table_of(Problem, problems))}, share)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "no space left on device"),
        MemoryError(),
        StoreError("gone"),
        ServerUnavailableError("away"),
        BrokenExecutor("a worker died"),
        ConnectionResetError(),
        EOFError(),
        RuntimeError("can't start new thread"),
    ],
)
def test_the_world_outside_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A failure of the infrastructure, also as the cause of another error, fails the task and drops nothing."""
    wrapped = ValueError("because of something else")
    wrapped.__cause__ = error
    assert not belongs_to_a_row(error)
    assert not belongs_to_a_row(wrapped)

    def fail(prompt: str) -> str:
        if prompt == "Tell me 3.":
            raise error
        return "en"

    monkeypatch.setattr(tasks.label, "language", fail)
    with pytest.raises(type(error)):
        labelled(Store(str(tmp_path)), 10, SHARE)


@pytest.mark.parametrize(
    ("n_rows", "share", "most"),
    [(1000, 0.01, 10), (1000, 0.0, 0), (20, 0.01, 3), (4, 0.01, 2), (2, 0.01, 1), (1, 0.01, 1), (10, 1.0, 10)],
)
def test_how_many_may_be_set_aside(n_rows: int, share: float, most: int) -> None:
    """A share of the rows; of few rows a few, and never more than half of several."""
    assert allowed(n_rows, share) == most


@given(st.integers(1, 200), st.sets(st.integers(0, 199), max_size=12), st.integers(1, 12))
def test_the_guilty_are_found(n_rows: int, bad: set[int], most: int) -> None:
    """Exactly the bad rows are found where there are not too many, and else one more than may be."""
    bad &= set(range(n_rows))
    tries = 0

    def failure(rows: Sequence[int]) -> Exception | None:
        nonlocal tries
        tries += 1
        return ValueError(str(rows)) if bad & set(rows) else None

    first = failure(range(n_rows))
    if first is None:
        return
    found = guilty(range(n_rows), failure, first, most)
    assert set(found) <= bad
    assert len(found) == min(len(bad), most + 1)
    assert tries <= 1 + 2 * (most + 1) * n_rows.bit_length()


def test_rows_that_fail_only_together_are_nobodys_fault() -> None:
    """Where the work crashes on all rows and on no half of them, no row is blamed."""
    assert guilty(range(8), lambda rows: ValueError() if len(rows) == 8 else None, ValueError(), 3) == {}


def test_addresses_are_no_evidence() -> None:
    """What is published of an error is the same in every run: no address in memory, and a function of ours."""

    def fail() -> None:
        raise ValueError("<object at 0x7f00aa12bc>")

    with pytest.raises(ValueError, match="object at") as caught:
        fail()
    found = describe_error(caught.value)
    assert found["error"] == "ValueError: <object at 0x…>"
    assert found["where"].startswith("fail (test_poison.py:")


def test_a_stage_that_always_breaks_off_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every row breaks a stage it is the stage; with a share of 0 the first row is enough, with its own error."""

    def fail(_: str) -> str:
        raise KeyError("no such thing")

    monkeypatch.setattr(tasks.label, "language", fail)
    with pytest.raises(StageCrashedError, match="2 or more of 3 rows"):
        labelled(Store(str(tmp_path)), 3, SHARE)
    with pytest.raises(KeyError):
        labelled(Store(str(tmp_path)), 3, 0.0)


def test_every_stage_with_rows_has_its_place_in_the_funnel() -> None:
    """Whatever stage sets a row aside, the funnel shows it, or it is one of an audit."""
    from importlib import import_module
    from pkgutil import iter_modules

    import tasks as package

    modules = [import_module(f"tasks.{found.name}") for found in iter_modules(package.__path__)]
    found = [made for module in modules for made in vars(module).values() if isinstance(made, Task)]
    stages = {task.name for task in found if "body" in vars(task.fn) and body_of(task).per_row is not None}
    assert stages >= {"collect", "clean", "sign", "distill", "verify", "safety", "select", "audit"}
    assert {tasks.engine.quarantine._STAGES.get(name, name) for name in stages - {"set_aside"}} <= {
        *DROP_STAGES,
        "audit",
    }

"""Which machines tasks run on: what a recipe may say, what is asked of workers, what travels to them."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows.engine import runners
from flows.engine.blocks import run_block
from flows.engine.progress import Progress
from flows.engine.runners import check_cluster, everywhere, mismatches, result_of, shard_tasks
from tasks.distill import distill_shard
from tasks.engine.worker_check import WorkerInfo, inspect_worker
from tasks.verify import verify_shard
from tests.support.warm import start as programs
from tracemill.core import LedgerError, RecipeError, RunnerError
from tracemill.recipe import parse_recipe
from tracemill.recipe.recipe import Run
from tracemill.recipe.sections.run import Runner
from tracemill.store import Manifest, Store

RAW = {"name": "r", "sources": [{"name": "a", "path": "a.jsonl"}], "distill": {"teacher": {"model": "m"}}}
OWN = WorkerInfo(
    worker="here, process 1", versions="Python 3.11.7, Prefect 3.8.8", code="ab" * 32, store="s1", server=""
)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run.runner.kind=slurm"], r"run\.runner\.kind: got 'slurm'; .*'processes', 'dask' or 'ray'"),
        (["run.runner.kind=dask"], r"kind: dask needs the address .*tcp://host:8786"),
        (["run.runner.kind=ray"], r"kind: ray needs the address .*or auto"),
        (["run.runner.address=tcp://host:8786"], r"an address is of a cluster: say kind"),
        (["run.runner.adress=tcp://host:8786"], r"run\.runner\.adress: unknown key; did you mean address\?"),
    ],
)
def test_wrong_runners_are_refused(overrides: list[str], message: str) -> None:
    """A runner that makes no sense is refused before anything runs."""
    with pytest.raises(RecipeError, match=message):
        parse_recipe(RAW, overrides)


def test_where_tasks_run_is_in_no_digest() -> None:
    """A cluster changes no key."""
    elsewhere = parse_recipe(RAW, ["run.runner.kind=dask", "run.runner.address=tcp://h:1"])
    assert elsewhere.run.runner.is_cluster
    assert elsewhere.digest() == parse_recipe(RAW, []).digest()


def test_threads_are_the_default() -> None:
    """Without a runner, shard tasks run in run.workers threads."""
    runner = shard_tasks(Run(workers=3))
    assert isinstance(runner, ThreadPoolTaskRunner)
    assert runner._max_workers == 3


def test_places_are_absolute_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are named from the root, since workers stand elsewhere; URLs stay, and so does what is not given."""
    monkeypatch.chdir(tmp_path)
    recipe = parse_recipe(RAW, ["run.store=s"])
    assert everywhere(recipe).run.store == str(tmp_path / "s")
    assert everywhere(recipe).run.ledger is None
    remote = parse_recipe(RAW, ["run.store=s3://bucket/s", "run.ledger=led"])
    assert (everywhere(remote).run.store, everywhere(remote).run.ledger) == ("s3://bucket/s", str(tmp_path / "led"))
    assert everywhere(recipe).digest() == recipe.digest()


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_missing_integration_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without prefect-dask or prefect-ray the error says how to install it."""
    monkeypatch.setitem(sys.modules, f"prefect_{kind}", None)
    run = Run(runner=Runner.model_validate({"kind": kind, "address": "x:1"}))
    with pytest.raises(RunnerError, match=rf"(?s)needs prefect-{kind}.*make scale-out"):
        shard_tasks(run)


def test_a_cluster_needs_a_server_that_goes_on(tmp_path: Path) -> None:
    """Workers cannot report to a server that lives in the flow's own process."""
    run = Run(runner=Runner(kind="dask", address="tcp://127.0.0.1:1"))
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(RunnerError, match=r"(?s)PREFECT_API_URL.*make ui"):
        check_cluster(run, Store(str(tmp_path)), logging.getLogger())


@pytest.mark.needs_scale_out
def test_a_cluster_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no scheduler listens, the error says so, and what to do."""
    monkeypatch.setattr(runners, "_CONNECT_S", 1)
    run = Run(runner=Runner(kind="dask", address="tcp://127.0.0.1:9"))
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(RunnerError, match=r"(?s)no Dask cluster at tcp://127\.0\.0\.1:9.*docs/scaling\.md"),
    ):
        check_cluster(run, Store(str(tmp_path)), logging.getLogger())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"code": "cd" * 32}, "other code of tracemill: cdcdcdcdcdcd, here abababababab"),
        (
            {"versions": "Python 3.12.1, Prefect 3.8.8"},
            "other versions: Python 3.12.1, Prefect 3.8.8, here",
        ),
        ({"store": "no such store there"}, "another store: no such store there, here s1"),
        ({"server": "ConnectError: refused"}, "no Prefect server: ConnectError: refused"),
    ],
)
def test_unfit_workers_are_found(changes: dict[str, str], fault: str) -> None:
    """A worker with other code, another store or no server is named with what differs; a fit one is not."""
    faults = mismatches({"w1": OWN, "w2": replace(OWN, worker="there, process 2", **changes)}, OWN)
    assert len(faults) == 1
    assert faults[0].startswith("w2: there, process 2: ")
    assert fault in faults[0]


def test_workers_that_cannot_look_are_unfit() -> None:
    """A worker that broke while it looked is named with its error's last line, which is the one that says why."""
    faults = mismatches({"w": ModuleNotFoundError("No module named 'tasks'")}, OWN)
    assert faults == ["w: pre-flight check failed: ModuleNotFoundError: No module named 'tasks'"]


def test_a_look_tells_stores_apart(tmp_path: Path) -> None:
    """A store is known by its identity; a folder that is none is not made one by being looked at."""
    store = Store(str(tmp_path / "a"))
    api = "http://127.0.0.1:9/api"
    assert inspect_worker(store.url, api).store == "no such store there"
    assert not (tmp_path / "a").exists()
    identity = store.identity
    assert inspect_worker(store.url, api).store == identity
    assert "Error" in inspect_worker(store.url, api).server


@pytest.mark.parametrize("stage", [verify_shard, distill_shard], ids=lambda stage: stage.name)
def test_tasks_travel(stage: Any, tmp_path: Path) -> None:
    """A stage's task goes to another process in a few kilobytes, and is the same task there."""
    shipped = cloudpickle.dumps(stage.with_options(refresh_cache=True))
    assert len(shipped) < 20_000
    (tmp_path / "task").write_bytes(shipped)
    told = "import cloudpickle, sys; print(cloudpickle.load(open(sys.argv[1], 'rb')).name)"
    output, errors = programs.script(told, tmp_path / "task").communicate()
    assert output.strip() == stage.name, errors


def test_a_phase_travels_as_its_name() -> None:
    """The flow of a block goes to a worker in a few kilobytes: it closes over no lock, thread or shard."""
    shipped = cloudpickle.dumps(run_block.with_options(name="distill"))
    assert len(shipped) < 20_000
    assert cloudpickle.loads(shipped).name == "distill"


class Lost:
    """A future whose task ended in an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def result(self) -> Any:
        raise self.error


def test_a_lost_task_is_no_failure_of_its_stage() -> None:
    """What a cluster raises of its own is told as such; a stage's own error stays what it is."""
    killed = type("KilledWorker", (Exception,), {"__module__": "distributed.scheduler"})
    lost: Any = Lost(killed("died 4 times\nmore"))
    with pytest.raises(RunnerError, match=r"(?s)lost a task.*KilledWorker: died 4 times\n.*next run does the task"):
        result_of(lost)
    own: Any = Lost(LedgerError("disk full"))
    with pytest.raises(LedgerError):
        result_of(own)


def test_tokens_are_counted_wherever_they_are_received() -> None:
    """A shard that was done elsewhere tells of its tokens in its manifest; one found finished tells of none."""
    progress = Progress("distill", 2, "distill")
    made = Manifest(
        stage="distill",
        version="2",
        key="k",
        inputs={},
        outputs={},
        rows_in=1,
        rows_kept=1,
        dropped={},
        facts={"completion_tokens": 7},
    )
    progress.done(made)
    progress.done(made, anew=False)
    assert progress.n_tokens == 7

"""Past one process: the same bytes on a real Dask and a real Ray cluster, whatever happens to a worker."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.support.runs.killed_run import Process, end, has_paid_for, n_ledger_lines, start
from tests.support.runs.small_run import SmallRun, digests_of
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.local_clusters import PATIENCE_S, dask_cluster, ray_cluster
from tests.support.servers.object_store import S3Server, names
from tests.support.warm import start as programs

pytestmark = [pytest.mark.usefixtures("prefect_flows"), pytest.mark.needs_scale_out]

IN_FLIGHT = 8
N_WORKERS = 2


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    return SmallRun(tmp_path / "threads", teacher.url)


def published_bytes(out: Path) -> dict[str, str]:
    """Digests of everything published but the card and the report, which name the folder of the sources."""
    digests = digests_of(out)
    return {name: digest for name, digest in digests.items() if name.endswith((".parquet", ".zst"))}


def on(run: SmallRun, kind: str, address: str) -> SmallRun:
    """The same run with its shards on a cluster, in a folder beside it."""
    sections = {"run": {"runner": {"kind": kind, "address": address}}}
    return dataclasses.replace(run, folder=run.folder.parent / kind, sections=sections)


class Cluster(NamedTuple):
    """Where it is, and where its workers keep their files."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def dask(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask cluster of two workers, which reach that object store."""
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as environment:
        s3_server.introduce(environment)
        with dask_cluster(folder, N_WORKERS) as address:
            yield Cluster(address, folder)


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Ray cluster."""
    with ray_cluster(tmp_path_factory.mktemp("ray")) as address:
        yield address


def workers(dask: Cluster) -> list[psutil.Process]:
    """Worker processes of the Dask cluster; they keep their files below its folder."""
    nannies = [process for process in psutil.process_iter() if _is_nanny(process, str(dask.folder))]
    children = [child for nanny in nannies for child in nanny.children()]
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@contextlib.contextmanager
def building(run: SmallRun) -> Iterator[Process]:
    """A build in a process of its own, which does not outlive the block."""
    process = start(run, by_flow=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _is_nanny(process: psutil.Process, folder: str) -> bool:
    with contextlib.suppress(psutil.Error):
        command = " ".join(process.cmdline())
        return "dask_worker" in command and folder in command
    return False


def test_ray_makes_the_same_bytes(run: SmallRun, teacher: ChatServer, ray: str) -> None:
    """A build whose shards run on Ray publishes what threads publish, asks as often, and leaves nothing to threads."""
    run.build()
    asked = teacher.received
    elsewhere = on(run, "ray", ray)
    with building(elsewhere) as process:
        end(process, elsewhere.folder)
    assert published_bytes(elsewhere.out) == published_bytes(run.out)
    assert teacher.received == 2 * asked
    elsewhere.sections = {}
    assert elsewhere.build_by_flow().n_executed == 0


def test_dask_makes_the_same_bytes_though_workers_die(run: SmallRun, teacher: ChatServer, dask: Cluster) -> None:
    """Workers of a Dask cluster are killed while they generate: their tasks are done again, and the bytes are the same.

    What they had paid for is not paid for again.
    """
    run.build()
    asked, teacher.latency_s = teacher.received, 0.3
    elsewhere = on(run, "dask", dask.address)
    with building(elsewhere) as process:
        until(lambda: has_paid_for(10)(elsewhere))
        killed = workers(dask)
        assert len(killed) == N_WORKERS
        for worker in killed:
            worker.kill()
        end(process, elsewhere.folder)
    assert published_bytes(elsewhere.out) == published_bytes(run.out)
    assert n_ledger_lines(elsewhere) == asked
    assert teacher.received <= 2 * asked + N_WORKERS * IN_FLIGHT
    elsewhere.sections = {}
    assert elsewhere.build_by_flow().n_executed == 0


def test_dask_on_an_object_store_makes_the_same_bytes(
    run: SmallRun, bucket: str, dask: Cluster, tmp_path: Path
) -> None:
    """Workers that share nothing but S3 publish what threads publish on a folder."""
    run.build()
    elsewhere = on(run, "dask", dask.address)
    elsewhere.sections["run"] |= {"store": f"{bucket}/store", "ledger_cache": str(tmp_path / "ledger")}
    with building(elsewhere) as process:
        end(process, elsewhere.folder)
    assert names(f"{bucket}/store")
    assert published_bytes(elsewhere.out) == published_bytes(run.out)


def test_a_cluster_elsewhere_is_refused(run: SmallRun, tmp_path: Path) -> None:
    """Workers that cannot import tracemill get no task; the error names them, and says what to do."""
    with dask_cluster(tmp_path, 1, cwd=tmp_path) as address:
        elsewhere = on(run, "dask", address)
        with building(elsewhere) as process:
            assert process.wait(PATIENCE_S) == 1
    log = (elsewhere.folder / "build.log").read_text()
    assert "1 of 2 workers of the dask cluster cannot do this run's tasks" in log
    assert "No module named 'tasks'" in log
    assert "start the workers in this checkout" in log


@pytest.mark.slow
def test_the_benchmark_compares_clusters_with_threads(dask: Cluster, ray: str) -> None:
    """A few tasks on a Dask and on a Ray cluster: the benchmark says what each takes beside threads."""
    words = ["--tasks", "4", "--dask", dask.address, "--ray", ray]
    done = programs.run("benchmarks.engine.task_runners", *words, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"threads [\d.]+ ms \(1\.00 x\), dask [\d.]+ ms \(.*, ray [\d.]+ ms \(", done.stdout)


def until(come: Callable[[], object]) -> None:
    """Waits for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.01)

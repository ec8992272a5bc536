"""Builds whose store is an object store: the same dataset as in a folder, and everything found again."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from tests.support.runs.killed_run import finish, kill_when
from tests.support.runs.small_run import SmallRun, digests_of, question
from tests.support.servers.chat_server import ChatServer
from tracemill.runs.fetch import run_folder

N_ROWS = 20
IN_FLIGHT = 8


def n_paid(run: SmallRun) -> int:
    """Responses that this machine's copy of the ledger has."""
    return sum(path.read_bytes().count(b"\n") for path in (run.folder / "cache").rglob("*.ledger"))


def test_a_store_on_s3_gives_the_same_bytes(bucket: str, tmp_path: Path, by_flow: bool) -> None:
    """A build with store and ledger on S3 publishes the very files that one in a folder does, to a folder and to S3.

    One that is killed while it generates pays for nothing twice. Another process finds everything finished, also where
    Prefect has forgotten its results. Another store on another machine finds every answer in the ledger.
    """
    build = SmallRun.build_by_flow if by_flow else SmallRun.build
    with ChatServer(latency_s=0.05) as teacher:
        local = SmallRun(tmp_path / "run", teacher.url, rows=[question(n) for n in range(N_ROWS)])
        build(local)
        assert teacher.received == N_ROWS
        shutil.move(local.out, tmp_path / "local")
        places = {"store": f"{bucket}/store", "ledger_cache": str(local.folder / "cache")}
        on_s3 = dataclasses.replace(local, sections={"run": places})
        kill_when(on_s3, lambda run: n_paid(run) >= 5, by_flow=by_flow)
        finish(on_s3, by_flow=by_flow)
        assert digests_of(local.out) == digests_of(tmp_path / "local")
        assert teacher.received <= 2 * N_ROWS + IN_FLIGHT
        assert n_paid(on_s3) == N_ROWS

        n_asked = teacher.received
        shutil.rmtree(local.folder / "prefect-results", ignore_errors=not by_flow)
        again = build(on_s3, f"{bucket}/out")
        assert again.n_executed == 1  # the export, which is elsewhere
        assert digests_of(run_folder(f"{bucket}/out", tmp_path / "fetched")) == digests_of(local.out)
        assert build(on_s3, f"{bucket}/out").n_executed == 0

        elsewhere = {"ledger": f"{bucket}/store/ledger", "ledger_cache": str(tmp_path / "other")}
        build(dataclasses.replace(local, sections={"run": elsewhere | {"store": f"{bucket}/b"}}), f"{bucket}/out")
        assert teacher.received == n_asked

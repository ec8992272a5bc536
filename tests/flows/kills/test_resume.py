"""Killed runs: the same bytes in the end, and no completed generation paid for twice."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import ROOT
from tests.support.runs.killed_run import (
    finish,
    has_paid_for,
    is_collecting,
    is_exporting,
    kill_when,
    n_ledger_lines,
)
from tests.support.runs.small_run import SmallRun, digests_of, table
from tests.support.servers.chat_server import ChatServer
from tests.support.warm.start import vllm_python

IN_FLIGHT = 8
SOURCES = Path(__file__).parents[3] / "demo" / "sources"


def test_killed_runs_end_in_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL while collecting, generating (twice) and exporting changes no byte and pays for nothing twice."""
    # Without Prefect: the test below does the same to flows.
    with ChatServer(latency_s=0.05) as teacher:
        run = SmallRun(tmp_path / "killed", teacher.url)
        moments = [is_collecting, has_paid_for(10), has_paid_for(35), is_exporting]
        for moment in moments:
            kill_when(run, moment, by_flow=False)
        assert not (run.out / "manifest.json").exists()
        finish(run)
        n_distinct = n_ledger_lines(run)
        assert n_distinct == 60
        assert teacher.completed - n_distinct <= IN_FLIGHT * 2  # two kills fell into generation
        assert not list((run.folder / "store" / ".tmp").iterdir())

        whole = dataclasses.replace(run, folder=tmp_path / "whole")
        finish(whole)  # without Prefect
    assert published_bytes(run) == published_bytes(whole)


def published_bytes(run: SmallRun) -> dict[str, str]:
    """Digests of everything published but the card and the report, which name the folder of the sources."""
    digests = digests_of(run.out)
    return {name: digest for name, digest in digests.items() if name.endswith((".parquet", ".zst"))}


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(base URL, model) of the demo teacher on a real vLLM server that `tracemill serve` keeps up."""
    from demo.free_port import free_port
    from demo.teacher.serve import MODEL_DIR, MODEL_NAME, server_environment

    folder = tmp_path_factory.mktemp("servers")
    url = f"http://127.0.0.1:{free_port()}/v1"
    line = [
        *(sys.executable, "-m", "tracemill", "serve", str(ROOT / "recipes" / "demo.yaml"), "--gpus", "none"),
        *("--set", f"distill.teacher.base_urls=[{url}]", "--weights", f"{MODEL_NAME}={MODEL_DIR}"),
        *("--vllm-python", str(vllm_python()), "--vllm", "max-model-len=2048", "--vllm", "enforce-eager"),
        *("--urls", str(folder / "urls.json"), "--logs", str(folder)),
    ]
    with subprocess.Popen(line, cwd=ROOT, env=server_environment()) as process:
        while not (folder / "urls.json").exists():
            assert process.poll() is None
            time.sleep(0.2)
        yield url, MODEL_NAME
        process.terminate()
        assert process.wait(60) == 0


def n_completed(base_url: str) -> int:
    """Requests that the vLLM server itself counts as completed; aborted ones are not."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/metrics") as reply:  # noqa: S310 - loopback
        text = reply.read().decode()
    counts = re.findall(r'^vllm:request_success_total\{.*finished_reason="(\w+)".*\} (\S+)$', text, re.MULTILINE)
    assert counts, "the server has no such metric any more"
    return int(sum(float(count) for reason, count in counts if reason != "abort"))


@pytest.mark.slow
@pytest.mark.needs_vllm
@pytest.mark.usefixtures("prefect_flows")
def test_killed_runs_on_a_real_server(vllm: tuple[str, str], tmp_path: Path) -> None:
    """With a real vLLM server and sampling, a killed run equals an uninterrupted one from the same ledger.

    The server's own count of completed requests exceeds the recorded responses by at most what was in flight at the
    kills, and the uninterrupted run from that ledger sends none.
    """
    base_url, model = vllm
    rows = [json.loads(line) for line in good_lines(SOURCES / "word_problems.jsonl")[:60]]
    run = SmallRun(tmp_path / "killed", base_url, model=model, rows=rows)
    run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | {"temperature": 0.8, "max_tokens": 300}}
    before = n_completed(base_url)
    for moment in (is_collecting, has_paid_for(8), has_paid_for(30), is_exporting):
        kill_when(run, moment, by_flow=True)
    finish(run, by_flow=True)
    assert not list((run.folder / "store" / ".tmp").iterdir())
    n_paid = n_completed(base_url) - before
    assert n_ledger_lines(run) <= n_paid <= n_ledger_lines(run) + 2 * IN_FLIGHT

    whole = dataclasses.replace(run, folder=tmp_path / "whole")
    shutil.copytree(run.folder / "store" / "ledger", whole.folder / "store" / "ledger")
    asked = n_completed(base_url)
    finish(whole, by_flow=True)
    assert n_completed(base_url) == asked
    assert published_bytes(run) == published_bytes(whole)
    outcomes = set(table(run.out, "verdicts")["outcome"].to_pylist())
    assert {"correct", "incorrect"} <= outcomes, "the demo teacher should be right and wrong"


def good_lines(path: Path) -> list[str]:
    """Lines that are JSON objects with a question of some length."""
    lines = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
            if len(json.loads(line)["question"].split()) > 5:
                lines.append(line)
    return lines

"""Servers are started, kept up and ended, with a stand-in for vLLM's Python that answers /health."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from demo.free_port import free_port
from tests.support.needs import ROOT
from tests.support.servers.vllm_stand_in import vllm_stand_in
from tracemill.core import ModelServerError
from tracemill.serve import PlannedServer, Supervisor, supervisor

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks twenty times a second, and starts again soon."""
    monkeypatch.setattr(supervisor, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE_S", 0.1)


def server(folder: Path, model: str) -> PlannedServer:
    folder.mkdir(exist_ok=True)
    return PlannedServer(
        ("distill.teacher",), model, str(folder), "", is_pooling=False, host="127.0.0.1", port=free_port(), gpus=()
    )


class Watched:
    """Servers that are kept up in a thread, and what is said of them."""

    def __init__(self, folder: Path, *models: str, start_s: float = PATIENCE_S) -> None:
        self.planned = [server(folder / f"weights{n}", model) for n, model in enumerate(models)]
        self.said: list[str] = []
        self.stopped = threading.Event()
        self.failed: list[ModelServerError] = []
        self.servers = Supervisor(
            self.planned, python=str(vllm_stand_in(folder)), logs=folder / "logs", start_s=start_s, say=self.said.append
        )
        self.thread = threading.Thread(target=self._go)

    def _go(self) -> None:
        try:
            with self.servers:
                if self.servers.wait_until_all_answer(self.stopped):
                    self.said.append("all answer")
                    self.servers.keep_up(self.stopped)
        except ModelServerError as error:
            self.failed.append(error)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def wait_for(self, found: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not found():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)


def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    """The others go on, and the log keeps what was written before."""
    with Watched(tmp_path, "one", "two") as kept:
        kept.wait_for(lambda: "all answer" in kept.said)
        first, second = kept.servers.pids
        os.kill(first, signal.SIGKILL)
        kept.wait_for(lambda: len([line for line in kept.said if "answers after" in line]) == 3)
        assert kept.servers.pids[1] == second
        assert first not in kept.servers.pids
    assert any("ended with status -9; it is started again" in line for line in kept.said)
    [log] = (tmp_path / "logs").glob("one-*")
    assert log.read_text().count("serving one") == 2
    assert not any(map(psutil.pid_exists, [*kept.servers.pids, second]))


def test_a_server_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has answered, and then does not for a while."""
    monkeypatch.setattr(supervisor, "_HUNG_S", 0.3)
    monkeypatch.setattr("tracemill.serve.process._ANSWER_S", 0.3)
    with Watched(tmp_path, "one") as kept:
        kept.wait_for(lambda: "all answer" in kept.said)
        hang = tmp_path / "weights0" / "hang"
        hang.touch()
        kept.wait_for(lambda: any("did not answer /health" in line for line in kept.said))
        hang.unlink()
        kept.wait_for(lambda: len([line for line in kept.said if "answers after" in line]) == 2)
    assert not kept.failed


@pytest.mark.parametrize(
    ("models", "start_s", "told"),
    [
        (("one", "broken"), PATIENCE_S, "ended with status 1, before it had answered"),
        (("one", "mute"), 0.5, "did not answer /health"),
        (("one", "weak"), PATIENCE_S, "5 times in a row"),
    ],
)
def test_what_does_not_come_up_ends_all(tmp_path: Path, models: tuple[str, ...], start_s: float, told: str) -> None:
    """With the end of its log, since starting it once more would not help."""
    with Watched(tmp_path, *models, start_s=start_s) as kept:
        kept.thread.join(PATIENCE_S)
    [error] = kept.failed
    assert told in str(error)
    assert f"serving {models[1]}" in str(error)
    assert kept.servers.pids == []


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """What answers there would be taken for ours."""
    planned = server(tmp_path, "one")
    with socket.create_server(("127.0.0.1", planned.port)):
        servers = Supervisor([planned], python=str(vllm_stand_in(tmp_path)), logs=tmp_path)
        with pytest.raises(ModelServerError, match="another program"), servers:
            pass


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    """It says how to make one."""
    with (
        pytest.raises(ModelServerError, match="--vllm-python"),
        Supervisor([server(tmp_path, "one")], python=str(tmp_path / "none"), logs=tmp_path, say=lambda _: None),
    ):
        pass


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`tracemill serve` on the demo's recipe, once all answer."""
    urls = tmp_path / "urls.json"
    line = [
        *(sys.executable, "-m", "tracemill", "serve", str(ROOT / "recipes" / "demo.yaml"), "--gpus", "0,1"),
        *("--set", f"distill.teacher.base_urls=[http://127.0.0.1:{free_port()}/v1]", "--urls", str(urls)),
        *("--vllm-python", str(vllm_stand_in(tmp_path)), "--logs", str(tmp_path / "logs")),
    ]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not urls.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
        process.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_the_command_ends_its_servers(
    command: subprocess.Popen[str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """However it ends; and it has written where they were: one a GPU."""
    found = json.loads((tmp_path / "urls.json").read_text())
    assert len(found["distill.teacher"]) == 2
    servers = psutil.Process(command.pid).children()
    assert len(servers) == 2
    command.send_signal(number)
    assert command.wait(PATIENCE_S) == status
    gone, alive = psutil.wait_procs(servers, timeout=PATIENCE_S)
    assert (len(gone), alive) == (2, [])
    assert command.stdout is not None
    assert ("all servers have ended" in command.stdout.read()) == (not status)
    logs = sorted(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert [text.split()[2] for text in logs] == ["0", "1"]

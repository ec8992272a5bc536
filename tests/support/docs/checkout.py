"""A checkout to type documented commands in: this tree by links, a runs folder, a store and a server of its own.

It has what the commands need: a small recipe, its teacher (a chat server), rows to judge, two finished runs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.free_port import free_port
from tests.support.needs import ROOT
from tests.support.runs.audited_set import PLANTED, write
from tests.support.runs.small_evaluation import SmallEvaluation
from tests.support.runs.small_run import SmallRun, question, table
from tests.support.servers.prefect_home import prefect_home
from tests.support.warm.start import as_python, vllm_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 240.0
_NOT_LINKED = {".git", ".venv", ".tracemill", "runs", "docs"}  # what a checkout has of its own


@dataclass
class Checkout:
    """The folder, and what stands for the words in capitals.

    Attributes:
        place: of the folder.
        values: by name, as the table of commands uses them.
        done: what was run, by command.
    """

    place: Path
    values: dict[str, str] = field(default_factory=dict)
    done: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """As a user has it who works in the environment that ``make setup`` makes, on the server that he started."""
        path = f"{self.place}/warm:{self.place}/.venv/bin:{os.environ['PATH']}"
        port = self.values["port"]
        own = {
            "SANDBOX_SOCKET": f"{self.place}/engine.sock",
            "PATH": path,
            "UI_PORT": port,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PYTHON": sys.executable,
        }
        return os.environ | own | {"PREFECT_HOME": str(self.place / ".tracemill" / "prefect")}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Types a command, once; its ``{names}`` are filled in."""
        if command not in self.done:
            if "run" in self.values:  # commands that name no run take the newest
                (self.place / self.values["run"] / "manifest.json").touch()
            self.done[command] = subprocess.run(
                ["bash", "-c", command.format_map(self.values)],
                cwd=self.place,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S * 2,
                check=False,
            )
        return self.done[command]

    def fork_vllm(self) -> None:
        """From now on, its `.venv-vllm` forks vLLM's programs."""
        place = self.place / ".venv-vllm"
        if place.is_symlink():
            place.unlink()
            _link_all(ROOT / ".venv-vllm", place, but="bin")
            _link_all(ROOT / ".venv-vllm" / "bin", place / "bin", but="python")
            (place / "bin" / "python").symlink_to(vllm_python())

    @contextmanager
    def going_on(self, command: str) -> Iterator[Path]:
        """Types a command that goes on until it is stopped; gives its log."""
        log = self.place / f"{command.replace(' ', '-')}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.place,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield log
            finally:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def asked(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the checkout's server answers; None while it does not."""
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.environment['PREFECT_API_URL']}/{path}"
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
                return json.load(answer)
        except OSError:
            return None


def wait_for(found: Callable[[], Any], log: Path) -> None:
    """Until something is found; fails with the log's end."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.3)


def make_checkout(place: Path, teacher_url: str) -> Checkout:
    """The folder with everything but the runs."""
    place.mkdir()
    prefect_home(place / ".tracemill" / "prefect")
    for entry in ROOT.iterdir():
        if entry.name not in _NOT_LINKED:
            (place / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "docs", place / "docs")  # `make docs` writes there
    _link_environment(place / ".venv")
    small = SmallRun(place / "small", teacher_url, rows=[question(n) for n in range(12)])
    small.sections = {"run": {"store": ".tracemill/store", "workers": 2}, "collect": {"shard_rows": 12}}
    small.write()
    (place / "rows.jsonl").write_text(
        json.dumps(
            {"id": "x1", "category": "math", "prompt": "1 + 1?", "response": "\\boxed{2}", "reference_answer": "2"}
        )
    )
    evaluation = SmallEvaluation(place / "evaluated", teacher_url)
    evaluation.sections = {"run": {"store": ".tracemill/store"}}
    evaluation.write()
    _write_responses(place)
    values = {
        "evaluation": str(evaluation.recipe_path.relative_to(place)),
        "recipe": str(small.recipe_path.relative_to(place)),
        "audited": str(write(place / "small", PLANTED[:8]).relative_to(place)),
        "teacher": teacher_url,
        "place": str(place),
        "port": str(free_port()),
    }
    with socket.socket(socket.AF_UNIX) as engine:  # `make env` wants to see one
        engine.bind(str(place / "engine.sock"))
    as_python(place / "warm")
    return Checkout(place, values)


def _write_responses(place: Path) -> None:
    """Of somebody, to the demo's evaluation: two of four samples of each item are right."""
    items = [json.loads(line) for line in (ROOT / "demo/benchmarks/evaluation.jsonl").read_text().splitlines()]
    bare = {"addition", "subtraction", "multiplication"}
    rows = [
        {
            "benchmark": "sums" if item["family"] in bare else "stories",
            "item": item["id"],
            "sample": sample,
            "content": f"\\boxed{{{int(item['answer']) + sample // 2}}}",
        }
        for item in items
        for sample in range(4)
    ]
    (place / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _link_environment(place: Path) -> None:
    """The environment of these tests, new enough that make leaves it as it is."""
    _link_all(Path(sys.prefix), place, but=".ready")
    (place / ".ready").touch()


def _link_all(folder: Path, place: Path, but: str) -> None:
    place.mkdir()
    for entry in folder.iterdir():
        if entry.name != but:
            (place / entry.name).symlink_to(entry)


def know_the_runs(checkout: Checkout, run: str, other: str) -> None:
    """Finished runs, an id in the first, and its task that can be named."""
    ids = table(checkout.place / run, "dataset")["id"].to_pylist()
    checkout.values |= {"run": run, "other": other, "id": ids[0]}

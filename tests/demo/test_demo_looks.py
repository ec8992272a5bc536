"""What ``make demo`` says at its ends: three things to look at, or why there is no teacher."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from demo import __main__ as demo
from tests.support.runs.published_runs import run, sample
from tests.support.runs.samples import problem
from tracemill.core import Dropped


def test_three_things_to_look_at(tmp_path: Path) -> None:
    """The browser, the report, and the story of a row that was judged wrong."""
    lost = problem("What is 1 + 1?", "3")
    made = run(tmp_path / "run", [sample("a")], [Dropped(lost.id, "a", 1, "verify", "incorrect", {}, lost.prompt)])
    told = demo.looks(made)
    assert f"tracemill browse {made}\n" in told
    assert f"{made}/report.html\n" in told
    assert f"tracemill why {lost.id[:12]} --run {made}" in told


def test_a_teacher_that_cannot_be_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is not begun, and the way around it is named."""

    def fails() -> Path:
        raise subprocess.CalledProcessError(3, "vllm_cpu_env.sh")

    async def never(*_: object) -> int:
        raise AssertionError("a run was begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEACHER_URL", raising=False)
    monkeypatch.setattr(demo, "vllm_python", fails)
    monkeypatch.setattr(demo, "run", never)
    assert asyncio.run(demo.main(demo.BUILD, [])) == 1
    assert "TEACHER_URL=http://host:8000/v1 TEACHER_MODEL=name make demo" in capsys.readouterr().err

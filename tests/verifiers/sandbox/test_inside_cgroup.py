"""The container's own figures, under cgroups of either version."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from verifiers.sandbox.inside import cgroup

V1 = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "memory/memory.oom_control": "under_oom 0\noom_kill 3\n",
}
V2 = {"cpu.stat": "usage_usec 2500000\nuser_usec 1\n", "memory.events": "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\n"}
JOINED = {"cpu,cpuacct/cpuacct.usage": "2500000000\n", "memory/memory.oom_control": "oom_kill 3\n"}


@pytest.mark.parametrize("files", [V1, V2, JOINED], ids=["v1", "v2", "v1, joined"])
def test_either_version_is_read(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU seconds and processes killed for memory are the same figures in both layouts, and are read anew each time."""
    monkeypatch.setattr(cgroup, "_ROOT", str(tmp_path))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    cpu, oom = cgroup.cpu_seconds(), cgroup.oom_kills()
    assert cpu is not None
    assert oom is not None
    assert (cpu(), oom()) == (2.5, 3)
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("oom_kill 3", "oom_kill 5"))
    assert oom() == 5


def test_a_kernel_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such file (gVisor), there is no reader, and limits fall back on the processes' own figures."""
    monkeypatch.setattr(cgroup, "_ROOT", str(tmp_path))
    assert cgroup.cpu_seconds() is None
    assert cgroup.oom_kills() is None


def test_what_is_sent_in_runs_on_older_interpreters() -> None:
    """The modules that run in a container parse as Python 3.9: the image's is not ours to choose."""
    for path in Path(cgroup.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        newer = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "strict"]
        assert not newer, f"zip(strict=) in {path.name} is of 3.10"

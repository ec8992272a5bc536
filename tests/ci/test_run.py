"""``.ci/run`` with programs of the test's own: what it provides before the tests, and where it stops."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.needs import ROOT

PROVIDED = [
    "make sandbox-image BASE=tracemill-base:bookworm",
    "make setup",
    "make embeddings scale-out work-pools",
    "make teacher",
]
PYTHON = ["make setup", "make embeddings scale-out work-pools", "make check", "warm"]  # one after the other
TESTS = "make test TEST_MARKS="
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
[ "$1 $2" != "test TEST_MARKS=" ] || echo "$BASE_SANDBOX $BASE_REDIS" >>"$CALLS"
[ "$(basename "$0")" != compose-bases ] || echo BASE_REDIS=ours
case "$(basename "$0") $*" in "$FAILS"*) echo "it broke" >&2; exit 1 ;; esac
"""


def run(folder: Path, fails: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What it printed, and every command that it gave, in order."""
    (folder / ".ci").mkdir()
    for name in ("run", "beside"):
        shutil.copy(ROOT / ".ci" / name, folder / ".ci" / name)
    for place in (
        ".ci/docker-engine",
        ".ci/browser",
        ".ci/compose-bases",
        ".ci/apt",
        ".ci/uv",
        ".ci/warm",
        "make",
        "cc",
    ):
        (folder / place).write_text(STUB)
        (folder / place).chmod(0o755)
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(folder / "calls"), "FAILS": fails}
    own |= {"TRACEMILL_REAL_DATA": "/nowhere"}
    done = subprocess.run(
        [folder / ".ci" / "run"], env=os.environ | own, capture_output=True, text=True, timeout=60, check=False
    )
    return done, [line.strip() for line in (folder / "calls").read_text().splitlines()]


def test_everything_is_there_before_the_tests(tmp_path: Path) -> None:
    """The tests come last and with the names of the images; what builds on something comes after it."""
    done, calls = run(tmp_path, "nothing")
    assert done.returncode == 0, done.stdout + done.stderr
    assert calls[-2:] == [TESTS, "tracemill-base:bookworm ours"]
    assert set(PROVIDED) <= set(calls[:-2])
    assert {"docker-engine", "browser", "compose-bases", *PYTHON} <= set(calls[:-2])
    assert calls.index("docker-engine") < min(calls.index(PROVIDED[0]), calls.index("compose-bases"))
    assert sorted(calls.index(part) for part in PYTHON) == [calls.index(part) for part in PYTHON]


@pytest.mark.parametrize("fails", [*PROVIDED, "docker-engine", "browser", "compose-bases", "make check", "warm"])
def test_no_test_runs_on_half_a_machine(tmp_path: Path, fails: str) -> None:
    """Where a part fails, its output is shown, and the run fails before the tests."""
    done, calls = run(tmp_path, fails)
    assert done.returncode == 1
    assert "it broke" in done.stdout
    assert TESTS not in calls


def test_the_installer_comes_first(tmp_path: Path) -> None:
    """What is installed is installed by it; where there is none, nothing is."""
    done, calls = run(tmp_path, "uv")
    assert (done.returncode, [call.split()[0] for call in calls]) == (1, ["uv"])


def test_failing_tests_fail_the_run(tmp_path: Path) -> None:
    """The status of the tests is the run's."""
    assert run(tmp_path, TESTS)[0].returncode == 1

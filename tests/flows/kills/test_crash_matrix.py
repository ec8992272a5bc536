"""The crash matrix, short: each kind of kill once, at a seeded moment of a small build; as a benchmark it is long.

See ``benchmarks/crash/crash_matrix.py`` for what must hold.
"""

from __future__ import annotations

import re

import pytest

from benchmarks.crash.crash_matrix import KINDS
from tests.support.servers.prefect_home import prefect_home
from tests.support.warm import start as programs

pytestmark = [pytest.mark.needs_docker, pytest.mark.slow, pytest.mark.timeout(1800)]
SMALL = ("--moments", str(len(KINDS)), "--problems", "40", "--shard-rows", "10", "--latency-ms", "400")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the benchmark prints; one Prefect server, and one undisturbed build to compare with."""
    folder = tmp_path_factory.mktemp("matrix")
    prefect_home(folder / "prefect")
    command = ("benchmarks.crash.crash_matrix", *SMALL, "--folder", str(folder))
    done = programs.run(*command, timeout=1500, forks=False)  # it looks at the children of what it kills
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_changes_nothing(matrix: str, kind: str) -> None:
    """The same bytes in the end, at most what was in flight paid twice, and nothing left lying about."""
    assert re.search(rf"^{kind} at [\d.]+ s.*: as it must be$", matrix, re.MULTILINE), matrix


def test_the_table(matrix: str) -> None:
    """The benchmark says how long an undisturbed build takes, and has a line for each kind."""
    assert "an undisturbed build takes" in matrix
    assert re.findall(r"^\| (\w+) \| 1 ", matrix, re.MULTILINE) == list(KINDS)

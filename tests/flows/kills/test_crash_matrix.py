"""The crash matrix, short: each kind of kill once, at a seeded moment of a small build. The long one is a benchmark.

See ``benchmarks/crash/crash_matrix.py`` for what must hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.crash.crash_matrix import KINDS, Matrix, maker
from benchmarks.crash.recipe import few_problems
from benchmarks.crash.scene import on_scene

pytestmark = pytest.mark.needs_docker
N_ROWS, N_PROGRAMS, SHARD_ROWS, LATENCY_MS = 40, 6, 10, 400.0


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """A Prefect server of its own, and an undisturbed build to compare with."""
    folder = tmp_path_factory.mktemp("matrix")
    problems = few_problems(folder / "sources", N_ROWS, N_PROGRAMS)
    with on_scene(folder) as scene:
        yield Matrix(scene, maker(scene, problems, SHARD_ROWS, LATENCY_MS), seed=6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_changes_nothing(matrix: Matrix, kind: str) -> None:
    """The same bytes in the end, at most what was in flight paid twice, and nothing left lying about."""
    outcome = matrix.moment(kind, 0)
    assert outcome.holds, str(outcome)

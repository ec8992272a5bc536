"""No benchmark is without a small run."""

from __future__ import annotations

import pytest

from tests.support.docs.small_benchmarks import SMALL
from tests.support.needs import ROOT

HELPERS = {"benchmarks.crash.teacher", "benchmarks.engine.datatrove_rate"}  # programs that benchmarks start
PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("program", sorted(set(PROGRAMS) - HELPERS))
def test_it_has_a_small_run_and_a_line_on_its_page(program: str) -> None:
    """What can be typed is typed by a test, and benchmarks/README.md has it."""
    assert program in {small.module for small in SMALL}
    assert f"`python -m {program}" in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")

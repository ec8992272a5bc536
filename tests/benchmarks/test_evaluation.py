"""Benchmarks of scores of student models, small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.docs.small_benchmarks import Small, goes_through, of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("small", of("evaluation"))
def test_it_goes_through(small: Small, tmp_path: Path) -> None:
    """It ends well, and prints its figures."""
    goes_through(small, tmp_path)

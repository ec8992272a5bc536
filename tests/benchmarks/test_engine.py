"""Benchmarks of what orchestration costs, small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.docs.small_benchmarks import Small, goes_through, of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("small", of("engine"))
def test_it_goes_through(small: Small, tmp_path: Path, prefect_server: None) -> None:  # noqa: ARG001 - it has to be up
    """It ends well, and prints its figures; those that start a server where there is none find one."""
    from prefect.settings import PREFECT_API_URL

    goes_through(small, tmp_path, {"PREFECT_API_URL": str(PREFECT_API_URL.value())})

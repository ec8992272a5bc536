"""The tree itself: tests stand alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.needs import ROOT

TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_imports_from_another(path: Path) -> None:
    """What several test modules use is in tests/support/."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert [name for name in imported if name.rpartition(".")[2].startswith("test_")] == []

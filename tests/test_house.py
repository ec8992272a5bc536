"""The tree itself: folders that can be taken in at a glance, and tests that stand alone."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.needs import ROOT

PACKAGES = ("benchmarks", "demo", "flows", "tasks", "tests", "tracemill", "verifiers")
MOST_MODULES = 15  # of a folder, __init__.py not counted
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def test_no_folder_has_more_modules_than_can_be_taken_in() -> None:
    """At most 15 modules a folder: beyond, what belongs together gets a package of its own."""
    modules = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")
    counts = Counter(path.parent.relative_to(ROOT) for path in modules)
    assert {str(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_imports_from_another(path: Path) -> None:
    """What several test modules use is in tests/support/."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported += [node.module or "", *(f"{node.module}.{name.name}" for name in node.names)]
    assert [name for name in imported if re.fullmatch(r"(tests\.(\w+\.)*)?test_\w+", name)] == []

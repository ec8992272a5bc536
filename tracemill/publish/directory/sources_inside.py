"""Whether a recipe reads what its own run publishes: each run would then find other rows than the one before it."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from tracemill.core import StoreError
from tracemill.publish.directory.foreign import CURRENT, VERSIONS
from tracemill.publish.manifest import MANIFEST
from tracemill.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracemill.publish.directory.run_directory import Output
    from tracemill.recipe import Recipe
    from tracemill.recipe.evaluation import Evaluation
    from tracemill.recipe.sections.audit import Audit
    from tracemill.recipe.sections.students import Comparison


def refuse_sources_inside(out: str, recipe: Recipe | Audit | Evaluation | Comparison, output: Output) -> None:
    """Before anything is run.

    Args:
        out: the run's directory.
        recipe: what names sources, and benchmarks if it has any.
        output: what will be published there.

    Raises:
        StoreError: a file that is read is one that would be replaced.
    """
    root = Store(out).folder
    if root is None:
        return
    root = root.resolve()
    replaced = {VERSIONS, CURRENT, MANIFEST, *output.names}
    for name, path in _files(recipe):
        place = path.resolve()
        if place.is_relative_to(root) and place != root and place.relative_to(root).parts[0] in replaced:
            raise StoreError(
                f"{name} is read from {path}, which is a part of what this run publishes in {out}",
                remedy="name another place with --out, or copy what is read out of there",
            )


def _files(recipe: Recipe | Audit | Evaluation | Comparison) -> Iterator[tuple[str, Path]]:
    """Yield what is read, by the name of the source or benchmark; a pattern is what it finds."""
    benchmarks = recipe.decontaminate.benchmarks if hasattr(recipe, "decontaminate") else ()
    for each in (*recipe.sources, *benchmarks):
        if each.path is not None:
            path = Path(recipe.data_dir) / each.path
            yield each.name, path
            for found in glob.iglob(str(path), recursive=True):  # noqa: PTH207 - the pattern may be absolute
                yield each.name, Path(found)

"""The publication that a run's report compares with: the one that the recipe names, or that stands in its directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracemill.core import RecipeError
from tracemill.publish import published
from tracemill.publish.directory.versions import run_place
from tracemill.publish.earlier import Earlier, earlier_of
from tracemill.store import Store

if TYPE_CHECKING:
    from tracemill.recipe import Recipe


def refuse_unknown_comparison(recipe: Recipe) -> None:
    """Before anything is paid for: whether what the recipe wants compared with is there.

    Raises:
        RecipeError: it is no dataset that was built.
        StoreError: the run has no such version.
    """
    named = recipe.export.compare_with
    if named is not None and _named(named) is None:
        raise RecipeError(
            "the report cannot be compared with what export.compare_with names",
            got=named,
            expected="the directory of a finished build, DIR@N for a version of it, or its URL",
            remedy="name one (python -m tracemill versions DIR lists them), or leave the key out",
        )


def earlier_run(recipe: Recipe, out: str) -> Earlier | None:
    """Return what the report compares with; None where there is nothing.

    Args:
        recipe: of the run.
        out: the run's directory, before it is published there.
    """
    if recipe.export.compare_with is not None:
        return _named(recipe.export.compare_with)
    standing = published(Store(out))
    if standing is None or standing.get("recipe") != recipe.name:
        return None
    version = standing.get("version")
    if version is None:  # in place: it is gone once this one stands
        return earlier_of(standing, "the publication before", "EARLIER")
    return earlier_of(standing, f"version {version}", f"DIR@{version}")


def _named(run: str) -> Earlier | None:
    manifest: dict[str, Any] | None = published(Store(run if "://" in run else str(run_place(run))))
    return None if manifest is None else earlier_of(manifest, run, run)

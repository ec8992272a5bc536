"""Pins: the commits at which Hub datasets are read. A branch moves under a run; a commit does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracemill.errors import RecipeError

if TYPE_CHECKING:
    from tracemill.recipe import Recipe
    from tracemill.recipe_decontaminate import Benchmark
    from tracemill.recipe_source import Source

COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def is_commit(revision: str | None) -> bool:
    """Whether it is a full commit hash; names of branches and tags can be moved."""
    return revision is not None and COMMIT.fullmatch(revision) is not None


def refuse_unpinned(recipe: Recipe, path: str) -> None:
    """Raises if anything that is read from the Hub is not pinned to a commit.

    Raises:
        RecipeError: naming each, and the command that pins them.
    """
    read: list[Source | Benchmark] = [*recipe.sources, *recipe.decontaminate.benchmarks]
    loose = [f"{place.name}: {place.revision}" for place in read if _is_loose(place.hub, place.revision)]
    if loose:
        raise RecipeError(
            f"{path} reads {len(loose)} Hub datasets at no fixed commit; nothing has run",
            got=", ".join(loose),
            expected="a revision of 40 hexadecimal digits each",
            remedy=f"python -m tracemill pin {path} looks the commits up and writes them into the recipe",
        )


def _is_loose(hub: str | None, revision: str | None) -> bool:
    return hub is not None and not is_commit(revision)

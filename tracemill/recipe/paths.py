"""What the paths of a recipe are relative to: the recipe's own folder; if nothing is there, the working directory.

A recipe that stands beside its files means them from wherever it is run; recipes that are run from the repository name
files below it. ``data_dir`` on the command line is relative to the working directory alone, like all that is typed.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracemill.recipe.recipe import Recipe


def with_paths_beside(recipe: Recipe, recipe_path: str | Path, overrides: list[str]) -> Recipe:
    """The recipe with absolute paths, each in the first of the two places where it is; in the first if in neither.

    Args:
        recipe: as it was read.
        recipe_path: of its file.
        overrides: settings of the command line.
    """
    is_typed = any(override.partition("=")[0].strip() == "data_dir" for override in overrides)
    if is_typed or Path(recipe.data_dir).is_absolute():
        return recipe
    places = Path(recipe_path).absolute().parent / recipe.data_dir, Path(recipe.data_dir).absolute()

    def placed(section: Any) -> Any:
        path = section.path
        if path is None or Path(path).is_absolute():
            return section
        folder = str(_place_of(path, places))
        absolute = Path(glob.escape(folder) if glob.has_magic(path) else folder, path)
        return section.model_copy(update={"path": str(absolute)})

    settings = recipe.decontaminate
    benchmarks = tuple(placed(benchmark) for benchmark in settings.benchmarks)
    # The tokenizer's path stands in the card as the recipe has it: it is the folder that is named for it.
    data_dir = _place_of(recipe.label.tokenizer or ".", places)
    return recipe.model_copy(
        update={
            "data_dir": str(data_dir),
            "sources": tuple(placed(source) for source in recipe.sources),
            "decontaminate": settings.model_copy(update={"benchmarks": benchmarks}),
        }
    )


def _place_of(path: str, places: tuple[Path, Path]) -> Path:
    """The first folder that holds such a file or folder, or a match of the pattern; the first of all if none does."""
    for place in places:
        # Not Path.glob: it refuses patterns that are absolute.
        if (place / path).exists() or glob.glob(path, root_dir=place, recursive=True):  # noqa: PTH207
            return place
    return places[0]

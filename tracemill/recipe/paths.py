"""What the paths of a recipe are relative to: the recipe's own folder; if nothing is there, the working directory.

A recipe that stands beside its files means them from wherever it is run; recipes that are run from the repository name
files below it. ``data_dir`` on the command line is relative to the working directory alone, like all that is typed.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracemill.recipe.evaluation import Evaluation
    from tracemill.recipe.recipe import Recipe


def with_paths_beside(recipe: Recipe, recipe_path: str | Path, overrides: list[str]) -> Recipe:
    """The recipe with absolute paths, each in the first of the two places where it is; in the first if in neither.

    Args:
        recipe: as it was read.
        recipe_path: of its file.
        overrides: settings of the command line.
    """
    places = _places(recipe.data_dir, recipe_path, overrides)
    if places is None:
        return recipe
    settings = recipe.decontaminate
    benchmarks = tuple(_placed(benchmark, places) for benchmark in settings.benchmarks)
    # The tokenizer's path stands in the card as the recipe has it: it is the folder that is named for it.
    data_dir = _place_of(recipe.label.tokenizer or ".", places)
    return recipe.model_copy(
        update={
            "data_dir": str(data_dir),
            "sources": tuple(_placed(source, places) for source in recipe.sources),
            "decontaminate": settings.model_copy(update={"benchmarks": benchmarks}),
        }
    )


def evaluation_beside(evaluation: Evaluation, recipe_path: str | Path, overrides: list[str]) -> Evaluation:
    """Return an evaluation with absolute paths, likewise; a finished run's directory stands for its ``dataset/``."""
    places = _places(evaluation.data_dir, recipe_path, overrides)
    if places is None:
        return evaluation
    student, baseline, trained_on = evaluation.student, evaluation.baseline, evaluation.trained_on
    if student.responses is not None:
        student = student.model_copy(update={"responses": _absolute(student.responses, places)})
    if trained_on is not None and trained_on.path is not None:
        path = _absolute(trained_on.path, places)
        rows = Path(path, "dataset")
        trained_on = trained_on.model_copy(update={"path": str(rows) if rows.is_dir() else path})
    return evaluation.model_copy(
        update={
            "data_dir": str(places[0]),
            "student": student,
            "benchmarks": tuple(_placed(benchmark, places) for benchmark in evaluation.benchmarks),
            "baseline": None if baseline is None else _absolute(baseline, places),
            "trained_on": trained_on,
        }
    )


def _places(data_dir: str, recipe_path: str | Path, overrides: list[str]) -> tuple[Path, Path] | None:
    """Return the two places, the recipe's own first; None where paths stay as they are."""
    is_typed = any(override.partition("=")[0].strip() == "data_dir" for override in overrides)
    if is_typed or Path(data_dir).is_absolute():
        return None
    return Path(recipe_path).absolute().parent / data_dir, Path(data_dir).absolute()


def _placed(section: Any, places: tuple[Path, Path]) -> Any:
    return section if section.path is None else section.model_copy(update={"path": _absolute(section.path, places)})


def _absolute(path: str, places: tuple[Path, Path]) -> str:
    if Path(path).is_absolute():
        return path
    folder = str(_place_of(path, places))
    return str(Path(glob.escape(folder) if glob.has_magic(path) else folder, path))


def _place_of(path: str, places: tuple[Path, Path]) -> Path:
    """The first folder that holds such a file or folder, or a match of the pattern; the first of all if none does."""
    for place in places:
        # Not Path.glob: it refuses patterns that are absolute.
        if (place / path).exists() or glob.glob(path, root_dir=place, recursive=True):  # noqa: PTH207
            return place
    return places[0]

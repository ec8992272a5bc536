"""Reading a recipe: YAML and overrides to a validated :class:`Recipe`, or one error that names every fault in it.

Pins: the commits at which Hub datasets are read. A branch moves under a run; a commit does not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from tracemill.core import RecipeError, Section
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.faults import explain
from tracemill.recipe.idle_keys import idle_keys
from tracemill.recipe.overrides import overridden
from tracemill.recipe.paths import evaluation_beside, with_paths_beside
from tracemill.recipe.prompt_files import prompts_read, with_prompts_read
from tracemill.recipe.recipe import Recipe
from tracemill.recipe.renamed import with_new_names
from tracemill.recipe.sections.audit import Audit
from tracemill.recipe.sections.students import Comparison
from tracemill.recipe.values import Understanding
from tracemill.recipe.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracemill.recipe.evaluation import Evaluated
    from tracemill.recipe.sections.decontaminate import Benchmark
    from tracemill.sources import Source

COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def is_commit(revision: str | None) -> bool:
    """Tell whether it is a full commit hash; names of branches and tags can be moved."""
    return revision is not None and COMMIT.fullmatch(revision) is not None


def refuse_unpinned(recipe: Recipe, path: str) -> None:
    """Raise if anything that is read from the Hub is not pinned to a commit.

    Raises:
        RecipeError: naming each, and the command that pins them.
    """
    _refuse_loose([*recipe.sources, *recipe.decontaminate.benchmarks], path)


def _refuse_loose(read: Sequence[Source | Benchmark | Evaluated], path: str) -> None:
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


Kind = TypeVar("Kind", bound=Section)


def load_recipe(path: str | Path, overrides: list[str] | None = None, *, pinned: bool = True) -> Recipe:
    """Read a YAML recipe and applies ``section.key=value`` overrides (values are YAML).

    Args:
        path: of the recipe.
        overrides: settings on top of it.
        pinned: what is read from the Hub must name a commit. A recipe to look at, and not to run, need not.

    Raises:
        RecipeError: the file cannot be read, any key or value in it is wrong, or a Hub dataset has no commit.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and "student" in raw and "sources" not in raw:
        raise _other_kind(path, "an evaluation", "section student", "python -m flows.evaluate_student")
    parsed = parse_recipe(raw, overrides or [], origin=str(path))
    recipe = with_prompts_read(with_paths_beside(parsed, path, overrides or []), path)
    if pinned:
        refuse_unpinned(recipe, str(path))
    return recipe


def _other_kind(path: str | Path, kind: str, got: str, command: str) -> RecipeError:
    return RecipeError(
        f"{path} is the recipe of {kind}; nothing has run", got=got, remedy=f"{command} {path}, or name another recipe"
    )


def load_evaluation(path: str | Path, overrides: list[str] | None = None, *, pinned: bool = True) -> Evaluation:
    """Read the recipe of an evaluation; see :func:`load_recipe`.

    Raises:
        RecipeError: the file cannot be read, any key or value in it is wrong, or a Hub dataset has no commit.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and "sources" in raw and "student" not in raw:
        raise _other_kind(path, "a dataset", "section sources", "python -m flows.build_dataset")
    parsed = parse_section(Evaluation, raw, overrides or [], origin=str(path))
    evaluation = evaluation_beside(parsed, path, overrides or [])
    if pinned:
        _refuse_loose([*evaluation.benchmarks, *([evaluation.trained_on] if evaluation.trained_on else [])], str(path))
    student = prompts_read(evaluation.student, path, evaluation.data_dir)
    # An item on which a stage crashes is not set aside: the score of the others would be that of another benchmark.
    run = evaluation.run.model_copy(update={"poison_share": 0.0})
    return evaluation.model_copy(update={"student": student, "run": run})


def load_comparison(path: str | Path, overrides: list[str] | None = None) -> Comparison:
    """Read the recipe of a comparison of students; paths in it are relative to where the command runs.

    Raises:
        RecipeError: the file cannot be read, or any key or value in it is wrong.
    """
    return parse_section(Comparison, read_yaml(path), overrides or [], origin=str(path))


def load_any(path: str | Path) -> Recipe | Evaluation | Comparison:
    """Read a recipe of whichever kind, to look at and not to run.

    Raises:
        RecipeError: the file cannot be read, or any key or value in it is wrong.
    """
    raw = read_yaml(path)
    sections: set[object] = set(raw) if isinstance(raw, dict) else set()
    if "sources" not in sections and "student" in sections:
        return load_evaluation(path, pinned=False)
    if "sources" not in sections and sections & {"arms", "trainer"}:
        return load_comparison(path)
    return load_recipe(path, pinned=False)


def parse_recipe(raw: object, overrides: list[str] | None = None, *, origin: str = "recipe") -> Recipe:
    """Validate plain data as a recipe; see :func:`parse_section`."""
    return parse_section(Recipe, raw, overrides, origin=origin)


def parse_section(kind: type[Kind], raw: object, overrides: list[str] | None = None, *, origin: str) -> Kind:
    """Validate plain data as a recipe of any kind.

    Args:
        kind: what it should be.
        raw: the data.
        overrides: ``section.key=value`` settings on top of it.
        origin: where the data is from, for the error.

    Raises:
        RecipeError: naming every wrong key, its value, what was expected, and the nearest valid key.
    """
    if not isinstance(raw, dict):
        got = "nothing: it is empty" if raw is None else "a list" if isinstance(raw, list) else type(raw).__name__
        raise RecipeError(f"{origin} is not a recipe", got=got, expected="a mapping of sections")
    if issubclass(kind, Recipe):
        raw, overrides = with_new_names(raw, overrides or [], origin)
    understanding = Understanding()
    understood = understanding.section(kind, overridden(raw, overrides or []))
    if issubclass(kind, Recipe | Audit):  # a section alone, as a failed task keeps it, has all its keys
        understanding.faults += idle_keys(understood)
    found: list[object] = []
    try:
        made = kind.model_validate(understood)
    except ValidationError as error:  # not the cause of what is raised: it holds the values, and secrets among them
        found = list(error.errors(include_url=False))
    if not found and not understanding.faults:
        return made
    told = explain(kind, understanding.faults, found)
    raise RecipeError(f"{origin} is refused; nothing has run", got=told)

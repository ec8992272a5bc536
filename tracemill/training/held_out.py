"""Problems that students are scored by: those of the primary endpoint, and those of what is told beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tracemill.core import Category, Problem, RecipeError, normalise_prompt, problem_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.students import Comparison
    from tracemill.training.traces import Trace

_LEAST_ITEMS: Final = 2


class HeldOutItems(NamedTuple):
    """What every student answers.

    Attributes:
        problems: by content id.
        primary: for each problem, whether the primary endpoint is over it.
        secondary: the same of every secondary endpoint, by name.
    """

    problems: list[Problem]
    primary: NDArray[np.bool_]
    secondary: dict[str, NDArray[np.bool_]]


def read_held_out(recipe: Comparison) -> HeldOutItems:
    """Return the held-out problems that any endpoint is over.

    Raises:
        RecipeError: the file cannot be read, or an endpoint has too few of them.
    """
    place = f"held_out.path {recipe.held_out.path}"
    rows = _rows(recipe, place)
    wanted = [recipe.held_out.only, *(second.only for second in recipe.secondary)]
    kept = {name: row for name, row in sorted(rows.items()) if any(_fits(row[1], only) for only in wanted)}
    masks = [np.array([_fits(row, only) for _, row in kept.values()], bool) for only in wanted]
    names = ["", *(second.name for second in recipe.secondary)]
    for name, only, mask in zip(names, wanted, masks, strict=True):
        if mask.sum() < _LEAST_ITEMS:
            raise RecipeError(
                f"{place} has too few problems" + (f" of {name}" if name else ""),
                got=f"{mask.sum()}" + (f" with {only}" if only else ""),
                expected=f"{_LEAST_ITEMS} or more",
            )
    problems = [_problem(name, recipe, number, row) for name, (number, row) in kept.items()]
    return HeldOutItems(problems, masks[0], dict(zip(names[1:], masks[1:], strict=True)))


def _rows(recipe: Comparison, place: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return the rows with their numbers, by the content ids of their problems."""
    settings, found = recipe.held_out, dict[str, tuple[int, dict[str, Any]]]()
    columns = sorted({name for only in (settings.only, *(s.only for s in recipe.secondary)) for name in only})
    try:
        lines = Path(settings.path).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(line for line in lines if line.strip()):
            row = json.loads(line)
            prompt, answer, *_ = [str(row[name]) for name in (settings.prompt, settings.answer, *columns)]
            found[problem_id(prompt, [], answer, None, None)] = number, row
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{place} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected=f"JSONL with {', '.join([settings.prompt, settings.answer, *columns])}",
        ) from error
    return found


def _fits(row: Mapping[str, Any], only: Mapping[str, Sequence[Any]]) -> bool:
    return all(row[name] in values for name, values in only.items())


def _problem(name: str, recipe: Comparison, number: int, row: Mapping[str, Any]) -> Problem:
    return Problem(
        id=name,
        source="held-out",
        row=number,
        category=Category.MATH,
        prompt=str(row[recipe.held_out.prompt]),
        history=[],
        reference_answer=str(row[recipe.held_out.answer]),
        tests=None,
        constraints=None,
        traces=[],
        licence="unknown",
        non_commercial=False,
        info={},
    )


def refuse_held_out_in(traces: Iterable[Trace], held_out: Iterable[Problem]) -> None:
    """Whether a student would be scored on what it was trained on.

    Raises:
        RecipeError: naming such problems.
    """
    unseen = {normalise_prompt(problem.prompt) for problem in held_out}
    seen = {prompt for trace in traces if (prompt := normalise_prompt(trace.asked[-1]["content"])) in unseen}
    if seen:
        raise RecipeError(
            f"{len(seen):,} held-out problems are in the run that the arms are made of; nothing was trained",
            got="; ".join(prompt[:80] for prompt in sorted(seen)[:3]),
            remedy="name the held-out file as a benchmark of that run's recipe (decontaminate), and build it again",
        )

"""Where the teacher is, said by the environment: TEACHER_URL and TEACHER_API_KEY, for recipes that do not say it.

Of an evaluation's student it is STUDENT_URL and STUDENT_API_KEY.

A recipe is the same file on a laptop and in a container.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from flows.parameters import refuse_secrets
from tracemill.core import RecipeError
from tracemill.core.secrets import refuse_unset, secrets_in
from tracemill.evaluate.baseline import read_evaluation
from tracemill.recipe import Recipe, load_evaluation, load_recipe, parse_section
from tracemill.recipe.evaluation import Evaluation
from tracemill.recipe.sections.server import Teacher

Server = TypeVar("Server", bound=Teacher)


def load_recipe_with_env(path: str, overrides: list[str], *, are_kept: bool = False) -> Recipe:
    """Return a recipe, with what this process's environment says of its teacher; see :func:`load_recipe`.

    Args:
        path: of the recipe.
        overrides: settings on top of it.
        are_kept: path and overrides are in Prefect's database by now.

    Raises:
        RecipeError: the recipe is wrong, an override holds a secret, or a secret is not where the recipe says.
    """
    refuse_secrets({"recipe": path, "overrides": overrides}, are_kept=are_kept)
    recipe = with_teacher_from_env(load_recipe(path, overrides), os.environ)
    refuse_unset(recipe)
    if recipe.run.runner.is_cluster:
        _refuse_literal(recipe)
    return recipe


def _refuse_literal(recipe: Recipe | Evaluation) -> None:
    """A secret in a recipe's file would travel with every task, and lie about on a cluster."""
    literal = [found.key for found in secrets_in(recipe) if found.name is None]
    if literal:
        raise RecipeError(
            "the recipe holds secrets, which would be sent to the cluster with every task; nothing has run",
            got=", ".join(literal),
            expected="env:NAME, which each worker looks up for itself",
            remedy="set NAME where the workers are started",
        )


def with_teacher_from_env(recipe: Recipe, environment: Mapping[str, str]) -> Recipe:
    """The recipe with TEACHER_URL (several: commas between) and TEACHER_API_KEY where it names none; empty is unset.

    The key stays where it is: what the recipe gets is its place. A recipe without a teacher, or with several, stays as
    it is.

    Raises:
        RecipeError: TEACHER_URL is no URL of a server.
    """
    teacher = recipe.distill.teacher
    if teacher is None:
        return recipe
    asked = _placed(teacher, environment, "TEACHER")
    return recipe.model_copy(update={"distill": recipe.distill.model_copy(update={"teacher": asked})})


def load_evaluation_with_env(path: str, overrides: list[str], *, are_kept: bool = False) -> Evaluation:
    """Return the recipe of an evaluation, with what this process's environment says of its student.

    Raises:
        RecipeError: as :func:`load_recipe_with_env`.
        StoreError: its baseline is no finished evaluation.
        SourceError: there is no file of responses.
    """
    refuse_secrets({"recipe": path, "overrides": overrides}, are_kept=are_kept)
    loaded = load_evaluation(path, overrides)
    student = _placed(loaded.student, os.environ, "STUDENT")
    evaluation = loaded.model_copy(update={"student": student})
    refuse_unset(evaluation)
    if evaluation.run.runner.is_cluster:
        _refuse_literal(evaluation)
    if evaluation.baseline is not None:
        read_evaluation(evaluation.baseline)
    return evaluation


def _placed(server: Server, environment: Mapping[str, str], name: str) -> Server:
    """Return a teacher or student where the environment says it is, as far as the recipe does not."""
    named = server.model_fields_set | ({"api_key"} if server.authorizes_itself else set())
    said = {field: value for field, value in _said(environment, name).items() if field not in named}
    if not said:
        return server
    given = {field: getattr(server, field) for field in server.model_fields_set - {"system_prompt", "prompt_template"}}
    origin = f"the {server.role}, as {name}_URL and {name}_API_KEY have it,"
    there = parse_section(type(server), given | said, origin=origin)
    return server.model_copy(update={field: getattr(there, field) for field in said})


def note_without_teacher(recipe: Recipe, environment: Mapping[str, str]) -> str:
    """Return what a run without a teacher says of that before it begins; "" where there is one."""
    if recipe.distill.asked:
        return ""
    ignored = [name for name in ("TEACHER_URL", "TEACHER_API_KEY") if environment.get(name, "").strip()]
    told = (
        f"no distill.teacher: only traces by {', '.join(recipe.reused)} that came along are verified; nobody is asked"
    )
    if not ignored:
        return told
    return f"{told}, and {' and '.join(ignored)} of the environment {'is' if len(ignored) == 1 else 'are'} ignored"


def _said(environment: Mapping[str, str], name: str) -> dict[str, Any]:
    urls = tuple(url.strip() for url in environment.get(f"{name}_URL", "").split(",") if url.strip())
    key = environment.get(f"{name}_API_KEY", "").strip()
    return ({"base_urls": urls} if urls else {}) | ({"api_key": f"env:{name}_API_KEY"} if key else {})

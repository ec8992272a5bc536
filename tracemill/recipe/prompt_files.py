"""A recipe's prompts that stand in files of their own: read once, when the recipe is, so that keys know their text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from tracemill.core import RecipeError
from tracemill.recipe.prompt_template import is_file, require_sound

if TYPE_CHECKING:
    from tracemill.recipe.recipe import Recipe
    from tracemill.recipe.sections.server import Teacher

AnyTeacher = TypeVar("AnyTeacher", bound="Teacher")
_FIELDS: Final = ("system_prompt", "prompt_template")
_MOST_BYTES: Final = 1 << 20


def with_prompts_read(recipe: Recipe, recipe_path: str | Path) -> Recipe:
    """Return the recipe with the text of the files that its teacher's prompts name in place of their names.

    Args:
        recipe: with absolute ``data_dir``, unless it is of the command line.
        recipe_path: of its file. Beside it is looked first, then in ``data_dir``, then where the command runs.

    Raises:
        RecipeError: a file is not there, is no text, or cannot be filled.
    """
    distill = recipe.distill
    one = None if distill.teacher is None else prompts_read(distill.teacher, recipe_path, recipe.data_dir)
    several = tuple(prompts_read(teacher, recipe_path, recipe.data_dir) for teacher in distill.teachers)
    if one == distill.teacher and several == distill.teachers:
        return recipe
    return recipe.model_copy(update={"distill": distill.model_copy(update={"teacher": one, "teachers": several})})


def prompts_read(teacher: AnyTeacher, recipe_path: str | Path, data_dir: str) -> AnyTeacher:
    """Return a teacher with the text of the files that its prompts name; see :func:`with_prompts_read`."""
    places = tuple(dict.fromkeys((Path(recipe_path).absolute().parent, Path(data_dir).absolute(), Path.cwd())))
    files = {name: file for name in _FIELDS if (file := getattr(teacher, name)) is not None and is_file(file)}
    texts = {name: _read(f"{teacher.place}.{name}", file, places) for name, file in files.items()}
    return teacher.model_copy(update=texts) if texts else teacher


def _read(key: str, file: str, places: tuple[Path, ...]) -> str:
    found = next((place / file for place in places if (place / file).is_file()), None)
    if found is None:
        raise RecipeError(
            f"{key} names a file that is not there; nothing has run",
            got=file,
            expected=f"it in one of {', '.join(map(str, places))}",
            remedy="name an existing file, or write the text into the recipe",
        )
    try:
        raw = found.read_bytes()
        if len(raw) > _MOST_BYTES:
            raise RecipeError(
                f"{key}: {found} is too large", got=f"{len(raw)} bytes", expected=f"at most {_MOST_BYTES}"
            )
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{key}: cannot read {found}; nothing has run", got=str(error), expected="UTF-8 text"
        ) from error
    if not text.strip():
        raise RecipeError(f"{key}: {found} is empty; nothing has run", expected="a jinja2 template")
    try:
        require_sound(text, uses_prompt=key.endswith("prompt_template"))
    except ValueError as error:
        raise RecipeError(f"{key}: {found} cannot be filled; nothing has run", got=str(error)) from None
    return text

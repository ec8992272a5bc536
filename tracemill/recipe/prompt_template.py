"""Prompts that a recipe brings itself: jinja2 templates, checked before anything runs, and filled for each problem.

Only the question goes into a prompt: what it is judged by (reference, tests) is no variable. Templates run in jinja2's
sandbox, load no files, and have no source of chance, so that equal problems make equal requests.
"""

from __future__ import annotations

import difflib
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tracemill.core import Category

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SUFFIX: Final = ".j2"
# What a template may name. See ``generate.prompts.variables_of``.
VARIABLES: Final = ("prompt", "suffix", "category", "language", "entry_point", "n_turns")
_CHANCE: Final = ("random",)
_FRAME: Final = "<template>"  # what jinja2 calls a template's frames in tracebacks


def is_file(text: str) -> bool:
    """Tell whether a prompt of a recipe names a file: one line that ends in ``.j2``."""
    return text.endswith(SUFFIX) and "\n" not in text


def rendered(source: str, variables: Mapping[str, Any]) -> str:
    """Return a template filled with the variables of one problem.

    Raises:
        jinja2.TemplateError: it needs something that a problem does not have; :func:`require_sound` says so before.
    """
    return _compiled(source).render(variables)


def require_sound(source: str, *, uses_prompt: bool) -> None:
    """Raise unless a template can be filled for problems of every category.

    Args:
        source: of the template.
        uses_prompt: what it makes must differ where the prompt differs.

    Raises:
        ValueError: saying in which line what is wrong.
    """
    try:
        tree = _environment().parse(source)
        template = _compiled(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno} is no jinja2: {error.message}") from None
    unknown = meta.find_undeclared_variables(tree) - set(VARIABLES)
    for name in sorted(tree.find_all(nodes.Name), key=lambda found: found.lineno):
        if name.name in unknown:
            near = difflib.get_close_matches(name.name, VARIABLES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}"
            raise ValueError(f"line {name.lineno} names {name.name}, which is no variable; {hint}")
    for first, second in _samples():
        texts = [_tried(template, sample) for sample in (first, second)]
        if uses_prompt and texts[0] == texts[1]:
            raise ValueError(
                f"does not use prompt for category {first['category']}: every problem would be asked the same; "
                "write {{ prompt }} where the question goes"
            )


def _tried(template: Template, sample: Mapping[str, Any]) -> str:
    try:
        return template.render(sample)
    except Exception as error:  # noqa: BLE001 - a template may raise anything that its expressions do
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _FRAME]
        where = f"line {lines[-1]} " if lines else ""
        words = error.message if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{where}cannot be filled for category {sample['category']}: {words}") from None


def _samples() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield two problems of every kind, which differ in their prompts alone."""
    for category in Category:
        is_code = category == Category.CODE
        for language, entry_point in (("python", "solve"), ("cpp", "")) if is_code else (("", ""),):
            for suffix, n_turns in (("", 0), ("\n\nSay it.", 2)):
                same = {"suffix": suffix, "category": str(category), "language": language, "n_turns": n_turns}
                both = [same | {"entry_point": entry_point, "prompt": text} for text in ("What is 1 + 1?", "Name it.")]
                yield both[0], both[1]


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    for name in _CHANCE:
        del environment.filters[name]
    environment.globals.clear()
    return environment

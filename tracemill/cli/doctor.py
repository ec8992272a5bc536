"""Whether this machine and a recipe are ready for a run: ``python -m tracemill doctor [RECIPE]``.

Each check says what was looked at, what is there and what can be done. It starts nothing and pays for nothing.
*Missing* is what the recipe asks for and is not there; *note* is what works, but not as far as one may think.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracemill.recipe import load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracemill.recipe.sections.decontaminate import Decontaminate
    from tracemill.recipe.sections.deduplicate import Embedding

_GIB: Final = 1 << 30
_LITTLE_SPACE: Final = 5 * _GIB  # a store of 100,000 rows with their traces takes about 3
# docs/decontamination.md, "Rephrased items".
_BY_TEXT_ALONE: Final = "6 %"
_BY_MEANING: Final = "98 %"


class State(StrEnum):
    """How a check came out."""

    FINE = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: the part of the set-up.
        state: how it is.
        found: what is there, in a few words.
        remedy: what to do about it; "" if nothing.
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def examined(recipe: Path | None, folder: Path) -> list[Check]:
    """All checks, those of a recipe if one is given.

    Args:
        recipe: YAML file.
        folder: where a run would write.

    Raises:
        TracemillError: the recipe cannot be read.
    """
    has_library = importlib.util.find_spec("sentence_transformers") is not None
    machine = [space(shutil.disk_usage(folder).free), sandbox(shutil.which("docker"))]
    if recipe is None:
        return [*machine, embedder((), has_library=has_library)]
    read = load_recipe(recipe, pinned=False)
    wanted = [settings for settings in (read.deduplicate.semantic, read.decontaminate.embeddings) if settings]
    return [*machine, embedder(wanted, has_library=has_library), paraphrases(read.decontaminate)]


def space(free: int) -> Check:
    """Free bytes of the disk that a run would write to."""
    state = State.NOTE if free < _LITTLE_SPACE else State.FINE
    remedy = "give --out and the store a larger disk" if state is State.NOTE else ""
    return Check("disk", state, f"{free / _GIB:.1f} GiB free here", remedy)


def sandbox(docker: str | None) -> Check:
    """Whether containers can be started, judged by the client's being there."""
    if docker:
        return Check("sandbox", State.FINE, f"Docker's client is {docker}")
    remedy = "install Docker where code is verified, and run `make sandbox-image`"
    return Check("sandbox", State.NOTE, "no Docker: what is to run in containers cannot be verified", remedy)


def embedder(wanted: Iterable[Embedding], *, has_library: bool) -> Check:
    """Whether the embedding models that a recipe names can be loaded or asked."""
    local = sorted({settings.path or settings.model for settings in wanted if settings.engine != "server"})
    if has_library:
        return Check("embeddings", State.FINE, "sentence-transformers is installed")
    remedy = "run `make embeddings`; or serve the model, and set engine: server"
    if local:
        return Check("embeddings", State.MISSING, f"sentence-transformers, for {', '.join(local)}", remedy)
    return Check("embeddings", State.NOTE, "sentence-transformers is not installed; nothing here asks for it", remedy)


def paraphrases(settings: Decontaminate) -> Check:
    """What of rephrased benchmark items a recipe's comparison finds."""
    what = "decontamination"
    if not settings.benchmarks:
        return Check(what, State.NOTE, "compared with no benchmark", "name them in decontaminate.benchmarks")
    if settings.embeddings is None:
        found = f"by text alone: copies and edits are found, but only about {_BY_TEXT_ALONE} of rephrased items"
        remedy = "give decontaminate.embeddings a model (docs/decontamination.md)"
        return Check(what, State.NOTE, found, remedy)
    return Check(what, State.FINE, f"by text and meaning; a small model found {_BY_MEANING} of 320 rephrased items")


def render(checks: Iterable[Check]) -> str:
    """One line a check, and below it what to do."""
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check.state:<8} {check.what:<16} {check.found}")
        if check.remedy:
            lines.append(f"{'':<25} -> {check.remedy}")
    return "\n".join(lines)


def is_ready(checks: Iterable[Check]) -> bool:
    """Whether nothing is missing that the recipe asks for."""
    return all(check.state is not State.MISSING for check in checks)

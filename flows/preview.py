"""A preview of a build: a few rows of each source through all stages, in a place of its own.

Nothing is published, and nothing of it gets in the way of the run: its tables are in a store of its own, which the next
preview empties, and only what the teacher answered stays, in the recipe's ledger, where the run finds it paid for.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from flows.engine.context import PhaseWork, RunContext
from flows.engine.lineage import Node
from flows.engine.plain_run import PlainRun
from tracemill.core import SourceError
from tracemill.ledger.place import is_remote
from tracemill.recipe import Recipe
from tracemill.recipe.sections.run import Runner
from tracemill.runs.preview import Whole, render_preview
from tracemill.sources.size import size_of
from tracemill.store import Shard, Store

Result = TypeVar("Result")
PREVIEWS: Final = Path(".tracemill/preview")
_AT_ONCE: Final = 8  # shards: what takes long is waiting for the teacher


@dataclass(frozen=True)
class Previewed:
    """What a preview has made.

    Attributes:
        run: directory that looks like a finished run's.
        text: for the terminal.
    """

    run: Path
    text: str


class _SideBySide(PlainRun[Recipe]):
    """A run without a server whose shards are worked on at once, since a source is one."""

    def phase(
        self,
        name: str,
        last_stage: str,
        work: PhaseWork[Result],
        start_order: Sequence[str] | None = None,
        after: Iterable[Shard | Node] = (),
    ) -> dict[str, Result]:
        """Return every shard, once all are known; see :meth:`RunContext.phase`."""
        self.logger.info("%s …", name)
        phase = super().phase
        known = dict(work)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=name) as pool:
            one = {
                label: pool.submit(phase, name, last_stage, {label: known[label]}, None, after)
                for label in start_order or known
            }
            return {label: one[label].result()[label] for label in known}


def preview(
    recipe: Recipe,
    n_rows: int,
    build: Callable[[RunContext, str, int], object],
    logger: logging.Logger,
    place: Path = PREVIEWS,
) -> Previewed:
    """Take the first rows of every source through all stages.

    Args:
        recipe: as a run would have it.
        n_rows: of each source, from its beginning.
        build: runs the method, see :func:`flows.build_dataset.build`.
        logger: is told what is being done.
        place: folder of previews; that of this recipe is made anew.

    Raises:
        TracemillError: as from a run; what the teacher answered until then is in the ledger.
    """
    folder = place / recipe.name
    for old in (folder / "store", folder / "run"):
        shutil.rmtree(old, ignore_errors=True)
    run = folder / "run"
    build(_SideBySide(apart(recipe, folder), Store(str(folder / "store")), logger), str(run), n_rows)
    ledger = Path(ledger_of(recipe))
    wholes = {source.name: _whole(source, recipe.data_dir) for source in recipe.sources}
    text = render_preview(run, ledger if ledger.is_dir() else None, wholes, recipe.distill)
    return Previewed(run, text)


def apart(recipe: Recipe, folder: Path) -> Recipe:
    """Return a recipe whose run keeps to a folder of its own, but for the ledger; that goes on, and asks nobody."""
    run = {"store": str(folder / "store"), "ledger": ledger_of(recipe), "runner": Runner(kind="threads")}
    sources = tuple(source.model_copy(update={"allow_empty": True}) for source in recipe.sources)
    return recipe.model_copy(
        update={
            "run": recipe.run.model_copy(update=run),
            "sources": sources,
            "distill": recipe.distill.model_copy(update={"cost": None}),
            "select": recipe.select.model_copy(update={"rejected": True}),
            "export": recipe.export.model_copy(update={"allow_empty": True, "compare_with": None}),
            "push": None,
        }
    )


def ledger_of(recipe: Recipe) -> str:
    """Return where the run of a recipe keeps what it has paid for."""
    place = recipe.run.ledger or Store(recipe.run.store).path("ledger")
    return place if is_remote(place) else str(Path(place).absolute())


def _whole(source: Any, data_dir: str) -> Whole:
    with contextlib.suppress(SourceError, OSError):
        return Whole(*size_of(source, data_dir))
    return Whole(None, is_exact=False)


def render_summary(made: Previewed) -> str:
    """Return what the terminal shows."""
    return "\n".join(
        [
            "",
            made.text,
            "",
            "Nothing was published. What the teacher answered is in the ledger: the run does not ask for it again.",
            f"look      python -m tracemill browse {made.run}",
        ]
    )

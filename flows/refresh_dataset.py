"""Brings a published dataset up to date: ``python -m flows.refresh_dataset RECIPE``; nothing new ends in seconds.

The stages are those of ``build_dataset``. New source rows become new shards beside the old ones, whose results stand;
what is published is a new version beside the one before it. Refreshes of one directory never overlap.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sys
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.states import Completed

from flows.build_dataset import Built, build, render_summary
from flows.command_line import dataset_command
from flows.engine.context import RunContext
from flows.engine.paused import or_paused
from flows.engine.plain_run import found_run
from flows.engine.poison import is_mended
from flows.engine.runners import local_runner
from flows.forms import Overrides, RecipePath, Text
from flows.parameters import without_secrets
from flows.phases.collect import read_sources
from flows.phases.publish import output_of
from flows.teacher_from_env import load_recipe_with_env
from tracemill.inference.refusals import REFUSED, REFUSED_BY_TEACHER
from tracemill.publish import published, refuse_foreign
from tracemill.publish.directory.versions import held
from tracemill.publish.manifest import n_published
from tracemill.recipe import Recipe
from tracemill.store import Store, load_collection


@without_secrets
@flow(name="refresh-dataset", flow_run_name="refresh {recipe}", task_runner=local_runner())
def refresh_dataset(recipe: RecipePath, overrides: Overrides = (), out: Text = "") -> State[Built]:
    """Adds what is new in the sources to a published dataset.

    Args:
        recipe: The recipe: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as distill.limit=100.
        out: Directory of the finished run; below runs/, by the name of the recipe, if empty.
    """
    loaded = load_recipe_with_env(recipe, list(overrides or ()), are_kept=True)
    context = RunContext(loaded, Store(loaded.run.store), get_run_logger())
    # Prefect shows the message beside the state; the caller gets the data.
    return or_paused(lambda: _completed(refresh(context, out)), context.logger)  # type: ignore[no-any-return]


def _completed(built: Built) -> State[Built]:
    return Completed(message=built.note, data=built)


def refresh(context: RunContext, out: str | None = None) -> Built:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Raises:
        TracemillError: what stands there stands.
    """
    out = out or f"runs/{context.recipe.name}"
    refuse_foreign(Store(out), output_of(context.recipe))  # before a lock is made there
    with _one_at_a_time(out, context.logger):
        return _refresh(context, out)


def _refresh(context: RunContext, out: str) -> Built:
    """Return the current publication if the sources are unchanged, else build a new one."""
    standing = published(Store(out))
    if standing is not None and _is_up_to_date(context, standing):
        note = f"nothing new: {_named(standing, out)}, as before"
        context.logger.info(note)
        return Built(out, standing, context.n_cached, context.n_executed, note)
    built = build(context.anew(), out)
    if standing is not None and built.manifest["key"] == standing["key"]:
        n_refused = sum(standing.get(REFUSED, {}).values())
        refused = f"; {n_refused:,} requests were asked again, and refused again" if n_refused else ""
        return dataclasses.replace(built, note=f"nothing new: {_named(standing, out)}, as before{refused}")
    before = f"before: {n_published(standing):,}" if standing is not None else "the first"
    return dataclasses.replace(built, note=f"{_named(built.manifest, out)} ({before})")


def _is_up_to_date(context: RunContext, standing: dict[str, Any]) -> bool:
    """Tell whether another build would find the same rows, and nothing that was left for later."""
    if standing.get("recipe_digest") != context.recipe.digest() or is_mended(standing):
        return False
    if "unjudged" in standing or _has_refusals(standing):
        return False
    before = load_collection(context.store, context.recipe.name)
    return set(read_sources(context).shards()) == set(before.shards())


def _has_refusals(standing: dict[str, Any]) -> bool:
    """Whether rows were published without answers that servers have refused, also by code that did not count them."""
    return REFUSED in standing or any(row["reason"] == REFUSED_BY_TEACHER for row in standing.get("funnel", ()))


def _named(manifest: dict[str, Any], out: str) -> str:
    version = f", version {manifest['version']}" if "version" in manifest else ""
    return f"{out}{version}, {n_published(manifest):,} rows"


def found(recipe: Recipe, out: str | None) -> Built | None:
    """Return what stands in the run's directory if nothing is new, and nothing is left to do; None otherwise."""
    return found_run(recipe, lambda context: refresh(context, out))


@contextlib.contextmanager
def _one_at_a_time(out: str, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> Any:
    """Wait for another refresh of the same directory, and says so."""
    folder = Store(out).folder
    if folder is None:  # Not on this machine's disks: the deployment's limit is what keeps them apart.
        yield
        return

    def waiting(holder: str) -> None:
        logger.warning("another refresh of %s is under way (%s): waiting for it", out, holder)

    with held(folder, "refreshing", waiting):
        yield


if __name__ == "__main__":
    sys.exit(dataset_command(refresh_dataset, render_summary, Path(__file__).stem, __doc__ or "", found))

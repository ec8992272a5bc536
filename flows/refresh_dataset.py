"""Brings a published dataset up to date: ``python -m flows.refresh_dataset RECIPE``; nothing new ends in seconds.

The stages are those of ``build_dataset``. New source rows become new shards beside the old ones, whose results stand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from prefect import flow, get_run_logger

from flows.build_dataset import Built, build
from flows.command_line import dataset_command
from flows.forms import Overrides, RecipePath, Text
from flows.run_context import RunContext
from flows.source_shards import read_sources
from flows.task_runners import own_tasks
from flows.teacher_place import load_recipe_here
from tracemill.collection import load_collection
from tracemill.run_directory import published
from tracemill.store import Store


@flow(
    name="refresh-dataset",
    flow_run_name="refresh {recipe}",
    task_runner=own_tasks(),
)
def refresh_dataset(recipe: RecipePath, overrides: Overrides = (), out: Text = "") -> Built:
    """Adds what is new in the sources to a published dataset.

    Args:
        recipe: The recipe: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as distill.limit=100.
        out: Directory of the finished run; runs/<recipe name> if empty.
    """
    loaded = load_recipe_here(recipe, list(overrides or ()))
    out = out or f"runs/{loaded.name}"
    context = RunContext(loaded, Store(loaded.run.store), get_run_logger())
    standing = published(Store(out))
    if standing is not None and standing.get("recipe_digest") == loaded.digest():
        before = load_collection(context.store, loaded.name)
        if set(read_sources(context).shards()) == set(before.shards()):
            context.logger.info("nothing new in any source: %s stands as it is", out)
            return Built(out, standing, context.n_cached, context.n_executed)
    return build(loaded, out)


if __name__ == "__main__":
    sys.exit(dataset_command(refresh_dataset, Path(__file__).stem, __doc__ or ""))

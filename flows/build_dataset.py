"""Builds a verified dataset from a recipe: ``python -m flows.build_dataset RECIPE [--set key=value]… [--out DIR]``.

The method, top to bottom: read the sources into raw shards and curate each as it comes; cluster duplicates over all;
drop duplicates and contaminated rows; reuse the traces that came along and distill the rest, verifying as they come;
publish. Finished work is found and kept, however often the run was killed.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect import flow, get_run_logger

from flows.command_line import dataset_command, how_to_look, shown_place, work_done
from flows.engine.context import RunContext
from flows.engine.paused import or_paused
from flows.engine.plain_run import found_run
from flows.engine.runners import local_runner
from flows.forms import Overrides, RecipePath, Text
from flows.parameters import without_secrets
from flows.phases import shards
from flows.phases.cost_gate import pass_cost_gate
from flows.phases.decontaminate import Benchmarks, benchmarks_of, contamination_of, decontamination
from flows.phases.duplicates import cluster_duplicates, curate
from flows.phases.earlier_run import refuse_unknown_comparison
from flows.phases.publish import Distilled, output_of, publish, warn_about_sandbox_errors
from flows.phases.push import push, refuse_unsendable
from flows.phases.select import distill_and_select
from flows.phases.semantic_duplicates import embed_survivors, merge_duplicates
from flows.phases.shards import ShardHistory, Stages, distill_one, labellings, prepare_one, set_aside
from flows.preview import preview
from flows.preview import render_summary as render_preview_summary
from flows.teacher_from_env import load_recipe_with_env, note_without_teacher
from tasks.distill import limit_problems
from tasks.engine.work import NoSettings
from tasks.judges import Calibration, calibrate
from tasks.label import measure_plan
from tasks.publish import tally_published
from tracemill.dedup.conflict_report import ConflictReport, conflict_report
from tracemill.inference.refusals import REFUSED
from tracemill.publish.funnel import FUNNEL, render
from tracemill.publish.tally import PublishedTally
from tracemill.recipe import Recipe
from tracemill.select.calibration import Threshold
from tracemill.store import Collection, Manifest, Shard, Store, save_collection


@dataclass(frozen=True)
class Built:
    """What a run has made.

    Attributes:
        out: the run's directory.
        manifest: of the publication.
        n_cached: tasks that were found finished.
        n_executed: tasks that were run.
        note: what a refresh says of it.
        spent: what all runs of the recipe have cost so far, where prices are known.
    """

    out: str
    manifest: dict[str, Any]
    n_cached: int
    n_executed: int
    note: str = ""
    spent: str = ""


@without_secrets
@flow(name="build-dataset", flow_run_name="build {recipe}", task_runner=local_runner())
def build_dataset(recipe: RecipePath, overrides: Overrides = (), out: Text = "") -> Built:
    """Builds a verified dataset from a recipe.

    Args:
        recipe: The recipe: one that is shipped, or the path of another YAML file.
        overrides: Settings on top of it as section.key=value, one an item, such as distill.limit=100.
        out: Directory of the finished run; below runs/, by the name of the recipe, if empty.
    """
    loaded = load_recipe_with_env(recipe, list(overrides or ()), are_kept=True)
    context = RunContext(loaded, Store(loaded.run.store), get_run_logger())
    return or_paused(lambda: build(context, out), context.logger)  # type: ignore[no-any-return]  # or Prefect's state


def build(context: RunContext, out: str | None = None, limit: int | None = None) -> Built:
    """Run the method: in the flow run that is under way, or without Prefect (``flows/engine/plain_run.py``).

    Args:
        context: of the run.
        out: the run's directory; below runs/ unless given.
        limit: at most so many rows of each source, from its beginning.

    Raises:
        TracemillError: what was finished before is kept.
    """
    recipe = context.recipe
    out = out or f"runs/{recipe.name}"
    refuse_unsendable(recipe.push, out)
    refuse_unknown_comparison(recipe)
    context.prepare(out, output_of(recipe))
    if told := note_without_teacher(recipe, os.environ):
        context.logger.info("%s", told)
    benchmarks = benchmarks_of(context)
    counting = measure_plan(recipe.label, recipe.data_dir)
    labelling = labellings(recipe, counting, context.ledger)
    collection, curated = curate(context, limit)
    prepared, conflicts = prepare(context, collection, curated, benchmarks, labelling)
    over = choose_problems(context, prepared)
    pass_cost_gate(context, prepared, over, counting)
    cuts = choose_thresholds(context, collection, prepared)
    distill = {
        label: partial(
            distill_one, history=history, over=over.get(label), cuts=cuts, ledger=context.ledger, recipe=recipe
        )
        for label, history in prepared.items()
    }
    works_on = [history.current for history in prepared.values()] + list(over.values())
    start_order = shards.start_order(recipe, prepared)
    histories = distill_and_select(context, collection, distill, counting, start_order, works_on)
    distilled = Distilled(
        shards=list(histories.values()),
        cuts=cuts,
        contamination=contamination_of(benchmarks, list(prepared.values())),
        conflicts=conflicts,
        tally=tally_of(context, prepared, histories),
        n_unjudged=warn_about_sandbox_errors(context, list(histories.values())),
    )
    manifest = publish(context, distilled, out)
    save_collection(context.store, recipe.name, collection)
    push(context, out)
    return Built(out, manifest, context.n_cached, context.n_executed, spent=context.spent())


def prepare(
    context: RunContext,
    collection: Collection,
    curated: dict[str, ShardHistory],
    benchmarks: Benchmarks,
    labelling: Stages,
) -> tuple[dict[str, ShardHistory], ConflictReport]:
    """Everything else before generation: problems that are nobody's duplicate, in no benchmark, and wanted."""
    recipe = context.recipe
    duplicates = cluster_duplicates(context, collection, curated)
    decisions = by_words = duplicates.decisions
    embedded: dict[str, Manifest] = {}
    semantic = recipe.deduplicate.semantic
    if semantic is not None:
        embedded = embed_survivors(context, semantic.embedding(), curated, by_words)
        duplicates = merge_duplicates(context, semantic, collection, curated, by_words, embedded)
        decisions = duplicates.decisions
    aside = {label: set_aside([manifest]) for label, manifest in embedded.items()}
    comparisons = {label: decontamination(context, benchmarks, embedded.get(label)) for label in curated}
    work = {
        label: partial(
            prepare_one,
            history=history,
            decisions=decisions[label],
            decontaminate=comparisons[label],
            labelling=labelling,
            aside=aside.get(label, {}),
        )
        for label, history in curated.items()
    }
    works_on = [*decisions.values(), *benchmarks.tables()]
    prepared = context.phase("prepare", labelling[-1][0].name, work, after=works_on)
    in_shards = (manifest.facts for history in prepared.values() for manifest in history.manifests)
    return prepared, conflict_report(duplicates.facts, in_shards)


def choose_problems(context: RunContext, prepared: dict[str, ShardHistory]) -> dict[str, Shard]:
    """Return which rows are over the recipe's limit, by shard label; nothing where there is no limit."""
    if context.recipe.distill.limit is None:
        return {}
    inputs = {f"problems-{i:05d}": history.current for i, history in enumerate(prepared.values())}
    chosen = context.single(limit_problems, context.recipe.distill, inputs, "all shards")
    return {label: chosen.outputs[f"over-{i:05d}"] for i, label in enumerate(prepared)}


def choose_thresholds(
    context: RunContext, collection: Collection, prepared: dict[str, ShardHistory]
) -> dict[str, Threshold]:
    """Return the score above which an open answer passes, by section of the recipe; no later batch moves it."""
    recipe = context.recipe
    n_first = len(collection.batches[0]) if collection.batches else 0
    first = list(prepared.values())[:n_first]
    inputs = {f"problems-{i:05d}": history.current for i, history in enumerate(first)}
    if recipe.reused:
        inputs |= {f"texts-{i:05d}": history.outputs("texts")[0] for i, history in enumerate(first)}
    cuts = {}
    for scored in (recipe.reward, recipe.rubric):
        if scored is None:
            continue
        if scored.quantile is None:
            cuts[scored.place] = Threshold(scored.threshold, "fixed by the recipe")
            continue
        plan = Calibration(
            scored=scored,
            teacher=next(iter(recipe.distill.asked), None),
            reused=recipe.reused,
            limit=recipe.distill.limit,
            verify=recipe.verify,
            ledger=context.ledger,
            purse=recipe.purse,
        )
        found = context.single(calibrate, plan, inputs, scored.place, again=True).facts
        cuts[scored.place] = Threshold(found["cut"], f"quantile {scored.quantile:g} of {found['n_scores']} scores")
        context.logger.info("%s: cut %s, %s", scored.place, *cuts[scored.place])
    return cuts


def tally_of(
    context: RunContext, prepared: dict[str, ShardHistory], distilled: dict[str, ShardHistory]
) -> PublishedTally:
    """Return what the published rows are made of."""
    kinds = {
        "problems": [history.current for history in prepared.values()],
        "selected": [history.current for history in distilled.values()],
        "traces": [shard for history in distilled.values() for shard in history.outputs("traces")],
    }
    inputs = {f"{kind}-{i:05d}": shard for kind, shards in kinds.items() for i, shard in enumerate(shards)}
    return PublishedTally.model_validate(context.single(tally_published, NoSettings(), inputs, "").facts)


def render_summary(built: Built, seconds: float) -> str:
    """Return what was made and where it is."""
    table = pa.Table.from_pylist(built.manifest["funnel"], schema=FUNNEL)
    where = shown_place(built.out)
    return "\n".join(
        [
            *(["", built.note] if built.note else []),
            "",
            render(table),
            "",
            work_done(built.n_executed, built.n_cached, seconds),
            *([built.spent.replace("spent ", "spent     ", 1)] if built.spent else []),
            *(
                f"refused   {n:,} requests of {server}: the next run asks for them again"
                for server, n in built.manifest.get(REFUSED, {}).items()
            ),
            f"dataset   {where}/dataset          (Parquet; card in README.md)",
            f"          {where}/am.jsonl.zst     (the reference dataset's row layout)",
            f"dropped   {where}/dropped          (every dropped row: stage, reason, evidence)",
            f"verdicts  {where}/verdicts         (every verdict on every response)",
            f"traces    {where}/traces           (of every response: what was measured, and why it is not published)",
            f"report    {where}/report.html",
            f"versions  {where}/versions         (this and earlier publications: python -m tracemill versions {where})",
            f"one row   python -m tracemill why ID --run {where}",
            f"look      python -m tracemill browse {where}   (a page over all rows)",
            f"the run   {how_to_look()}",
        ]
    )


def found(recipe: Recipe, out: str | None) -> Built | None:
    """Return what stands in the run's directory if every step that leads to it is finished; None otherwise."""
    return found_run(recipe, lambda context: build(context, out))


def previewed(recipe: Recipe, n_rows: int) -> str:
    """Return what a few rows of each source came to; nothing is published."""
    return render_preview_summary(preview(recipe, n_rows, build, logging.getLogger("tracemill")))


if __name__ == "__main__":
    sys.exit(dataset_command(build_dataset, render_summary, Path(__file__).stem, __doc__ or "", found, previewed))

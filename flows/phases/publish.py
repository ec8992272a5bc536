"""The last step of a build: the run's directory, once every row is accounted for.

Sends a finished dataset to the Hub, if the recipe says so; or says what it would send.

Responses without a verdict because the sandbox failed: what a run says of them, so that nobody misses them.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect.blocks.system import Secret

from flows.engine.artifacts import funnel_artifact
from flows.engine.context import RunContext
from flows.engine.events import tell_published
from flows.engine.poison import poison_facts
from flows.phases.earlier_run import earlier_run
from flows.phases.shards import ShardHistory
from tasks.publish import push_dataset
from tasks.verify import UNJUDGED
from tracemill.core import RecipeError, digest, pretty_json
from tracemill.decontaminate.report import BenchmarkReport, as_json
from tracemill.dedup.conflict_report import ConflictReport
from tracemill.inference.refusals import REFUSED
from tracemill.inference.usage import did_of, usage_of
from tracemill.label.counts import label_summary
from tracemill.publish import Funnel, Output, Publication, dataset_output
from tracemill.publish.card import card, licences_text
from tracemill.publish.earlier import figures_of
from tracemill.publish.examples import examples_of
from tracemill.publish.export import CARD, LICENCE_FILE, REPORT
from tracemill.publish.report import report
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import PublishedTally
from tracemill.recipe import Recipe
from tracemill.recipe.sections.push import Push
from tracemill.runs import shipment
from tracemill.runs.push import render
from tracemill.select import sample_kind
from tracemill.select.calibration import Threshold


def refuse_unsendable(section: Push | None, out: str) -> None:
    """Before anything is paid for: whether what the recipe wants sent could be sent.

    Raises:
        RecipeError: the run's directory is not on a disk, or the token is not where the recipe says.
    """
    if section is None:
        return
    if "://" in out:
        raise RecipeError(
            "section publish sends from a folder on a disk",
            got=f"--out {out}",
            remedy="leave the section out, or --out",
        )
    if section.really:
        token_of(section)


def token_of(section: Push) -> str:
    """Return the token, from the environment or a Secret block of Prefect's.

    Raises:
        RecipeError: there is none.
    """
    kind, _, name = section.token.partition(":")
    if kind == "env":
        found = os.environ.get(name, "")
        remedy = f"set {name} where the flow runs, or name a Secret block: push.token=secret:NAME"
    else:
        found, remedy = _secret(name), f"make the block: Blocks, Secret, name {name} in Prefect's UI"
    if not found:
        raise RecipeError("there is no token for the Hub", got=f"nothing at {section.token}", remedy=remedy)
    return found


def _secret(name: str) -> str:
    """Return the text of a Secret block; "" where there is no such block."""
    try:
        value = Secret.load(name).get()  # type: ignore[union-attr]  # loaded in a flow it is the block itself
    except ValueError:
        return ""
    return str(value)


def push(context: RunContext, out: str) -> str | None:
    """Send what was published into ``out``, or says what it would send; returns the commit's address.

    Raises:
        StoreError: the card's licence is not that of the rows, or the Hub refused. The dataset is finished and stands.
    """
    section = context.recipe.push
    if section is None:
        return None
    told = render(shipment(Path(out), section.repo))
    commit = context.run_task(push_dataset, out, section, token_of, section.repo) if section.really else None
    end = f"sent: {commit}" if commit else "nothing was sent: push.really=true sends it"
    context.logger.info("%s\n%s", told, end)
    context.artifacts.page(f"```\n{told}\n```\n{end}", "hub", "What goes to the Hub")
    return commit


def warn_about_sandbox_errors(context: RunContext, shards: list[ShardHistory]) -> int:
    """Say how many responses await their verdict, and why; the next run judges them. Returns how many."""
    reasons: Counter[str] = Counter()
    for manifest in [manifest for history in shards for manifest in history.manifests]:
        reasons.update(manifest.facts.get(UNJUDGED, {}))
    for reason, n_responses in reasons.most_common(3):
        context.logger.warning("%s responses were not judged: %s", f"{n_responses:,}", reason)
    return reasons.total()


EXPORT_VERSION = 4


def publish(
    context: RunContext,
    shards: list[ShardHistory],
    cuts: dict[str, Threshold],
    contamination: list[BenchmarkReport],
    conflicts: ConflictReport,
    tally: PublishedTally,
    out: str,
    unjudged: int,
) -> dict[str, Any]:
    """Write the run's directory, once every row is accounted for."""
    recipe = context.recipe
    table = _funnel_of(shards)
    labels = label_summary((manifest for history in shards for manifest in history.manifests), tally.labels)
    manifests = [manifest for history in shards for manifest in history.manifests]
    usage, did = usage_of(manifests), did_of(manifests)
    dropped = [shard for history in shards for shard in history.outputs("dropped")]
    examples = examples_of(context.store, dropped)
    summary = BuildSummary(recipe, table, labels, tally, cuts, contamination, conflicts, usage, did, examples)
    licences = licences_text(tally)
    texts = {
        CARD: card(summary),
        **({LICENCE_FILE: licences} if licences else {}),
        REPORT: report(summary),
        "decontamination.json": pretty_json(as_json(contamination)),
    }
    selected = [history.current for history in shards]
    verdicts = [shard for history in shards for shard in history.outputs("verdicts")]
    beside = {name: [shard for history in shards for shard in history.outputs(name)] for name in _beside(recipe)}
    poison = poison_facts(manifest for history in shards for manifest in history.manifests)
    # In the key, so that the manifest tells what the rows were made without, and what is fixed is a new version.
    refused = {REFUSED: dict(sorted(context.refused.items()))} if context.refused else {}
    groups = (selected, dropped, verdicts, *beside.values())
    handles = [[shard.sha256 for shard in group] for group in groups]
    key = digest(
        *("export", EXPORT_VERSION, recipe.export.digest(), list(beside), handles, texts),
        *poison.values(),
        *refused.values(),
    )
    publication = Publication(
        key=key,
        selected=selected,
        dropped=dropped,
        verdicts=verdicts,
        shuffle_seed=recipe.export.shuffle_seed,
        rows_per_file=recipe.export.rows_per_file,
        texts=texts | _compared(summary, out),
        beside=beside,
        keep=recipe.export.keep_versions,
        kind=sample_kind(recipe.select),
        facts=_facts(summary) | conflicts.facts() | poison | refused | _missing(unjudged),
    )
    tables = [shard for group in groups for shard in group]
    may_empty = tally.n_rows > 0 or recipe.export.allow_empty
    n_before = context.n_executed
    manifest = context.export(publication, tables, out, may_empty=may_empty)
    if context.n_executed > n_before:
        tell_published(recipe.name, out, manifest, tally.n_rows)
    funnel_artifact(context.artifacts, table, context.tables, out)
    return manifest


def _missing(unjudged: int) -> dict[str, int]:
    return {"unjudged": unjudged} if unjudged else {}


def _compared(summary: BuildSummary, out: str) -> dict[str, str]:
    """Return the report with a comparison, where there is an earlier publication.

    It is in no key: with what a dataset is compared depends on when it was published, and changes nothing in it.
    """
    earlier = earlier_run(summary.recipe, out)
    return {} if earlier is None else {REPORT: report(dataclasses.replace(summary, earlier=earlier))}


def _facts(summary: BuildSummary) -> dict[str, Any]:
    """Return what the manifest says beside the files."""
    facts = {
        "recipe": summary.recipe.name,
        "recipe_digest": summary.recipe.digest(),
        "funnel": summary.funnel.to_pylist(),
        "labels": summary.labels._asdict(),
    }
    cuts = {"cuts": {name: cut._asdict() for name, cut in summary.cuts.items()}} if summary.cuts else {}
    return facts | figures_of(summary) | cuts


def _funnel_of(shards: list[ShardHistory]) -> pa.Table:
    """Return where every source row went."""
    funnel = Funnel()
    for history in shards:
        funnel.add(history.source, history.manifests)
    return funnel.table()


def output_of(recipe: Recipe) -> Output:
    """Return what a build of this recipe publishes, as far as it is known before it runs."""
    return dataset_output(_beside(recipe))


def _beside(recipe: Recipe) -> list[str]:
    """Folders that are published beside the dataset."""
    optional = {"preferences": recipe.select.preferences, "rejected": recipe.select.rejected}
    return ["traces", "grey", *(name for name, wanted in optional.items() if wanted)]

"""The last step of a build: the run's directory, once every row is accounted for."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from flows.artifacts import funnel_artifact
from flows.poison import poison_facts
from flows.run_context import RunContext
from flows.shard_dag import ShardHistory
from tracemill.card import card
from tracemill.conflict_report import ConflictReport
from tracemill.contamination_report import BenchmarkReport, as_json
from tracemill.cuts import Cut
from tracemill.export import CARD, Publication, dataset_output
from tracemill.funnel import Funnel
from tracemill.label_counts import LabelSummary, label_summary
from tracemill.published_tally import PublishedTally
from tracemill.recipe import Recipe
from tracemill.refusals import REFUSED
from tracemill.report import report
from tracemill.run_directory import Output
from tracemill.schema import digest, pretty_json

EXPORT_VERSION = 4


def publish(
    context: RunContext,
    shards: list[ShardHistory],
    cuts: dict[str, Cut],
    contamination: list[BenchmarkReport],
    conflicts: ConflictReport,
    tally: PublishedTally,
    out: str,
    unjudged: int,
) -> dict[str, Any]:
    """Writes the run's directory, once every row is accounted for."""
    recipe = context.recipe
    table = _funnel_of(shards)
    labels = label_summary((manifest for history in shards for manifest in history.manifests), tally.labels)
    texts = {
        CARD: card(recipe, table, cuts, labels, tally, contamination, conflicts),
        "report.html": report(recipe, table, labels, tally, contamination, conflicts),
        "decontamination.json": pretty_json(as_json(contamination)),
    }
    selected = [history.current for history in shards]
    dropped = [shard for history in shards for shard in history.outputs("dropped")]
    verdicts = [shard for history in shards for shard in history.outputs("verdicts")]
    beside = {name: [shard for history in shards for shard in history.outputs(name)] for name in _beside(recipe)}
    poison = poison_facts(manifest for history in shards for manifest in history.manifests)
    # In the key, so that the manifest tells what the rows were made without, and what is mended is a new version.
    refused = {REFUSED: dict(sorted(context.refused.items()))} if context.refused else {}
    groups = (selected, dropped, verdicts, *beside.values())
    handles = [[shard.sha256 for shard in group] for group in groups]
    publication = Publication(
        key=digest(
            *("export", EXPORT_VERSION, recipe.export.digest(), list(beside), handles, texts),
            *poison.values(),
            *refused.values(),
        ),
        selected=selected,
        dropped=dropped,
        verdicts=verdicts,
        shuffle_seed=recipe.export.shuffle_seed,
        rows_per_file=recipe.export.rows_per_file,
        texts=texts,
        beside=beside,
        keep=recipe.export.keep_versions,
        facts=_facts(recipe, table, labels, cuts) | conflicts.facts() | poison | refused | _missing(unjudged),
    )
    tables = [shard for group in groups for shard in group]
    may_empty = tally.n_rows > 0 or recipe.export.allow_empty
    manifest = context.export(publication, tables, out, may_empty=may_empty)
    funnel_artifact(context.artifacts, table, context.tables, out)
    return manifest


def _missing(unjudged: int) -> dict[str, int]:
    return {"unjudged": unjudged} if unjudged else {}


def _facts(recipe: Recipe, funnel: pa.Table, labels: LabelSummary, cuts: dict[str, Cut]) -> dict[str, Any]:
    """What the manifest says beside the files."""
    facts = {
        "recipe": recipe.name,
        "recipe_digest": recipe.digest(),
        "funnel": funnel.to_pylist(),
        "labels": labels._asdict(),
    }
    return facts | ({"cuts": {name: cut._asdict() for name, cut in cuts.items()}} if cuts else {})


def _funnel_of(shards: list[ShardHistory]) -> pa.Table:
    """Where every source row went."""
    funnel = Funnel()
    for history in shards:
        funnel.add(history.source, history.manifests)
    return funnel.table()


def output_of(recipe: Recipe) -> Output:
    """What a build of this recipe publishes, as far as it is known before it runs."""
    return dataset_output(_beside(recipe))


def _beside(recipe: Recipe) -> list[str]:
    """Folders that are published beside the dataset."""
    optional = {"preferences": recipe.select.preferences, "rejected": recipe.select.rejected}
    return ["traces", "grey", *(name for name, wanted in optional.items() if wanted)]

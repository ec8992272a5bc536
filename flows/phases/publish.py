"""The last step of a build: the run's directory, once every row is accounted for.

Responses without a verdict because the sandbox failed: what a run says of them, so that nobody misses them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from flows.engine.artifacts import funnel_artifact
from flows.engine.context import RunContext
from flows.engine.events import tell_published
from flows.engine.poison import poison_facts
from flows.phases.earlier_run import earlier_run
from flows.phases.shards import ShardHistory
from tasks.verify import UNJUDGED
from tracemill.core import digest, pretty_json
from tracemill.decontaminate.report import BenchmarkReport, as_json
from tracemill.dedup.conflict_report import ConflictReport
from tracemill.inference.refusals import REFUSED
from tracemill.inference.usage import did_of, usage_of
from tracemill.label.counts import label_summary
from tracemill.publish import Funnel, Output, Publication, dataset_output
from tracemill.publish.card import card, kind_of_rows, licences_text
from tracemill.publish.earlier import figures_of
from tracemill.publish.examples import examples_of
from tracemill.publish.export import CARD, LICENCE_FILE, REPORT
from tracemill.publish.report import report
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import PublishedTally
from tracemill.publish.vote_report import VoteReport, vote_report
from tracemill.recipe import Recipe
from tracemill.select.calibration import Threshold
from tracemill.store import Manifest, Shard


def warn_about_sandbox_errors(context: RunContext, shards: list[ShardHistory]) -> int:
    """Say how many responses await their verdict, and why; the next run judges them. Returns how many."""
    reasons: Counter[str] = Counter()
    for manifest in [manifest for history in shards for manifest in history.manifests]:
        reasons.update(manifest.facts.get(UNJUDGED, {}))
    for reason, n_responses in reasons.most_common(3):
        context.logger.warning("%s responses were not judged: %s", f"{n_responses:,}", reason)
    return reasons.total()


EXPORT_VERSION = 4


@dataclass(frozen=True)
class Distilled:
    """What a build has come to before it is published.

    Attributes:
        shards: the history of each.
        cuts: scores above which an open answer passes, by section of the recipe.
        contamination: what was found of each benchmark.
        conflicts: questions whose copies have different answers.
        tally: what the selected rows are made of.
        n_unjudged: responses that await their verdict.
    """

    shards: list[ShardHistory]
    cuts: dict[str, Threshold]
    contamination: list[BenchmarkReport]
    conflicts: ConflictReport
    tally: PublishedTally
    n_unjudged: int

    @property
    def selected(self) -> list[Shard]:
        """The problems with the response that was chosen."""
        return [history.current for history in self.shards]

    @property
    def manifests(self) -> list[Manifest]:
        """Of every finished step."""
        return [manifest for history in self.shards for manifest in history.manifests]

    def outputs(self, name: str) -> list[Shard]:
        """Return an output of all shards, such as ``dropped``."""
        return [shard for history in self.shards for shard in history.outputs(name)]


def publish(context: RunContext, distilled: Distilled, out: str) -> dict[str, Any]:
    """Write the run's directory, once every row is accounted for; returns its manifest."""
    recipe = context.recipe
    table = _funnel_of(distilled.shards)
    publication = _publication(context, distilled, _summary(context, distilled, table), out)
    tables = [*publication.selected, *publication.dropped, *publication.verdicts, *chain(*publication.beside.values())]
    may_empty = distilled.tally.n_rows > 0 or recipe.export.allow_empty
    n_before = context.n_executed
    manifest = context.export(publication, tables, out, may_empty=may_empty)
    if context.n_executed > n_before:
        tell_published(recipe.name, out, manifest, distilled.tally.n_rows)
    funnel_artifact(context.artifacts, table, context.tables, out)
    return manifest


def _summary(context: RunContext, distilled: Distilled, funnel: pa.Table) -> BuildSummary:
    """Return what card and report tell of the build."""
    manifests = distilled.manifests
    return BuildSummary(
        context.recipe,
        funnel,
        label_summary(manifests, distilled.tally.labels),
        distilled.tally,
        distilled.cuts,
        distilled.contamination,
        distilled.conflicts,
        usage_of(manifests),
        did_of(manifests),
        examples_of(context.store, distilled.outputs("dropped")),
        votes=_votes_of(context, distilled),
    )


def _texts(summary: BuildSummary, distilled: Distilled) -> dict[str, str]:
    """Return the files that people read."""
    licences = licences_text(distilled.tally)
    return {
        CARD: card(summary),
        **({LICENCE_FILE: licences} if licences else {}),
        REPORT: report(summary),
        "decontamination.json": pretty_json(as_json(distilled.contamination)),
    }


def _publication(context: RunContext, distilled: Distilled, summary: BuildSummary, out: str) -> Publication:
    """Return what is to be written, with the key that tells whether it is written already."""
    recipe = context.recipe
    texts = _texts(summary, distilled)
    dropped, verdicts = distilled.outputs("dropped"), distilled.outputs("verdicts")
    beside = {name: distilled.outputs(name) for name in _beside(recipe)}
    poison = poison_facts(distilled.manifests)
    # In the key, so that the manifest tells what the rows were made without, and what is fixed is a new version.
    refused = {REFUSED: dict(sorted(context.refused.items()))} if context.refused else {}
    handles = [[shard.sha256 for shard in group] for group in (distilled.selected, dropped, verdicts, *beside.values())]
    return Publication(
        key=digest(
            *("export", EXPORT_VERSION, recipe.export.digest(), list(beside), handles, texts),
            *poison.values(),
            *refused.values(),
        ),
        selected=distilled.selected,
        dropped=dropped,
        verdicts=verdicts,
        shuffle_seed=recipe.export.shuffle_seed,
        rows_per_file=recipe.export.rows_per_file,
        texts=texts | _compared(summary, out),
        beside=beside,
        keep=recipe.export.keep_versions,
        kind=kind_of_rows(recipe),
        facts=_facts(summary) | distilled.conflicts.facts() | poison | refused | _missing(distilled.n_unjudged),
    )


def _votes_of(context: RunContext, distilled: Distilled) -> VoteReport | None:
    """Return what samples say of references, by source; None where the recipe does not ask."""
    if context.recipe.majority is None:
        return None
    found = vote_report(
        (shard.source, manifest.stage, manifest.facts) for shard in distilled.shards for manifest in shard.manifests
    )
    return found.with_examples(context.store.read_table(table) for table in distilled.outputs("references"))


def _missing(unjudged: int) -> dict[str, int]:
    return {"unjudged": unjudged} if unjudged else {}


def _compared(summary: BuildSummary, out: str) -> dict[str, str]:
    """Return the report with a comparison, where there is an earlier publication.

    It is in no key: with what a dataset is compared depends on when it was published, and changes nothing in it.
    """
    earlier = earlier_run(summary.recipe, out)
    return {} if earlier is None else {REPORT: report(replace(summary, earlier=earlier))}


def _facts(summary: BuildSummary) -> dict[str, Any]:
    """Return what the manifest says beside the files."""
    facts = {
        "recipe": summary.recipe.name,
        "recipe_digest": summary.recipe.digest(),
        "funnel": summary.funnel.to_pylist(),
        "labels": summary.labels._asdict(),
    }
    facts |= summary.votes.facts() if summary.votes else {}
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
    optional |= {"references": recipe.majority is not None}
    return ["traces", "grey", *(name for name, wanted in optional.items() if wanted)]

"""References of duplicates that contradict each other, before anything is built: for ``check_references``."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from flows.engine.context import RunContext
from flows.phases.duplicates import cluster_duplicates, curate
from tracemill.dedup.conflict_report import ConflictReport, conflict_report, conflict_rows, examples_of, questions
from tracemill.recipe import Recipe

_COLUMNS = ["id", "source", "row", "category", "reference_answer", "prompt"]


@dataclass(frozen=True)
class Conflicts:
    """What was found.

    Attributes:
        report: counts and examples.
        rows: of ``conflict_report.ROWS``: every row of every such question.
    """

    report: ConflictReport
    rows: pa.Table

    def digests(self) -> list[list[str]]:
        """Return what a publication's key depends on."""
        return [self.rows["id"].to_pylist(), self.rows["fate"].to_pylist()]


def conflicts_among(context: RunContext[Recipe]) -> Conflicts:
    """Curates the sources and clusters their duplicates as a build does, and finds the contradictions.

    Raises:
        TracemillError: what was finished before is kept.
    """
    collection, curated = curate(context)
    duplicates = cluster_duplicates(context, collection, curated)
    labels = list(curated)
    decisions = [context.store.read_table(duplicates.decisions[label]) for label in labels]
    asked = questions(decisions)
    if not asked:
        return Conflicts(ConflictReport(), conflict_rows({}, [], []))
    problems = (context.store.read_table(curated[label].current, _COLUMNS) for label in labels)
    rows = conflict_rows(asked, decisions, problems)
    counted = conflict_report(duplicates.facts)
    return Conflicts(ConflictReport(counted.n_questions, counted.n_rows, examples_of(rows)), rows)

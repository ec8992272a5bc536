"""What was found of references that contradict each other: facts of stages, and a part of the card and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from tracemill.dedup.conflicting_references import REASON
from tracemill.html.templates import render_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.core import Dropped

FACTS: Final = "conflicts"  # of a manifest
EXAMPLES: Final = "conflict_examples"
N_EXAMPLES: Final = 5  # in the report; a shard brings as many
_SHOWN_CHARS: Final = 300
ROWS: Final = pa.schema(
    [
        ("question", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("row", pa.int64()),
        ("category", pa.string()),
        ("reference", pa.large_string()),
        ("fate", pa.string()),
        ("prompt", pa.large_string()),
    ]
)


@dataclass(frozen=True)
class ConflictReport:
    """Over all batches.

    Attributes:
        n_questions: whose copies have references that contradict each other.
        n_rows: that went for it.
        examples: such rows, with what contradicts them.
    """

    n_questions: int = 0
    n_rows: int = 0
    examples: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def facts(self) -> dict[str, Any]:
        """For the manifest; empty where nothing was found."""
        return {FACTS: {"questions": self.n_questions, "rows": self.n_rows}} if self.n_questions else {}


def batch_facts(decisions: Iterable[pa.Table]) -> dict[str, Any]:
    """Return what the manifest of a clustering says; empty where nothing contradicts."""
    tables = list(decisions)
    n_questions = len(set(questions(tables).values()))
    n_rows = sum(pc.sum(pc.equal(decided["reason"], REASON)).as_py() or 0 for decided in tables)
    return ConflictReport(n_questions, n_rows).facts()


def shard_facts(dropped: Iterable[Dropped]) -> dict[str, Any]:
    """Return a shard's examples; empty where it has none."""
    found = [row for row in dropped if row.reason == REASON][:N_EXAMPLES]
    shown = [
        {
            "id": row.id,
            "source": row.source,
            "prompt": (row.prompt or "")[:_SHOWN_CHARS],
            "reference": row.evidence.get("reference"),
            "kept": row.evidence.get("kept"),
            "contradicted_by": row.evidence.get("contradicted_by", [])[:N_EXAMPLES],
        }
        for row in found
    ]
    return {EXAMPLES: shown} if shown else {}


def conflict_report(batches: Iterable[Mapping[str, Any]], shards: Iterable[Mapping[str, Any]] = ()) -> ConflictReport:
    """Return facts of clusterings and of shards, summed up."""
    met = [facts[FACTS] for facts in batches if FACTS in facts]
    examples = [example for facts in shards for example in facts.get(EXAMPLES, ())]
    return ConflictReport(
        sum(each["questions"] for each in met), sum(each["rows"] for each in met), tuple(examples[:N_EXAMPLES])
    )


def questions(decisions: Iterable[pa.Table]) -> dict[str, str]:
    """Return the rows that contradict each other, by id: the lowest id of the rows of its question."""
    lowest: dict[str, str] = {}

    def top(name: str) -> str:
        while lowest.setdefault(name, name) != name:
            name = lowest[name]
        return name

    for decided in decisions:
        for row in decided.filter(pc.is_valid(decided["contradicted_by"])).to_pylist():
            for other in row["contradicted_by"]:
                low, high = sorted((top(row["id"]), top(other["id"])))
                lowest[high] = low
    return {name: top(name) for name in sorted(lowest)}


def conflict_rows(asked: Mapping[str, str], decisions: Sequence[pa.Table], problems: Iterable[pa.Table]) -> pa.Table:
    """Return the rows of questions whose references contradict each other (``ROWS``), one question after the other.

    Args:
        asked: of :func:`questions`.
        decisions: one table a shard: the rows that go.
        problems: the same shards: columns ``id``, ``source``, ``row``, ``category``, ``reference_answer``, ``prompt``.
    """
    found: list[dict[str, Any]] = []
    wanted = pa.array(list(asked), pa.string())
    for decided, shard in zip(decisions, problems, strict=True):
        fates = dict(zip(decided["id"].to_pylist(), decided["reason"].to_pylist(), strict=True))
        for row in shard.filter(pc.is_in(shard["id"], value_set=wanted)).to_pylist():
            told = {"question": asked[row["id"]], "reference": row.pop("reference_answer")}
            found.append(row | told | {"fate": fates.get(row["id"], "kept")})
    found.sort(key=lambda row: (row["question"], row["id"], row["source"], row["row"]))
    return pa.Table.from_pylist(found, schema=ROWS)


def examples_of(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the first questions of :func:`conflict_rows`, each as its first row and what its others say."""
    by_question: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_question.setdefault(row["question"], []).append(row)
    return [
        {**first, "prompt": first["prompt"][:_SHOWN_CHARS], "contradicted_by": others[:N_EXAMPLES]}
        for first, *others in list(by_question.values())[:N_EXAMPLES]
    ]


def as_markdown(report: ConflictReport) -> str:
    """Return a paragraph for the card; "" where nothing was found."""
    return _told(report) if report.n_questions else ""


def as_html(report: ConflictReport) -> Markup:
    """Return the same with examples, for the report; "" where nothing was found."""
    if not report.n_questions:
        return Markup("")
    return render_html("dedup/templates/conflicts.html.j2", told=_told(report), examples=report.examples)


def _told(report: ConflictReport) -> str:
    return (
        f"{report.n_questions:,} questions came in copies whose references contradict each other; {report.n_rows:,} of "
        f"their rows went for it (reason {REASON})."
    )

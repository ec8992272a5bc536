"""What was found of each benchmark, by method and source, with examples: facts of a shard, JSON and pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from tracemill.html.templates import render_html, render_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.core import Dropped

FACTS: Final = "contamination"  # of a shard's manifest
JUDGED: Final = "contamination_judged"
N_EXAMPLES: Final = 5  # a benchmark in the report; a shard brings as many
_SHOWN_CHARS: Final = 300


@dataclass
class BenchmarkReport:
    """One benchmark.

    Attributes:
        n_items: of the benchmark.
        n_rows: that were dropped for it.
        items: the items that were found, by id.
        methods: rows by the method that decided.
        sources: rows by source.
        judged: what the judge said of grey rows, if one was asked.
        examples: dropped rows with their evidence.
    """

    benchmark: str
    n_items: int
    n_rows: int = 0
    items: list[str] = field(default_factory=list)
    methods: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def by_method(self) -> str:
        """Rows by method, and what the judge said of those that it was asked about."""
        judged = f"; judge asked: {_counts(self.judged)}" if self.judged else ""
        return _counts(self.methods) + judged

    @property
    def by_source(self) -> str:
        """Rows by source."""
        return _counts(self.sources)


def shard_facts(dropped: Iterable[Dropped]) -> dict[str, Any]:
    """Return what a shard's manifest says of each benchmark it met: rows by method, items, examples."""
    facts: dict[str, Any] = {}
    for row in dropped:
        met = facts.setdefault(row.reason, {"methods": Counter(), "items": set(), "examples": []})
        met["methods"][row.evidence["method"]] += 1
        met["items"].add(row.evidence["item"])
        if len(met["examples"]) < N_EXAMPLES:
            met["examples"].append({"id": row.id, "prompt": (row.prompt or "")[:_SHOWN_CHARS], **row.evidence})
    return {
        FACTS: {
            name: {**met, "methods": dict(met["methods"]), "items": sorted(met["items"])} for name, met in facts.items()
        }
    }


def benchmark_reports(
    n_items: Mapping[str, int], shards: Iterable[tuple[str, Mapping[str, Any]]]
) -> list[BenchmarkReport]:
    """Return the shards' facts summed up, in the order of the recipe; benchmarks of which nothing was found too.

    Args:
        n_items: items by benchmark.
        shards: source and facts of every stage of every shard that dropped rows for a benchmark.
    """
    reports = {name: BenchmarkReport(name, count) for name, count in n_items.items()}
    items: dict[str, set[str]] = {name: set() for name in n_items}
    for source, facts in shards:
        for name, met in facts.get(FACTS, {}).items():
            report = reports[name]
            n_rows = sum(met["methods"].values())
            report.n_rows += n_rows
            report.methods = dict(Counter(report.methods) + Counter(met["methods"]))
            report.sources[source] = report.sources.get(source, 0) + n_rows
            items[name].update(met["items"])
            wanted = N_EXAMPLES - len(report.examples)
            report.examples += [{"source": source, **example} for example in met["examples"][:wanted]]
        for name, words in facts.get(JUDGED, {}).items():
            reports[name].judged = dict(Counter(reports[name].judged) + Counter(words))
    for name, report in reports.items():
        report.items = sorted(items[name])
    return list(reports.values())


def as_json(reports: Iterable[BenchmarkReport]) -> list[dict[str, Any]]:
    """For ``decontamination.json``."""
    return [asdict(report) for report in reports]


def as_markdown(reports: Sequence[BenchmarkReport]) -> str:
    """Return a table for the card; "" if there are no benchmarks."""
    return render_markdown("decontaminate/templates/benchmarks.md.j2", reports=reports) if reports else ""


def as_html(reports: Sequence[BenchmarkReport]) -> Markup:
    """Return the same with examples, for the report; "" if there are no benchmarks."""
    return render_html("decontaminate/templates/benchmarks.html.j2", reports=reports) if reports else Markup("")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "–"

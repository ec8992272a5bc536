"""``report.html``: key figures, plots and tables of one run on one self-contained page.

What is drawn and told is decided here; the page is ``templates/report.html.j2``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.decontaminate.report import as_html
from tracemill.dedup import conflict_report
from tracemill.html.charts import Bar, bar_chart, histogram, legend
from tracemill.html.figures import figure, length_figure, pass_rate_figure, share
from tracemill.html.links import rows_link
from tracemill.html.templates import render_html
from tracemill.label.counts import LENGTH_STEPS, label_rows
from tracemill.publish.comparison import comparison
from tracemill.publish.funnel import totals
from tracemill.publish.tally import LENGTHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from markupsafe import Markup

    from tracemill.decontaminate.report import BenchmarkReport
    from tracemill.label.counts import LabelSummary
    from tracemill.publish.summary import BuildSummary
    from tracemill.publish.tally import PublishedTally

_MOST_BARS: Final = 40


def funnel_plot(funnel: pa.Table) -> Markup:
    """Return what is left after each stage, and what it dropped."""
    lost: dict[str, int] = defaultdict(int)
    for stage, _, n_rows in totals(funnel):
        lost[stage] += n_rows
    n_in, n_out = lost.pop("source", 0), lost.pop("published", 0)
    bars, left = [Bar("source rows", f"{n_in:,}", [("left", n_in)])], n_in
    for stage, n_rows in lost.items():
        left -= n_rows
        bars.append(Bar(stage, f"−{n_rows:,} · {left:,} left", [("left", left), ("lost", n_rows)]))
    bars.append(Bar("published", f"{n_out:,}{share(n_out, n_in)}", [("kept", n_out)]))
    names = [("left", "left"), ("lost", "dropped here"), ("kept", "published")]
    return figure("Where the rows went", bar_chart("Rows left after each stage", bars, names), legend(names))


def source_plot(rows: Mapping[str, tuple[int, int]]) -> Markup:
    """Return published rows of each source, of all that it brought: (rows in, rows published)."""
    yields = [(name, n_kept, n_in) for name, (n_in, n_kept) in rows.items()]
    return _yield_plot("Yield by source", yields, "rows in the source")


def category_plot(tally: PublishedTally) -> Markup:
    """Return published rows of each category, of all problems that were worth asking."""
    yields = [(name, tally.problems_by_category.get(name, 0), n_asked) for name, n_asked in tally.asked.items()]
    return _yield_plot("Yield by category", yields, "clean, unique problems")


def _yield_plot(title: str, yields: Sequence[tuple[str, int, int]], whole: str) -> Markup:
    bars = [
        Bar(name, f"{n_kept:,} of {n_in:,}{share(n_kept, n_in)}", [("kept", n_kept), ("other", n_in - n_kept)])
        for name, n_kept, n_in in sorted(yields, key=lambda entry: (-entry[2], entry[0]))[:_MOST_BARS]
    ]
    names = [("kept", "published"), ("other", f"other {whole}")]
    return figure(title, bar_chart(title, bars, names), legend(names))


def length_plot(tally: PublishedTally) -> Markup:
    """Return responses by length, in tokens."""
    series = {"kept": tally.lengths_published, "other": tally.lengths_other}
    return length_figure(LENGTHS, series, [("kept", "published"), ("other", "not published")])


def prompt_plot(labels: LabelSummary) -> Markup:
    """Return published prompts by length, in tokens."""
    counts = labels.published.get("n_prompt_tokens", {})
    title = "Published prompts by tokens (every step doubles)"
    shown = [step.replace("up to", "≤").replace("over", ">") for step in LENGTH_STEPS]
    columns = {"kept": [counts.get(step, 0) for step in LENGTH_STEPS]}
    chart = histogram(title, shown, columns, [("kept", "published")])
    return figure(title, chart)


def duplicate_plot(funnel: pa.Table) -> Markup:
    """Rows of each source that were dropped for another row, by how alike they are."""
    kinds = [("left", "exact"), ("lost", "near"), ("other", "by meaning or contradicting")]
    bars = [
        Bar(source, f"{sum(counts.values()):,}", [(kind, counts.get(name, 0)) for kind, name in kinds])
        for source, counts in _duplicates(funnel)
    ]
    return figure("Duplicates by source", bar_chart("Duplicates by source", bars, kinds), legend(kinds))


def _duplicates(funnel: pa.Table) -> Iterator[tuple[str, dict[str, int]]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in funnel.to_pylist():
        if row["stage"] == "deduplicate":
            found[row["source"]][_alike(row["reason"])] += row["rows"]
    yield from sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))


def _alike(reason: str) -> str:
    return next((name for name in ("exact", "near") if reason.startswith(name)), "by meaning or contradicting")


def contamination_plot(reports: Sequence[BenchmarkReport]) -> Markup:
    """Return the share of each benchmark's items that was found in the sources."""
    bars = [
        Bar(
            report.benchmark,
            f"{len(report.items):,} of {report.n_items:,} items · {report.n_rows:,} rows dropped",
            [("lost", len(report.items) / n_items), ("other", 1 - len(report.items) / n_items)],
        )
        for report in reports
        for n_items in [report.n_items or 1]
    ]
    names = [("lost", "items found in the sources"), ("other", "items not found")]
    return figure("Contamination by benchmark", bar_chart("Contamination by benchmark", bars, names), legend(names))


class _Share(NamedTuple):
    """A row of a table with a bar behind its number: a share from 0 to 1, in the colour of a CSS class."""

    first: str
    second: str
    told: str
    share: float
    kind: str
    link: str = ""


def report(summary: BuildSummary) -> str:
    """Return the page of a build."""
    tally, n_in = summary.tally, summary.n_source_rows
    figures = {"rows published": f"{tally.n_rows:,}"}
    if tally.problems:
        figures["problems that they answer"] = f"{tally.n_problems:,}"
    figures |= {
        "source rows": f"{n_in:,}",
        "of them published": f"{tally.n_problems / n_in:.1%}" if n_in else "–",
        "responses judged for them": f"{sum(tally.lengths_published) + sum(tally.lengths_other):,}",
    }
    if not summary.recipe.distill.asked:
        figures["teacher"] = "none was asked"
    plots = [
        funnel_plot(summary.funnel),
        source_plot(summary.yields),
        category_plot(tally),
        pass_rate_figure(tally.pass_rates),
        length_plot(tally),
        prompt_plot(summary.labels),
        duplicate_plot(summary.funnel),
        contamination_plot(summary.contamination),
    ]
    page = render_html(
        "publish/templates/report.html.j2",
        title=summary.recipe.name,
        description=summary.recipe.description,
        figures=figures,
        plots=plots,
        compared=comparison(summary, summary.earlier) if summary.earlier else "",
        funnel=_funnel_rows(summary.funnel, n_in),
        contamination=as_html(summary.contamination),
        conflicts=conflict_report.as_html(summary.conflicts),
        votes=summary.votes,
        licences=summary.licences,
        costs=summary.costs,
        currency=summary.recipe.distill.money,
        several=bool(summary.recipe.distill.teachers),
        labels=_label_rows(summary.labels),
        examples=[
            (f"{stage}: {reason.replace('_', ' ')}", rows_link(stage=stage, reason=reason), rows)
            for stage, reason, _ in totals(summary.funnel)
            if (rows := summary.examples.get((stage, reason)))
        ],
    )
    return str(page)


def _funnel_rows(funnel: pa.Table, n_in: int) -> Iterator[_Share]:
    """Yield what came, what each stage dropped and why, what is left; as shares of what came."""
    for stage, reason, n_rows in totals(funnel):
        part = n_rows / (n_in or 1)
        if stage == "source":
            yield _Share("source rows", "", f"{n_rows:,}", part, "left")
        elif stage == "published":
            yield _Share("published", "", f"{n_rows:,}", part, "kept", rows_link(stage="published"))
        else:
            link = rows_link(stage=stage, reason=reason)
            yield _Share(stage, reason.replace("_", " "), f"−{n_rows:,}", part, "lost", link)


def _label_rows(labels: LabelSummary) -> list[_Share]:
    """Return published rows by value; as shares of the rows that have the label."""
    rows = []
    for row in label_rows(labels):
        n_rows = sum(labels.published.get(row.label, {}).values()) or 1
        count = f"{row.n_published:,}" + ("" if row.n_labelled is None else f" of {row.n_labelled:,}")
        rows.append(_Share(row.label.replace("_", " "), row.value, count, row.n_published / n_rows, "kept"))
    return rows

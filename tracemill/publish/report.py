"""``report.html``: key figures, plots and tables of one run on one self-contained page.

The plots of ``report.html``: funnel, yields, pass rates, lengths, duplicates and contamination.
"""

from __future__ import annotations

import html
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from tracemill.decontaminate.report import as_html
from tracemill.dedup import conflict_report
from tracemill.dedup.conflict_report import ConflictReport
from tracemill.html.charts import Bar, bar_chart, compact, histogram, legend
from tracemill.html.page import page, table
from tracemill.label.counts import LENGTH_STEPS, label_rows
from tracemill.publish.card import source_yields
from tracemill.publish.funnel import totals
from tracemill.publish.tally import LENGTHS, N_SHARES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from tracemill.decontaminate.report import BenchmarkReport
    from tracemill.label.counts import LabelSummary
    from tracemill.publish.tally import PublishedTally
    from tracemill.recipe import Recipe

_SHARES: Final = [*(f"{10 * step}–{10 * step + 9} %" for step in range(N_SHARES - 1)), "100 %"]
_MOST_BARS: Final = 40


def funnel_plot(funnel: pa.Table) -> str:
    """What is left after each stage, and what it dropped."""
    lost: dict[str, int] = defaultdict(int)
    for stage, _, n_rows in totals(funnel):
        lost[stage] += n_rows
    n_in, n_out = lost.pop("source", 0), lost.pop("published", 0)
    bars, left = [Bar("source rows", f"{n_in:,}", [("left", n_in)])], n_in
    for stage, n_rows in lost.items():
        left -= n_rows
        bars.append(Bar(stage, f"−{n_rows:,} · {left:,} left", [("left", left), ("lost", n_rows)]))
    bars.append(Bar("published", f"{n_out:,}{share(n_out, n_in)}", [("kept", n_out)]))
    names = legend([("left", "left"), ("lost", "dropped here"), ("kept", "published")])
    return figure("Where the rows went", bar_chart("Rows left after each stage", bars), names)


def source_plot(funnel: pa.Table) -> str:
    """Published rows of each source, of all that it brought."""
    yields = [(name, n_kept, n_in) for name, (n_in, n_kept) in source_yields(funnel).items()]
    return _yield_plot("Yield by source", yields, "rows in the source")


def category_plot(tally: PublishedTally) -> str:
    """Published rows of each category, of all problems that were worth asking."""
    yields = [(name, tally.published.get(name, 0), n_asked) for name, n_asked in tally.asked.items()]
    return _yield_plot("Yield by category", yields, "clean, unique problems")


def _yield_plot(title: str, yields: Sequence[tuple[str, int, int]], whole: str) -> str:
    bars = [
        Bar(name, f"{n_kept:,} of {n_in:,}{share(n_kept, n_in)}", [("kept", n_kept), ("other", n_in - n_kept)])
        for name, n_kept, n_in in sorted(yields, key=lambda entry: (-entry[2], entry[0]))[:_MOST_BARS]
    ]
    return figure(title, bar_chart(title, bars), legend([("kept", "published"), ("other", f"other {whole}")]))


def pass_rate_plot(tally: PublishedTally) -> str:
    """Problems by the share of their judged responses that is correct; also those of which none is."""
    return pass_rate_chart(tally.pass_rates)


def pass_rate_chart(counts: Sequence[int]) -> str:
    """Problems by step of :data:`tracemill.publish.tally.N_SHARES`."""
    title = "Problems by pass rate"
    chart = histogram(title, _SHARES, {"left": counts})
    return figure(title, chart, legend([("left", "problems with responses that were judged right or wrong")]))


def length_plot(tally: PublishedTally) -> str:
    """Responses by length, in tokens."""
    series = {"kept": tally.lengths_published, "other": tally.lengths_other}
    return length_chart(series, [("kept", "published"), ("other", "not published")])


def length_chart(series: Mapping[str, Sequence[int]], names: Sequence[tuple[str, str]]) -> str:
    """Responses by step of :data:`tracemill.publish.tally.LENGTHS`.

    Args:
        series: CSS class -> one number a step.
        names: what the classes stand for.
    """
    title = "Responses by tokens (estimated)"
    labels = [*(f"≤ {compact(bound)}" for bound in LENGTHS), f"> {compact(LENGTHS[-1])}"]
    return figure(title, histogram(title, labels, series), legend(names))


def prompt_plot(labels: LabelSummary) -> str:
    """Published prompts by length, in tokens."""
    counts = labels.published.get("n_prompt_tokens", {})
    title = "Published prompts by tokens"
    shown = [step.replace("up to", "≤").replace("over", ">") for step in LENGTH_STEPS]
    chart = histogram(title, shown, {"kept": [counts.get(step, 0) for step in LENGTH_STEPS]})
    return figure(title, chart)


def duplicate_plot(funnel: pa.Table) -> str:
    """Rows of each source that were dropped for another row, by how alike they are."""
    kinds = [("left", "exact"), ("lost", "near"), ("other", "by meaning or contradicting")]
    bars = [
        Bar(source, f"{sum(counts.values()):,}", [(kind, counts.get(name, 0)) for kind, name in kinds])
        for source, counts in _duplicates(funnel)
    ]
    return figure("Duplicates by source", bar_chart("Duplicates by source", bars), legend(kinds))


def _duplicates(funnel: pa.Table) -> Iterator[tuple[str, dict[str, int]]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in funnel.to_pylist():
        if row["stage"] == "deduplicate":
            found[row["source"]][_alike(row["reason"])] += row["rows"]
    yield from sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))


def _alike(reason: str) -> str:
    return next((name for name in ("exact", "near") if reason.startswith(name)), "by meaning or contradicting")


def contamination_plot(reports: Sequence[BenchmarkReport]) -> str:
    """The share of each benchmark's items that was found in the sources."""
    bars = [
        Bar(
            report.benchmark,
            f"{len(report.items):,} of {report.n_items:,} items · {report.n_rows:,} rows dropped",
            [("lost", len(report.items) / n_items), ("other", 1 - len(report.items) / n_items)],
        )
        for report in reports
        for n_items in [report.n_items or 1]
    ]
    names = legend([("lost", "items found in the sources"), ("other", "items not found")])
    return figure("Contamination by benchmark", bar_chart("Contamination by benchmark", bars), names)


def figure(title: str, chart: str, below: str = "") -> str:
    """A chart below its title; "" without one."""
    return f"<figure><h3>{title}</h3>{chart}{below}</figure>" if chart else ""


def share(part: int, whole: int) -> str:
    """A part of a whole, to put behind a number; "" of nothing."""
    return f" · {part / whole:.1%}" if whole else ""


def key_figures(figures: Mapping[str, str]) -> str:
    """A few numbers in large type."""
    shown = "".join(f"<div>{told}<small>{name}</small></div>" for name, told in figures.items())
    return f'<div class="figures">{shown}</div>'


_MOST_LICENCES = 100  # rows of some sources name licences of their own
_END = (
    '<p class="note">Each dropped row is in <code>dropped/</code> with its evidence, each verdict in '
    "<code>verdicts/</code>; <code>python -m tracemill why ID</code> tells the story of one row.</p>"
)


def report(
    recipe: Recipe,
    funnel: pa.Table,
    labels: LabelSummary,
    tally: PublishedTally,
    contamination: Sequence[BenchmarkReport] = (),
    conflicts: ConflictReport = ConflictReport(),  # noqa: B008 - frozen
) -> str:
    """The page.

    Args:
        recipe: what the dataset was made by.
        funnel: table of :class:`tracemill.publish.funnel.Funnel`.
        labels: how labels are distributed.
        tally: what the published rows are made of.
        contamination: what was found of each benchmark.
        conflicts: what was found of references that contradict each other.
    """
    plots = [
        funnel_plot(funnel),
        source_plot(funnel),
        category_plot(tally),
        pass_rate_plot(tally),
        length_plot(tally),
        prompt_plot(labels),
        duplicate_plot(funnel),
        contamination_plot(contamination),
    ]
    parts = [
        f"<p>{html.escape(recipe.description)}</p>" if recipe.description else "",
        _figures(funnel, tally),
        f'<div class="plots">{"".join(plots)}</div>',
        f"<h2>Funnel</h2>{_funnel_table(funnel)}",
        as_html(contamination),
        conflict_report.as_html(conflicts),
        _licence_table(tally),
        _label_table(labels),
        _END,
    ]
    return page(recipe.name, "".join(parts))


def _figures(funnel: pa.Table, tally: PublishedTally) -> str:
    n_in = sum(n_rows for stage, _, n_rows in totals(funnel) if stage == "source")
    return key_figures(
        {
            "rows published": f"{tally.n_rows:,}",
            "source rows": f"{n_in:,}",
            "of them published": f"{tally.n_rows / n_in:.1%}" if n_in else "–",
            "responses judged for them": f"{sum(tally.lengths_published) + sum(tally.lengths_other):,}",
        }
    )


def _funnel_table(funnel: pa.Table) -> str:
    rows = []
    counts = totals(funnel)
    n_in = sum(n_rows for stage, _, n_rows in counts if stage == "source") or 1
    for stage, reason, n_rows in counts:
        if stage == "source":
            rows.append(_row("source rows", "", f"{n_rows:,}", n_rows / n_in, "left"))
        elif stage == "published":
            rows.append(_row("published", "", f"{n_rows:,}", n_rows / n_in, "kept"))
        else:
            rows.append(_row(stage, reason.replace("_", " "), f"−{n_rows:,}", n_rows / n_in, "lost"))
    return table('<th>stage</th><th>reason</th><th class="n">rows</th><th></th>', "".join(rows))


def _licence_table(tally: PublishedTally) -> str:
    """Published rows by source and licence."""
    rows = [
        f"<tr><td>{html.escape(each.source)}</td><td>{html.escape(each.licence)}</td>"
        f'<td>{"non-commercial" if each.non_commercial else ""}</td><td class="n">{each.rows:,}</td></tr>'
        for each in tally.licences[:_MOST_LICENCES]
    ]
    header = '<th>source</th><th>licence</th><th></th><th class="n">published</th>'
    return f"<h2>Licences</h2>{table(header, ''.join(rows))}" if rows else ""


def _label_table(labels: LabelSummary) -> str:
    """Published rows by value; the bar is a value's share of its label."""
    rows = []
    for row in label_rows(labels):
        n_rows = sum(labels.published.get(row.label, {}).values()) or 1
        count = f"{row.n_published:,}" + ("" if row.n_labelled is None else f" of {row.n_labelled:,}")
        rows.append(_row(row.label.replace("_", " "), row.value, count, row.n_published / n_rows, "kept"))
    header = '<th>label</th><th>value</th><th class="n">published of labelled</th><th></th>'
    return f"<h2>Labels</h2>{table(header, ''.join(rows))}" if rows else ""


def _row(first: str, second: str, count: str, share: float, kind: str) -> str:
    bar = f'<div class="{kind}" style="width:{100 * share:.2f}%"></div>'
    return (
        f"<tr><td>{html.escape(first)}</td><td>{html.escape(second)}</td>"
        f'<td class="n">{count}</td><td class="bar">{bar}</td></tr>'
    )

"""``report.html``: key figures, plots and tables of one run on one self-contained page."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from tracemill import conflict_report
from tracemill.conflict_report import ConflictReport
from tracemill.contamination_report import as_html
from tracemill.funnel import totals
from tracemill.label_counts import label_rows
from tracemill.page import page, table
from tracemill.report_plots import (
    category_plot,
    contamination_plot,
    duplicate_plot,
    funnel_plot,
    key_figures,
    length_plot,
    pass_rate_plot,
    prompt_plot,
    source_plot,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from tracemill.contamination_report import BenchmarkReport
    from tracemill.label_counts import LabelSummary
    from tracemill.published_tally import PublishedTally
    from tracemill.recipe import Recipe

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
        funnel: table of :class:`tracemill.funnel.Funnel`.
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

"""``report.html``: the funnel, the yield of every source, the benchmarks and the labels on one self-contained page."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from tracemill.card import source_yields
from tracemill.contamination_report import as_html
from tracemill.funnel import totals
from tracemill.label_counts import label_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from tracemill.contamination_report import BenchmarkReport
    from tracemill.label_counts import LabelSummary
    from tracemill.recipe import Recipe

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2330; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #e3e6ec; vertical-align: middle; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 40%; } td.bar div { height: .8rem; border-radius: 2px; min-width: 1px; }
.left { background: #4b7bd0; } .lost { background: #d98a4b; } .kept { background: #4a9d63; }
code { background: #f2f4f8; padding: .1rem .3rem; border-radius: 3px; }
"""


def report(
    recipe: Recipe,
    funnel: pa.Table,
    labels: LabelSummary,
    contamination: Sequence[BenchmarkReport] = (),
) -> str:
    """The page.

    Args:
        recipe: what the dataset was made by.
        funnel: table of :class:`tracemill.funnel.Funnel`.
        labels: how labels are distributed.
        contamination: what was found of each benchmark.
    """
    name = html.escape(recipe.name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name} · tracemill</title>'
        f"<style>{STYLE}</style></head><body><h1>{name}</h1><p>{html.escape(recipe.description)}</p>"
        f"<h2>Funnel</h2>{_funnel_table(funnel)}<h2>Yield by source</h2>{_yield_table(funnel)}{as_html(contamination)}"
        f"{_label_table(labels)}"
        "<p>Each dropped row is in <code>dropped/</code> with its evidence, each verdict in <code>verdicts/</code>; "
        "<code>python -m tracemill why ID</code> tells the story of one row.</p></body></html>\n"
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
    header = '<tr><th>stage</th><th>reason</th><th class="n">rows</th><th></th></tr>'
    return f"<table>{header}{''.join(rows)}</table>"


def _yield_table(funnel: pa.Table) -> str:
    rows = [
        _row(source, f"of {n_in:,} rows", f"{n_kept:,}", n_kept / n_in if n_in else 0, "kept")
        for source, (n_in, n_kept) in sorted(source_yields(funnel).items())
    ]
    header = '<tr><th>source</th><th></th><th class="n">published</th><th></th></tr>'
    return f"<table>{header}{''.join(rows)}</table>"


def _label_table(labels: LabelSummary) -> str:
    """Published rows by value; the bar is a value's share of its label."""
    rows = []
    for row in label_rows(labels):
        n_rows = sum(labels.published.get(row.label, {}).values()) or 1
        count = f"{row.n_published:,}" + ("" if row.n_labelled is None else f" of {row.n_labelled:,}")
        rows.append(_row(row.label.replace("_", " "), row.value, count, row.n_published / n_rows, "kept"))
    header = '<tr><th>label</th><th>value</th><th class="n">published of labelled</th><th></th></tr>'
    return f"<h2>Labels</h2><table>{header}{''.join(rows)}</table>" if rows else ""


def _row(first: str, second: str, count: str, share: float, kind: str) -> str:
    bar = f'<div class="{kind}" style="width:{100 * share:.2f}%"></div>'
    return (
        f"<tr><td>{html.escape(first)}</td><td>{html.escape(second)}</td>"
        f'<td class="n">{count}</td><td class="bar">{bar}</td></tr>'
    )

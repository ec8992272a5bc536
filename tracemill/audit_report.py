"""``report.html`` of an audit, and the same figures for a terminal."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from tracemill.audit_plots import plots
from tracemill.audit_tally import UNREADABLE
from tracemill.page import page, table
from tracemill.report_plots import key_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.audit_tally import Counted

_MORE_STYLE: Final = """
body { max-width: 75rem; } tr.total td { font-weight: 600; }
.example { border-top: 1px solid var(--line); padding: .6rem 0; } .example p { margin: .2rem 0; white-space: pre-wrap; }
.where { color: var(--soft); }
"""
_TERMINAL_GROUPS: Final = 15
_NAME_CHARS: Final = 28


def report(title: str, intro: str, summary: Mapping[str, Any], counted: Counted, more: str = "") -> str:
    """The page: one file without anything from elsewhere.

    Args:
        title: of the page.
        intro: a sentence on what was looked at.
        summary: of :meth:`tracemill.audit_tally.Tally.summary`.
        counted: how its rows were counted.
        more: a further part of the page.
    """
    share, fine, wrong = counted.share
    figures = {
        "rows": _cell(summary["rows"]),
        fine.replace("_", " "): _cell(summary[fine]),
        wrong.replace("_", " "): _cell(summary[wrong]),
        share.replace("_", " "): _cell(summary[share]),
    }
    parts = [
        f"<p>{html.escape(intro)}</p>",
        key_figures(figures),
        *(f'<p class="advice">{html.escape(line)}</p>' for line in summary["advice"]),
        f'<div class="plots">{"".join(plots(summary, counted))}</div>',
        f"<h2>By source</h2>{_groups_table('source', summary, summary['by_source'], counted)}",
        f"<h2>By category</h2>{_groups_table('category', summary, summary['by_category'], counted)}",
        f"<h2>Reasons</h2>{_reasons_table(summary)}",
        more,
        *_examples(summary["examples"], counted.share[2]),
    ]
    return page(title, "".join(parts), _MORE_STYLE)


def columns(summary: Mapping[str, Any], counted: Counted) -> list[str]:
    """The statuses that a table has columns for: those that say right or wrong, and those that occur."""
    share, *decided = counted.share
    seen = [str(s) for s in (*counted.statuses, UNREADABLE) if s in decided or summary[s]]
    return ["rows", *seen, share]


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if isinstance(value, float) else f"{value:,}"


def _groups_table(first: str, total: Mapping[str, Any], groups: Mapping[str, Any], counted: Counted) -> str:
    names = columns(total, counted)
    header = "".join(f'<th class="n">{html.escape(name.replace("_", " "))}</th>' for name in names)
    rows = [_row(name, [group[column] for column in names]) for name, group in groups.items()]
    rows.append(_row("all", [total[column] for column in names], "total"))
    return table(f"<th>{first}</th>{header}", "".join(rows))


def _row(name: str, values: Iterable[float | None], kind: str = "") -> str:
    cells = "".join(f'<td class="n">{_cell(value)}</td>' for value in values)
    return f'<tr class="{kind}"><td>{html.escape(name)}</td>{cells}</tr>'


def _reasons_table(summary: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td>{html.escape(status.replace('_', ' '))}</td><td>{html.escape(reason)}</td>"
        f'<td class="n">{n_rows:,}</td></tr>'
        for status, reasons in summary["reasons"].items()
        for reason, n_rows in reasons.items()
    ]
    return table('<th></th><th>reason</th><th class="n">rows</th>', "".join(rows))


def _examples(examples: Sequence[Mapping[str, Any]], status: str) -> list[str]:
    if not examples:
        return []
    return [f"<h2>{len(examples)} that are {html.escape(status)}</h2>", *map(_example, examples)]


def _example(row: Mapping[str, Any]) -> str:
    where = f"{row['upstream_source']} · {row['category']} · {row['file']}, row {row['row']} · {row['id'][:12]}"
    lines = [("expected", row["reference_answer"]), ("got", row["extracted"]), ("", row["detail"])]
    told = "".join(
        f"<p>{label} {'<code>' if label else ''}{html.escape(text)}{'</code>' if label else ''}</p>"
        for label, text in lines
        if text is not None
    )
    return (
        f'<div class="example"><p class="where">{html.escape(where)}</p><p>{html.escape(row["prompt"])}</p>{told}</div>'
    )


def render(summary: Mapping[str, Any], counted: Counted) -> str:
    """The figures for a terminal: the largest sources, the total, the reasons and the advice."""
    names = columns(summary, counted)
    groups = list(summary["by_source"].items())
    widths = {name: max(len(name), len(f"{summary['rows']:,}")) + 2 for name in names}
    header = "".join(f"{name.replace('_', ' '):>{width}}" for name, width in widths.items())
    lines = [f"{'source':<{_NAME_CHARS}}{header}"]
    for name, group in [*groups[:_TERMINAL_GROUPS], ("all", summary)]:
        cells = "".join(f"{_cell(group[column]):>{width}}" for column, width in widths.items())
        lines.append(f"{name[:_NAME_CHARS]:<{_NAME_CHARS}}{cells}")
    if len(groups) > _TERMINAL_GROUPS:
        lines.insert(-1, f"… {len(groups) - _TERMINAL_GROUPS} more in summary.json")
    reasons = [
        f"  {status.replace('_', ' '):<15}{reason:<65}{n_rows:>10,}"
        for status, found in summary["reasons"].items()
        for reason, n_rows in list(found.items())[:5]
    ]
    found = {cause: n_rows for cause, n_rows in summary["causes"].items() if n_rows}
    if found:
        told = ", ".join(f"by the {cause} {n_rows:,}" for cause, n_rows in found.items())
        reasons.append(f"  of {sum(found.values()):,} rows nothing is said: {told}")
    return "\n".join([*lines, *([""] if reasons else []), *reasons, *(f"\n{line}" for line in summary["advice"])])

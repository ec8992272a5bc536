"""``report.html`` of an audit, and the same figures for a terminal.

The plots of an audit's ``report.html``: what became of the rows, yields, pass rates, lengths, repeated rows.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from tracemill.audit.tally import UNREADABLE
from tracemill.html.charts import Bar, bar_chart, legend
from tracemill.html.page import page, table
from tracemill.publish.report import figure, key_figures, length_chart, pass_rate_chart, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracemill.audit.tally import Counted

_MOST_BARS: Final = 40


def plots(summary: Mapping[str, Any], counted: Counted) -> list[str]:
    """Every plot that the summary has figures for.

    Args:
        summary: of :meth:`tracemill.audit.tally.Tally.summary`.
        counted: how its rows were counted.
    """
    drawn = [
        _funnel_plot(summary, counted),
        _group_plot("By source", summary["by_source"], counted),
        _group_plot("By category", summary["by_category"], counted),
    ]
    return drawn + ([*_measured_plots(summary)] if counted.measured else [])


def _funnel_plot(summary: Mapping[str, Any], counted: Counted) -> str:
    """What is left of the rows after each status that says nothing, and after those that are wrong."""
    _, fine, wrong = counted.share
    silent = [str(status) for status in counted.statuses if status not in {fine, wrong}]
    left = n_rows = summary["rows"]
    bars = [Bar("rows", f"{n_rows:,}", [("left", n_rows)])]
    for status in (UNREADABLE, *silent, str(wrong)):
        if summary[status]:
            left -= summary[status]
            kind = "lost" if status == wrong else "other"
            told = f"−{summary[status]:,} · {left:,} left"
            bars.append(Bar(_words(status), told, [("left", left), (kind, summary[status])]))
    bars.append(Bar(_words(fine), f"{summary[fine]:,}{share(summary[fine], n_rows)}", [("kept", summary[fine])]))
    return figure("What became of the rows", bar_chart("Rows by what was found", bars), _legend(counted, "left"))


def _group_plot(title: str, groups: Mapping[str, Any], counted: Counted) -> str:
    """Rows of each group: fine, wrong, and those on which nothing is said."""
    _, fine, wrong = counted.share
    bars = [
        Bar(
            name,
            _told(group, counted),
            [("kept", group[fine]), ("lost", group[wrong]), ("other", _silent(group, counted))],
        )
        for name, group in list(groups.items())[:_MOST_BARS]
    ]
    return figure(title, bar_chart(title, bars), _legend(counted))


def _silent(group: Mapping[str, Any], counted: Counted) -> int:
    _, fine, wrong = counted.share
    return int(group["rows"] - group[fine] - group[wrong])


def _told(group: Mapping[str, Any], counted: Counted) -> str:
    name = counted.share[0]
    judged = "nothing judged" if group[name] is None else f"{group[name]:.1%} {_words(name)}"
    return f"{group['rows']:,} · {judged}"


def _measured_plots(summary: Mapping[str, Any]) -> list[str]:
    tokens, kinds = summary["tokens"], [("kept", "correct"), ("lost", "incorrect"), ("other", "other")]
    return [
        pass_rate_chart(summary["pass_rates"]),
        length_chart({kind: tokens[name] for kind, name in kinds}, kinds),
        _repeat_plot(summary["repeated"]),
    ]


def _repeat_plot(repeated: Mapping[str, Mapping[str, int]]) -> str:
    """Rows of each source whose problem another row asks, too."""
    kinds = [
        ("lost", "same_response", "the same response there, too"),
        ("left", "other_response", "another response there"),
    ]
    bars = [
        Bar(source, f"{sum(counts.values()):,}", [(kind, counts[name]) for kind, name, _ in kinds])
        for source, counts in list(repeated.items())[:_MOST_BARS]
    ]
    title = "Rows whose problem stands in another row"
    return figure(title, bar_chart(title, bars), legend([(kind, told) for kind, _, told in kinds]))


def _legend(counted: Counted, *more: str) -> str:
    _, fine, wrong = counted.share
    names: Sequence[tuple[str, str]] = [("kept", _words(fine)), ("lost", _words(wrong)), ("other", "not judged")]
    return legend([*((kind, kind) for kind in more), *names])


def _words(name: str) -> str:
    return str(name).replace("_", " ")


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
        summary: of :meth:`tracemill.audit.tally.Tally.summary`.
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

"""``report.html`` of an audit, and the same figures for a terminal.

What is drawn and told is decided here; the page is ``templates/report.html.j2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from tracemill.audit.tally import UNREADABLE
from tracemill.html.charts import Bar, bar_chart, legend
from tracemill.html.figures import figure, length_figure, pass_rate_figure, share
from tracemill.html.templates import render_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.audit.tally import Counted

_MOST_BARS: Final = 40
_NOTHING: Final = Markup("")


def plots(summary: Mapping[str, Any], counted: Counted) -> list[Markup]:
    """Return every plot that the summary has figures for.

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


def _funnel_plot(summary: Mapping[str, Any], counted: Counted) -> Markup:
    """Return what is left of the rows after each status that says nothing, and after those that are wrong."""
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


def _group_plot(title: str, groups: Mapping[str, Any], counted: Counted) -> Markup:
    """Return rows of each group: fine, wrong, and those on which nothing is said."""
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


def _measured_plots(summary: Mapping[str, Any]) -> list[Markup]:
    tokens, kinds = summary["tokens"], [("kept", "correct"), ("lost", "incorrect"), ("other", "other")]
    return [
        pass_rate_figure(summary["pass_rates"]),
        length_figure(tokens["up_to"], {kind: tokens[name] for kind, name in kinds}, kinds),
        _repeat_plot(summary["repeated"]),
    ]


def _repeat_plot(repeated: Mapping[str, Mapping[str, int]]) -> Markup:
    """Return rows of each source whose problem another row asks, too."""
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


def _legend(counted: Counted, *more: str) -> Markup:
    _, fine, wrong = counted.share
    names: Sequence[tuple[str, str]] = [("kept", _words(fine)), ("lost", _words(wrong)), ("other", "not judged")]
    return legend([*((kind, kind) for kind in more), *names])


def _words(name: str) -> str:
    return str(name).replace("_", " ")


_TERMINAL_GROUPS: Final = 15
_NAME_CHARS: Final = 28


def report(title: str, intro: str, summary: Mapping[str, Any], counted: Counted, more: Markup = _NOTHING) -> str:
    """Return the page: one file without anything from elsewhere.

    Args:
        title: of the page.
        intro: a sentence on what was looked at.
        summary: of :meth:`tracemill.audit.tally.Tally.summary`.
        counted: how its rows were counted.
        more: a further part of the page.
    """
    share_name, fine, wrong = counted.share
    names = columns(summary, counted)
    groups = {"source": summary["by_source"], "category": summary["by_category"]}
    page = render_html(
        "audit/templates/report.html.j2",
        title=title,
        intro=intro,
        figures={_words(name): _cell(summary[name]) for name in ("rows", fine, wrong, share_name)},
        advice=summary["advice"],
        plots=plots(summary, counted),
        columns=[_words(name) for name in names],
        tables={
            kind: {name: _cells(group, names) for name, group in of_kind.items()} for kind, of_kind in groups.items()
        },
        total=_cells(summary, names),
        reasons=summary["reasons"],
        more=more,
        wrong=wrong,
        examples=summary["examples"],
    )
    return str(page)


def columns(summary: Mapping[str, Any], counted: Counted) -> list[str]:
    """Return the statuses that a table has columns for: those that say right or wrong, and those that occur."""
    share, *decided = counted.share
    seen = [str(s) for s in (*counted.statuses, UNREADABLE) if s in decided or summary[s]]
    return ["rows", *seen, share]


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if isinstance(value, float) else f"{value:,}"


def _cells(group: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [_cell(group[name]) for name in names]


def render(summary: Mapping[str, Any], counted: Counted) -> str:
    """Return the figures for a terminal: the largest sources, the total, the reasons and the advice."""
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

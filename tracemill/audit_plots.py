"""The plots of an audit's ``report.html``: what became of the rows, yields, pass rates, lengths, repeated rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.audit_tally import UNREADABLE
from tracemill.charts import Bar, bar_chart, legend
from tracemill.report_plots import figure, length_chart, pass_rate_chart, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracemill.audit_tally import Counted

_MOST_BARS: Final = 40


def plots(summary: Mapping[str, Any], counted: Counted) -> list[str]:
    """Every plot that the summary has figures for.

    Args:
        summary: of :meth:`tracemill.audit_tally.Tally.summary`.
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

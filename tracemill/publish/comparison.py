"""The part of ``report.html`` that sets a publication beside an earlier one; the page is ``comparison.html.j2``.

Only what differs is listed. Rows are not looked at: which of them came, went or changed is for ``tracemill diff``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from tracemill.html.charts import compact, legend
from tracemill.html.figures import figure
from tracemill.html.side_by_side import BEFORE, NOW, Pair, pair_bars, pair_columns
from tracemill.html.templates import render_html
from tracemill.inference.usage import Usage, amount_told
from tracemill.publish.funnel import source_yields, stages, totals
from tracemill.publish.tally import LENGTHS, N_SHARES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from markupsafe import Markup

    from tracemill.publish.earlier import Earlier
    from tracemill.publish.summary import BuildSummary

_MOST_LINES: Final = 60  # of one table
_TENTHS: Final = [*(f"{10 * step}–{10 * step + 9} %" for step in range(N_SHARES - 1)), "100 %"]


class Line(NamedTuple):
    """A line of a table: a count before and now, each also as a share of its run's rows where that says something."""

    first: str
    second: str
    before: int
    now: int
    share_before: float | None = None
    share_now: float | None = None

    @property
    def change(self) -> str:
        """The difference, with its sign."""
        return signed(self.now - self.before)


class Spending(NamedTuple):
    """What one teacher's answers took before and now, and what they cost, as text."""

    teacher: str
    before: Usage
    now: Usage
    cost_before: str
    cost_now: str


def comparison(summary: BuildSummary, earlier: Earlier) -> Markup:
    """Return the part of the page.

    Args:
        summary: of the publication.
        earlier: what it is compared with.
    """
    n_before, n_now = _n_source_rows(earlier.funnel), summary.n_source_rows
    counts = [
        Line("rows published", "", earlier.n_rows, summary.tally.n_rows),
        Line("source rows", "", n_before, n_now),
        *_responses(summary, earlier),
    ]
    reasons = list(_reasons(earlier.funnel, summary.funnel))
    changed = [line for line in reasons if line.before != line.now]
    return render_html(
        "publish/templates/comparison.html.j2",
        earlier=earlier,
        figures={line.first: f"{line.now:,} ({line.change})" for line in counts},
        plots=_plots(summary, earlier),
        reasons=changed[:_MOST_LINES],
        n_same=len(reasons) - len(changed),
        sources=list(_sources(earlier.funnel, summary.funnel))[:_MOST_LINES],
        spending=list(_spending(summary, earlier)),
    )


def signed(number: int) -> str:
    """Return a difference with its sign, a true minus, and ±0 of none."""
    return f"{number:+,}".replace("-", "−") if number else "±0"


def _n_source_rows(funnel: pa.Table) -> int:
    return sum(n_rows for stage, _, n_rows in totals(funnel) if stage == "source")


def _responses(summary: BuildSummary, earlier: Earlier) -> Iterator[Line]:
    if earlier.tally is not None:
        before, now = (
            sum(tally.lengths_published) + sum(tally.lengths_other) for tally in (earlier.tally, summary.tally)
        )
        yield Line("responses judged for them", "", before, now)


def _plots(summary: BuildSummary, earlier: Earlier) -> list[Markup]:
    names = legend([(BEFORE, earlier.name), (NOW, "now")])
    before, now = stages(earlier.funnel), stages(summary.funnel)
    both = stages(pa.concat_tables([earlier.funnel, summary.funnel]))
    where = [Pair(name, _left(before, name, both), _left(now, name, both)) for name in both]
    plots = [figure("Rows left after each stage", pair_bars("Rows left after each stage", where), names)]
    if earlier.tally is None:
        return plots
    title = "Problems by pass rate, as shares"
    columns = pair_columns(title, _TENTHS, earlier.tally.pass_rates, summary.tally.pass_rates)
    plots.append(figure(title, columns, names))
    title = "Published responses by tokens, as shares"
    labels = [*(f"≤ {compact(bound)}" for bound in LENGTHS), f"> {compact(LENGTHS[-1])}"]
    columns = pair_columns(title, labels, earlier.tally.lengths_published, summary.tally.lengths_published)
    return [*plots, figure(title, columns, names)]


def _left(left: Mapping[str, int], stage: str, order: Iterable[str]) -> int:
    """Return rows left after a stage; after one that drops nothing here, as many as after the one before it."""
    found = 0
    for name in order:
        found = left.get(name, found)
        if name == stage:
            break
    return found


def _reasons(before: pa.Table, now: pa.Table) -> Iterator[Line]:
    """Yield what was dropped, by stage and reason, in the order of the pipeline."""
    was, there_are = (Counter({(stage, reason): n for stage, reason, n in totals(table)}) for table in (before, now))
    n_before, n_now = (_n_source_rows(table) or 1 for table in (before, now))
    for stage, reason, _ in totals(pa.concat_tables([before, now])):
        if stage not in {"source", "published"}:
            counts = was[stage, reason], there_are[stage, reason]
            yield Line(stage, reason.replace("_", " "), *counts, counts[0] / n_before, counts[1] / n_now)


def _sources(before: pa.Table, now: pa.Table) -> Iterator[tuple[Line, Line]]:
    """Yield rows and published rows of each source where one of them differs."""
    yields = source_yields(before), source_yields(now)
    for name in sorted(yields[0] | yields[1]):
        (rows, kept), (rows_now, kept_now) = (found.get(name, (0, 0)) for found in yields)
        if (rows, kept) != (rows_now, kept_now):
            yield Line(name, "", rows, rows_now), Line(name, "", kept, kept_now)


def _spending(summary: BuildSummary, earlier: Earlier) -> Iterator[Spending]:
    """Yield what the answers took, by teacher, where it differs or was paid for otherwise."""
    amounts = {line.teacher: line.amount for line in summary.costs}
    currency = summary.recipe.distill.money
    for teacher in sorted(earlier.usage.keys() | summary.usage.keys()):
        used, uses = earlier.usage.get(teacher, Usage()), summary.usage.get(teacher, Usage())
        told = amount_told(earlier.amounts.get(teacher), earlier.currency), amount_told(amounts.get(teacher), currency)
        if used != uses or told[0] != told[1]:
            yield Spending(teacher, used, uses, *told)

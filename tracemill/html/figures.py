"""Figures of reports: a chart with its title and what its colours stand for; those of builds and of audits alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from tracemill.html.charts import compact, histogram, legend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NOTHING = Markup("")


def figure(title: str, chart: Markup, below: Markup = _NOTHING) -> Markup:
    """Return a chart below its title; "" without one."""
    return Markup("<figure><h3>{}</h3>{}{}</figure>").format(title, chart, below) if chart else _NOTHING


def share(part: int, whole: int) -> str:
    """Return a part of a whole, to put behind a number; "" of nothing."""
    return f" · {part / whole:.1%}" if whole else ""


def pass_rate_figure(counts: Sequence[int]) -> Markup:
    """Return problems by the share of their judged responses that is correct.

    Args:
        counts: of problems, in equal steps from 0 up to all, which are a step of their own: 11 for tenths.
    """
    title, n_steps = "Problems by pass rate", len(counts) - 1
    width = 100 // n_steps
    labels = [*(f"{width * step}–{width * (step + 1) - 1} %" for step in range(n_steps)), "100 %"]
    names = [("left", "problems with responses that were judged right or wrong")]
    return figure(title, histogram(title, labels, {"left": counts}, names), legend(names))


def length_figure(
    bounds: Sequence[int], series: Mapping[str, Sequence[int]], names: Sequence[tuple[str, str]]
) -> Markup:
    """Return responses by length.

    Args:
        bounds: tokens up to which a step goes; one more step is for what is over the last.
        series: CSS class -> one number a step.
        names: what the classes stand for.
    """
    title = "Responses by tokens (estimated; every step doubles)"
    labels = [*(f"≤ {compact(bound)}" for bound in bounds), f"> {compact(bounds[-1])}"]
    return figure(title, histogram(title, labels, series, names), legend(names))

"""``report.html`` of a comparison of students: a dot a seed, intervals, dose and response, the learning curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from tracemill.html.charts import WIDTH, legend
from tracemill.html.figures import figure
from tracemill.html.templates import render_html
from tracemill.training.comparison import around, average, points, signed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEFT, _RIGHT, _ROW, _TOP = 96, 12, 34, 18
_PLOT: Final = 150
_KINDS: Final = ("left", "kept", "lost", "other")


def report(found: Mapping[str, Any]) -> str:
    """Return the page: one file without anything from elsewhere."""
    contrast, noise = found["contrast"], found["noise"]
    figures = {
        f"{contrast['ahead']} − {contrast['behind']}, points": signed(contrast.get("difference")),
        "95 %, over seeds and items": around(contrast.get("interval")),
        "seeds of each arm": str(noise["seeds_trained"]),
        "held-out problems": f"{found['items']:,}",
        f"{contrast['ahead']} − base, points": _told(found["against_base"].get(contrast["ahead"])),
        "smallest difference that can be found": points(contrast.get("detectable_difference")),
    }
    page = render_html(
        "training/templates/comparison.html.j2",
        title=found["name"],
        found=found,
        figures=figures,
        plots=[_dots(found), _dose(found), _curves(found["arms"])],
        rows=[_row(arm, found) for arm in found["arms"]],
        secondary=[_secondary_row(name, second) for name, second in found.get("secondary", {}).items()],
        points=points,
    )
    return str(page)


def _row(arm: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    shown = [
        arm["name"],
        average(arm["rows"]),
        average(arm["tokens"]),
        "–" if arm["wrong_share"] is None else f"{arm['wrong_share']:.0%}",
        points(arm["mean"]),
        around(arm["interval"]),
        points(arm["between_seeds"]),
    ]
    return [*shown, _told(found["against_base"].get(arm["name"])), _told(found["against"].get(arm["name"]))]


def _told(difference: Mapping[str, Any] | None) -> str:
    """Return a difference with its interval."""
    return f"{signed(difference['difference'])} ({around(difference['interval'])})" if difference else "–"


def _secondary_row(name: str, second: Mapping[str, Any]) -> list[str]:
    means = second["means"]
    return [name, f"{second['items']:,}", *(points(mean) for mean in means.values()), _told(second["contrast"])]


def _dots(found: Mapping[str, Any]) -> Markup:
    """Return a line an arm: a dot a seed, the mean and its interval."""
    arms = [arm for arm in found["arms"] if arm["mean"] is not None]
    if not arms:
        return Markup("")
    values = [score for arm in arms for score in arm["by_seed"].values()]
    values += [end for arm in arms for end in arm["interval"] or ()]
    values += [] if found["base"] is None else [found["base"]]
    scale, bottom = _Scale(min(values), max(values)), _TOP + _ROW * len(arms)
    drawn = [scale.grid(bottom)]
    if found["base"] is not None:
        line = Markup('<line class="base" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>')
        drawn.append(line.format(_TOP, bottom, x=scale.x(found["base"])))
    for number, arm in enumerate(arms):
        y = _TOP + _ROW * number + _ROW / 2
        drawn.append(Markup('<text x="0" y="{}">{}</text>').format(y + 4, arm["name"][:14]))
        if arm["interval"]:
            low, high = map(scale.x, arm["interval"])
            line = Markup('<line class="interval" x1="{:.1f}" x2="{:.1f}" y1="{y}" y2="{y}"/>')
            drawn.append(line.format(low, high, y=y))
        mean = Markup('<rect class="left" x="{:.1f}" y="{}" width="3" height="16"/>')
        drawn.append(mean.format(scale.x(arm["mean"]) - 1.5, y - 8))
        dot = Markup('<circle class="kept" cx="{:.1f}" cy="{}" r="3.2"/>')
        drawn += [dot.format(scale.x(score), y) for score in arm["by_seed"].values()]
    title = "Score of every student, in points"
    names = legend(
        [
            ("kept", "a student (seed)"),
            ("left", "mean of the arm, with its 95 % interval"),
            ("lost", "the base as it is"),
        ]
    )
    return figure(title, _svg(title, bottom + 20, drawn), names)


class _Scale:
    """Scores to places from left to right."""

    def __init__(self, low: float, high: float) -> None:
        margin = max(0.02, 0.08 * (high - low))
        self._low, self._high = max(0.0, low - margin), min(1.0, high + margin)

    def x(self, score: float) -> float:
        """Return the place of a score."""
        return _LEFT + (score - self._low) / (self._high - self._low) * (WIDTH - _LEFT - _RIGHT)

    def grid(self, bottom: float) -> Markup:
        """Return lines at round scores."""
        step = next(
            step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (self._high - self._low) / step <= 6 or step == 0.2
        )
        line = Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>'
            '<text class="small" text-anchor="middle" x="{x:.1f}" y="{}">{}</text>'
        )
        ticks = [step * n for n in range(round(1 / step) + 1) if self._low <= step * n <= self._high]
        return Markup("").join(line.format(_TOP, bottom, bottom + 14, f"{100 * t:.0f}", x=self.x(t)) for t in ticks)


def _dose(found: Mapping[str, Any]) -> Markup:
    """Return score by the share of wrong traces, of the arms with as many tokens."""
    arms = [a for a in found["arms"] if a["matched"] and a["mean"] is not None and a["wrong_share"] is not None]
    if len(arms) < 2:
        return Markup("")
    series = [("left", [(100 * arm["wrong_share"], 100 * arm["mean"]) for arm in sorted(arms, key=_share)])]
    title = "Dose and response: score by the share of wrong traces, in per cent"
    names = legend([("left", "arms of the same problems and as many tokens")])
    return figure(title, _lines(title, series), names)


def _share(arm: Mapping[str, Any]) -> float:
    return float(arm["wrong_share"])


def _curves(arms: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the loss by update of each arm."""
    shown = [(kind, arm) for kind, arm in zip(_KINDS, arms, strict=False) if len(arm["curve"]) > 1]
    if not shown:
        return Markup("")
    title = "Learning curve: loss by update, mean over seeds"
    chart = _lines(title, [(kind, [(step, loss) for step, loss in arm["curve"]]) for kind, arm in shown])
    return figure(title, chart, legend([(kind, arm["name"]) for kind, arm in shown]))


def _lines(title: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> Markup:
    """Return lines over one pair of axes."""
    xs, ys = ([pair[axis] for _, pairs in series for pair in pairs] for axis in (0, 1))
    low_x, low_y = min(xs), min(ys)
    span_x, span_y = (max(xs) - low_x) or 1, (max(ys) - low_y) or 1
    left, wide = 48, WIDTH - 48 - _RIGHT
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y, x = _TOP + _PLOT * (1 - share), left + wide * share
        grid = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(grid.format(left, left + wide, y=y))
        label = Markup('<text class="told" x="{}" y="{:.1f}">{:.3g}</text>')
        drawn.append(label.format(left - 4, y + 4, low_y + share * span_y))
        under = Markup('<text class="small" text-anchor="middle" x="{:.1f}" y="{}">{:.4g}</text>')
        drawn.append(under.format(x, _TOP + _PLOT + 16, low_x + share * span_x))
    for kind, pairs in series:
        places = [(left + wide * (x - low_x) / span_x, _TOP + _PLOT * (1 - (y - low_y) / span_y)) for x, y in pairs]
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(Markup('<polyline class="line {}" points="{}"/>').format(kind, text))
        if len(places) <= 6:
            dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3.2"/>')
            drawn += [dot.format(kind, x, y) for x, y in places]
    return _svg(title, _TOP + _PLOT + 24, drawn)


def _svg(title: str, height: float, drawn: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {:.0f}" role="img" aria-label="{title}"><title>{title}</title>{}</svg>'
    ).format(WIDTH, height, Markup("").join(drawn), title=title)

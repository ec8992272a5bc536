"""Intervals as inline SVG: a dot at the score, a line over its interval, a pale one over what is left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 360
_ROW: Final = 34
_BELOW: Final = 24
_PAD: Final = 8
_TICKS: Final = 4
_ANCHORS: Final = {0: "start", _TICKS: "end"}  # of the outer ones, so that they stay within the picture
_NOTHING: Final = Markup("")


class Whisker(NamedTuple):
    """One line.

    Attributes:
        label: on the left.
        told: on the right.
        at: the value; None where there is none.
        interval: 95 %.
        bounds: what it would be if all that is open were wrong, or right; None where nothing is drawn.
        kind: CSS class.
    """

    label: str
    told: str
    at: float | None
    interval: Sequence[float] | None
    bounds: Sequence[float] | None = None
    kind: str = "left"


def whiskers(title: str, lines: Sequence[Whisker], *, around_zero: bool = False) -> Markup:
    """Return the lines on one scale, from 0 to 100 % or around no difference; "" without lines.

    Args:
        title: what a screen reader says.
        lines: from top to bottom.
        around_zero: the values are differences.
    """
    if not lines:
        return _NOTHING
    low, high = _scale(lines) if around_zero else (0.0, 1.0)
    rows = [_line(line, number * _ROW, low, high) for number, line in enumerate(lines)]
    height = len(lines) * _ROW + _BELOW
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{title}"><title>{title}</title>{}{}</svg>'
    ).format(_WIDTH, height, _axis(low, high, len(lines) * _ROW), _NOTHING.join(rows), title=title)


def _scale(lines: Sequence[Whisker]) -> tuple[float, float]:
    ends = [abs(end) for line in lines for end in (*(line.interval or ()), line.at or 0.0)]
    reach = max(0.01, *ends) * 1.05
    return -reach, reach


def _axis(low: float, high: float, bottom: int) -> Markup:
    line = Markup('<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{}"/>')
    told = Markup('<text class="small" text-anchor="{}" x="{:.1f}" y="{}">{}</text>')
    drawn = []
    for step in range(_TICKS + 1):
        value = low + (high - low) * step / _TICKS
        x = _place(value, low, high)
        text = f"{100 * value:+.1f}" if low < 0 else f"{100 * value:.0f} %"
        drawn += [
            line.format(bottom, x=x),
            told.format(_ANCHORS.get(step, "middle"), x, bottom + 14, text if abs(value) > 1e-12 or low == 0 else "0"),
        ]
    return _NOTHING.join(drawn)


def _line(line: Whisker, top: int, low: float, high: float) -> Markup:
    middle = top + 23
    parts = [
        Markup('<text x="0" y="{y}">{}</text><text class="told" x="{}" y="{y}">{}</text>').format(
            line.label, _WIDTH, line.told, y=top + 12
        )
    ]
    bar = Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="1"/>')
    for kind, ends, thick in (("rail-open", line.bounds, 9), (line.kind, line.interval, 3)):
        if ends is not None:
            x, end = (_place(value, low, high) for value in ends)
            parts.append(bar.format(kind, x, middle - thick / 2, max(1.0, end - x), thick))
    if line.at is not None:
        dot = Markup('<circle class="{}" cx="{:.1f}" cy="{}" r="4.5"/>')
        parts.append(dot.format(line.kind, _place(line.at, low, high), middle))
    return _NOTHING.join(parts)


def _place(value: float, low: float, high: float) -> float:
    share = (min(max(value, low), high) - low) / (high - low)
    return _PAD + share * (_WIDTH - 2 * _PAD)

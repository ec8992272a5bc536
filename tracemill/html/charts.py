"""Charts as inline SVG: no script, nothing from elsewhere, one colour class a series, so that the page's style rules.

They are drawn 360 units wide, the width of a phone, and scale with the page. Every text is escaped.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 360
_ROW: Final = 30  # a bar with its line of text above
_BAR: Final = 9
_PLOT: Final = 120  # height of the columns
_TOP: Final = 16
_LEFT: Final = 40
_BELOW: Final = 44
_LABEL_CHARS: Final = 34


class Bar(NamedTuple):
    """One line of a bar chart.

    Attributes:
        label: on the left.
        told: on the right.
        parts: CSS class and length of each part, from left to right; what they sum to may differ by line.
    """

    label: str
    told: str
    parts: Sequence[tuple[str, float]]


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars, one below the other, on one scale; "" without bars.

    Args:
        title: what a screen reader says.
        bars: from top to bottom.
    """
    if not bars:
        return ""
    longest = max(sum(length for _, length in bar.parts) for bar in bars) or 1
    drawn = "".join(_bar(bar, number * _ROW, WIDTH / longest) for number, bar in enumerate(bars))
    return _svg(title, len(bars) * _ROW, drawn)


def _bar(bar: Bar, top: float, scale: float) -> str:
    x, parts = 0.0, []
    for kind, length in bar.parts:
        if length > 0:
            width = max(length * scale, 0.5)
            parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{top + 15:.0f}" width="{width:.1f}" height="{_BAR}"/>')
            x += width
    return (
        f'<text x="0" y="{top + 11:.0f}">{html.escape(_short(bar.label))}</text>'
        f'<text class="told" x="{WIDTH}" y="{top + 11:.0f}">{html.escape(bar.told)}</text>'
        f'<rect class="rail" x="0" y="{top + 15:.0f}" width="{WIDTH}" height="{_BAR}"/>{"".join(parts)}'
    )


def histogram(title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    """Columns, stacked, with their sums above them; "" if there is nothing to count.

    Args:
        title: what a screen reader says.
        labels: of the columns, from left to right.
        series: CSS class -> one number a column; the first series stands at the bottom.
    """
    sums = [sum(numbers) for numbers in zip(*series.values(), strict=True)]
    if not any(sums):
        return ""
    step, scale = (WIDTH - _LEFT) / len(labels), _PLOT / max(sums)
    drawn = [_axis(max(sums))]
    for number, label in enumerate(labels):
        x, y = _LEFT + number * step, float(_TOP + _PLOT)
        for kind, numbers in series.items():
            height = numbers[number] * scale
            y -= height
            if height:
                drawn.append(
                    f'<rect class="{kind}" x="{x + 1:.1f}" y="{y:.1f}" width="{step - 2:.1f}" height="{height:.1f}"/>'
                )
        drawn.append(_under(label, x + step / 2))
    return _svg(title, _TOP + _PLOT + _BELOW, "".join(drawn))


def _axis(highest: int) -> str:
    """Lines at nothing, at half and at the highest column, with what they stand for."""
    lines = []
    for share in (0.0, 0.5, 1.0):
        y, number = _TOP + _PLOT * (1 - share), highest * share
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if number == int(number):
            lines.append(f'<text class="told" x="{_LEFT - 4}" y="{y + 4:.1f}">{compact(int(number))}</text>')
    return "".join(lines)


def _under(label: str, x: float) -> str:
    y = _TOP + _PLOT + 10
    return (
        f'<text class="told small" x="{x + 4:.1f}" y="{y}" transform="rotate(-45 {x + 4:.1f} {y})">'
        f"{html.escape(label)}</text>"
    )


def legend(named: Iterable[tuple[str, str]]) -> str:
    """What the colours stand for: (CSS class, name)."""
    entries = (f'<span><i class="{kind}"></i>{html.escape(name)}</span>' for kind, name in named)
    return f'<p class="legend">{"".join(entries)}</p>'


def compact(number: int) -> str:
    """A number in few characters: 950, 12.3k, 1.4M."""
    for limit, unit in ((1_000_000, "M"), (10_000, "k")):
        if number >= limit:
            return f"{number / (1_000_000 if unit == 'M' else 1000):.3g}{unit}"
    return f"{number:,}"


def _short(text: str) -> str:
    return text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}…"


def _svg(title: str, height: float, drawn: str) -> str:
    name = html.escape(title)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}"><title>{name}</title>'
        f"{drawn}</svg>"
    )

"""Charts as inline SVG: no script, nothing from elsewhere, one colour class a series, so that the page's style rules.

They are drawn 360 units wide, the width of a phone, and scale with the page. ``Markup.format`` escapes every text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 360
_ROW: Final = 30  # a bar with its line of text above
_BAR: Final = 9
PLOT: Final = 120  # height of the columns
TOP: Final = 16
LEFT: Final = 40
BELOW: Final = 44
_LABEL_CHARS: Final = 34
_NOTHING: Final = Markup("")


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


def bar_chart(title: str, bars: Sequence[Bar], named: Iterable[tuple[str, str]] = ()) -> Markup:
    """Horizontal bars, one below the other, on one scale; "" without bars.

    Args:
        title: what a screen reader says.
        bars: from top to bottom.
        named: (CSS class, name), for what a part says below the pointer.
    """
    if not bars:
        return _NOTHING
    longest = max(sum(length for _, length in bar.parts) for bar in bars) or 1
    names = dict(named)
    drawn = [_bar(bar, number * _ROW, WIDTH / longest, names) for number, bar in enumerate(bars)]
    return svg(title, len(bars) * _ROW, drawn)


def _bar(bar: Bar, top: int, scale: float, names: Mapping[str, str]) -> Markup:
    part = Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>')
    x, parts = 0.0, []
    for kind, length in bar.parts:
        if length > 0:
            width = max(length * scale, 0.5)
            told = _hover(bar.label, names.get(kind), length)
            parts.append(part.format(kind, x, top + 15, width, _BAR, told))
            x += width
    return Markup(
        '<text x="0" y="{text}">{label}</text>'
        '<text class="told" x="{width}" y="{text}">{told}</text>'
        '<rect class="rail" x="0" y="{rail}" width="{width}" height="{height}"/>{parts}'
    ).format(
        label=short(bar.label),
        told=bar.told,
        text=top + 11,
        rail=top + 15,
        width=WIDTH,
        height=_BAR,
        parts=_NOTHING.join(parts),
    )


def _hover(label: str, name: str | None, number: float) -> str:
    """Return what is said below the pointer: a number of what, or a share of it."""
    told = f"{number:,.0f}" if number >= 1 or number == int(number) else f"{number:.1%}"
    return f"{label}: {told}{f' {name}' if name else ''}"


def histogram(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]], named: Iterable[tuple[str, str]] = ()
) -> Markup:
    """Columns, stacked, with their sums above them; "" if there is nothing to count.

    Args:
        title: what a screen reader says.
        labels: of the columns, from left to right.
        series: CSS class -> one number a column; the first series stands at the bottom.
        named: (CSS class, name), for what a column says below the pointer.
    """
    sums = [sum(numbers) for numbers in zip(*series.values(), strict=True)]
    if not any(sums):
        return _NOTHING
    names = dict(named)
    column = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    step, scale = (WIDTH - LEFT) / len(labels), PLOT / max(sums)
    drawn = [_axis(max(sums))]
    for number, label in enumerate(labels):
        x, y = LEFT + number * step, float(TOP + PLOT)
        for kind, numbers in series.items():
            height = numbers[number] * scale
            y -= height
            if height:
                told = _hover(label, names.get(kind), numbers[number])
                drawn.append(column.format(kind, x + 1, y, step - 2, height, told))
        drawn.append(under(label, x + step / 2))
    return svg(title, TOP + PLOT + BELOW, drawn)


def _axis(highest: int) -> Markup:
    """Return lines at nothing, at half and at the highest column, with what they stand for."""
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    told = Markup('<text class="told" x="{}" y="{:.1f}">{}</text>')
    lines = []
    for share in (0.0, 0.5, 1.0):
        y, number = TOP + PLOT * (1 - share), highest * share
        lines.append(line.format(LEFT, WIDTH, y=y))
        if number == int(number):
            lines.append(told.format(LEFT - 4, y + 4, compact(int(number))))
    return _NOTHING.join(lines)


def under(label: str, x: float) -> Markup:
    """Return what a column stands for, below it."""
    return Markup('<text class="told small" x="{x:.1f}" y="{y}" transform="rotate(-45 {x:.1f} {y})">{}</text>').format(
        label, x=x + 4, y=TOP + PLOT + 10
    )


def legend(named: Iterable[tuple[str, str]]) -> Markup:
    """Return what the colours stand for: (CSS class, name)."""
    entry = Markup('<span><i class="{}"></i>{}</span>')
    return Markup('<p class="legend">{}</p>').format(_NOTHING.join(entry.format(*one) for one in named))


def compact(number: int) -> str:
    """Return a number in few characters: 950, 12.3k, 1.4M."""
    for limit, unit in ((1_000_000, "M"), (10_000, "k")):
        if number >= limit:
            return f"{number / (1_000_000 if unit == 'M' else 1000):.3g}{unit}"
    return f"{number:,}"


def short(text: str) -> str:
    """Return as much of a label as stands beside a number."""
    return text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}…"


def svg(title: str, height: int, drawn: Iterable[Markup]) -> Markup:
    """Return a chart of what was drawn."""
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{title}"><title>{title}</title>{}</svg>'
    ).format(WIDTH, height, _NOTHING.join(drawn), title=title)

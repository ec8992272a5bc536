"""Charts of two runs side by side: the earlier one in the colour ``other``, the present one in ``left``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup

from tracemill.html.charts import BELOW, LEFT, PLOT, TOP, WIDTH, short, svg, under

if TYPE_CHECKING:
    from collections.abc import Sequence

BEFORE, NOW = "other", "left"
_ROW: Final = 34  # two bars with their line of text above
_BAR: Final = 7
_NOTHING: Final = Markup("")


class Pair(NamedTuple):
    """The same figure of two runs."""

    label: str
    before: int
    now: int


def pair_bars(title: str, pairs: Sequence[Pair]) -> Markup:
    """Two horizontal bars a label, all on one scale; "" if there is nothing to show.

    Args:
        title: what a screen reader says.
        pairs: from top to bottom.
    """
    longest = max((max(pair.before, pair.now) for pair in pairs), default=0)
    if not longest:
        return _NOTHING
    drawn = [_bars(pair, number * _ROW, WIDTH / longest) for number, pair in enumerate(pairs)]
    return svg(title, len(pairs) * _ROW, drawn)


def _bars(pair: Pair, top: int, scale: float) -> Markup:
    bar = Markup(
        '<rect class="rail" x="0" y="{y}" width="{full}" height="{height}"/>'
        '<rect class="{kind}" x="0" y="{y}" width="{width:.1f}" height="{height}"><title>{told}</title></rect>'
    )
    two = [
        bar.format(
            kind=kind,
            y=top + 15 + place * (_BAR + 1),
            width=number * scale,
            full=WIDTH,
            height=_BAR,
            told=f"{pair.label}: {number:,} {when}",
        )
        for place, (kind, number, when) in enumerate([(BEFORE, pair.before, "before"), (NOW, pair.now, "now")])
    ]
    told = f"{pair.before:,} → {pair.now:,}" if pair.before != pair.now else f"{pair.now:,}"
    return Markup('<text x="0" y="{y}">{}</text><text class="told" x="{width}" y="{y}">{}</text>{}').format(
        short(pair.label), told, _NOTHING.join(two), y=top + 11, width=WIDTH
    )


def pair_columns(title: str, labels: Sequence[str], before: Sequence[int], now: Sequence[int]) -> Markup:
    """Two columns a label, each as a share of its own run, since the runs differ in size; "" if one of them is empty.

    Args:
        title: what a screen reader says.
        labels: from left to right.
        before: one count a label, of the earlier run.
        now: of the present one.
    """
    if not sum(before) or not sum(now):
        return _NOTHING
    shares = [[number / sum(numbers) for number in numbers] for numbers in (before, now)]
    step, highest = (WIDTH - LEFT) / len(labels), max(max(run) for run in shares)
    drawn = [_shares_axis(highest)]
    for number, label in enumerate(labels):
        for place, (kind, when) in enumerate([(BEFORE, "before"), (NOW, "now")]):
            height = PLOT * shares[place][number] / highest
            x = LEFT + number * step + 1 + place * (step - 2) / 2
            told = f"{label}: {shares[place][number]:.1%} {when}, {(before, now)[place][number]:,}"
            drawn.append(_column(kind, x, height, (step - 2) / 2, told))
        drawn.append(under(label, LEFT + (number + 0.5) * step))
    return svg(title, TOP + PLOT + BELOW, drawn)


def _column(kind: str, x: float, height: float, width: float, told: str) -> Markup:
    column = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    return column.format(kind, x, TOP + PLOT - height, width, height, told) if height else _NOTHING


def _shares_axis(highest: float) -> Markup:
    """Return lines at nothing, at half and at the highest share, with what they stand for."""
    line = Markup(
        '<line class="grid" x1="{left}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text class="told" x="{}" y="{:.1f}">{}</text>'
    )
    places = [(TOP + PLOT * (1 - share), f"{share * highest:.0%}") for share in (0.0, 0.5, 1.0)]
    return _NOTHING.join(line.format(WIDTH, LEFT - 4, y + 4, told, left=LEFT, y=y) for y, told in places)

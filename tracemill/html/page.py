"""A self-contained HTML page: one file without anything from elsewhere, for phones and in the dark too."""

from __future__ import annotations

import html
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6675; --line: #dfe3ea; --ground: #ffffff; --rail: #eef0f4;
  --left: #4b7bd0; --lost: #d98a4b; --kept: #3f9159; --other: #a9b3c3; --advice: #fdf1e3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --soft: #9aa4b4; --line: #343b47; --ground: #14181f;
  --rail: #222833; --left: #6f9be8; --lost: #e29a5f; --kept: #5bb479; --other: #5d6778; --advice: #33291c; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--ground); overflow-wrap: break-word; }
h1 { line-height: 1.2; } h2 { margin: 2.5rem 0 .5rem; } h3 { font-size: 1rem; margin: 0 0 .6rem; }
p.note { color: var(--soft); margin: .2rem 0 1rem; }
.wide { overflow-x: auto; margin: 1rem 0 2rem; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 40%; min-width: 6rem; }
td.bar div { height: .8rem; margin-top: .3rem; border-radius: 2px; min-width: 1px; }
.left { background: var(--left); fill: var(--left); } .lost { background: var(--lost); fill: var(--lost); }
.kept { background: var(--kept); fill: var(--kept); } .other { background: var(--other); fill: var(--other); }
code { background: var(--rail); padding: .1rem .3rem; border-radius: 3px; overflow-wrap: anywhere; }
.advice { background: var(--advice); border-left: 4px solid var(--lost); padding: .6rem 1rem; }
.figures { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 1.2rem 0; }
.figures div { font-size: 1.6rem; font-variant-numeric: tabular-nums; line-height: 1.2; }
.figures small { display: block; font-size: .85rem; color: var(--soft); }
.plots { columns: 20rem 2; column-gap: 2.5rem; margin-top: 2rem; }
.plots figure { margin: 0 0 2.2rem; max-width: 32rem; break-inside: avoid; }
svg.chart { width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } svg .told { text-anchor: end; fill: var(--soft); }
svg text.small { font-size: 9.5px; } svg .rail { fill: var(--rail); } svg .grid { stroke: var(--line); }
.legend { font-size: .85rem; color: var(--soft); margin: .5rem 0; } .legend span { margin-right: 1.2rem; }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .35rem; }
"""


def page(title: str, body: str, more_style: str = "") -> str:
    """The document.

    Args:
        title: as plain text.
        body: HTML, with everything from outside escaped.
        more_style: CSS on top of the common one.
    """
    name = html.escape(title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · tracemill</title><style>{_STYLE}{more_style}</style></head>"
        f"<body><h1>{name}</h1>{body}</body></html>\n"
    )


def table(header: str, rows: str) -> str:
    """A table that scrolls sideways where the screen is narrow.

    Args:
        header: HTML of its cells.
        rows: HTML.
    """
    return f'<div class="wide"><table><tr>{header}</tr>{rows}</table></div>'

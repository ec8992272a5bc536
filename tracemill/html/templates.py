"""Fills templates: jinja2 files in a folder ``templates`` beside the module that fills them.

What a template does not know is an error. In HTML every value is escaped, unless it is ``Markup``: what such a template
or a chart made. In Markdown nothing is; there the filter ``cell`` keeps a value from breaking a table.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

_PACKAGES: Final = Path(__file__).parent.parent
_CELL_CHARS: Final = 120


def render_html(name: str, **values: Any) -> Markup:
    """Return a page, or a part of one.

    Args:
        name: of the file from ``tracemill/`` on, such as ``audit/templates/report.html.j2``.
        values: what it calls them; text is plain text.

    Raises:
        jinja2.UndefinedError: the template needs a value that is not given.
    """
    return Markup(_environment().get_template(name).render(values))  # noqa: S704 - the template has escaped them


def render_markdown(name: str, **values: Any) -> str:
    """Return a document, or a part of one.

    Args:
        name: of the file from ``tracemill/`` on, such as ``publish/templates/card.md.j2``.
        values: what it calls them; text is Markdown, unless the template puts it into a ``cell``.

    Raises:
        jinja2.UndefinedError: the template needs a value that is not given.
    """
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PACKAGES),
        autoescape=select_autoescape(enabled_extensions=(), disabled_extensions=("md.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {"thousands": "{:,}".format, "percent": "{:.1%}".format, "cell": cell}
    return environment


def cell(value: object) -> str:
    """Return a value in a cell of a Markdown table: on one line, without an end of the cell, and not the longest."""
    return " ".join(f"{value}".split()).replace("|", "\\|")[:_CELL_CHARS]

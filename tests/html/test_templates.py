"""Templates: what is escaped, what an unknown value is, and that every one of them can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, UndefinedError
from markupsafe import Markup

from tests.support.needs import ROOT
from tracemill.html import templates
from tracemill.html.templates import render_html, render_markdown

EVIL = '<script>alert("x")</script>|&'
ESCAPED = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;|&amp;"
FILES = sorted(str(path.relative_to(ROOT / "tracemill")) for path in (ROOT / "tracemill").rglob("*.j2"))


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that templates are read from instead."""
    monkeypatch.setattr(templates, "_PACKAGES", tmp_path)
    templates._environment.cache_clear()
    yield tmp_path
    templates._environment.cache_clear()


def test_html_is_escaped_and_markdown_is_not(written: Path) -> None:
    """In HTML a text is escaped and ``Markup`` is not; Markdown escapes what ends a cell of a table, in cells alone."""
    (written / "a.html.j2").write_text("<p>{{ told }}{{ made }}</p>")
    (written / "a.md.j2").write_text("{{ told }} | {{ told | cell }} |\n")
    assert render_html("a.html.j2", told=EVIL, made=Markup("<b>1</b>")) == f"<p>{ESCAPED}<b>1</b></p>"
    assert render_markdown("a.md.j2", told="a|b\n c") == "a|b\n c | a\\|b c |\n"


def test_a_part_is_put_into_a_page_as_it_is(written: Path) -> None:
    """What one HTML template made is not escaped again by another."""
    (written / "part.html.j2").write_text("<i>{{ told }}</i>")
    (written / "page.html.j2").write_text("<p>{{ part }}</p>")
    part = render_html("part.html.j2", told=EVIL)
    assert render_html("page.html.j2", part=part) == f"<p><i>{ESCAPED}</i></p>"


def test_a_value_that_is_not_given_is_an_error(written: Path) -> None:
    """A name that a template knows and the code does not give fails, rather than leave a gap in a published file."""
    (written / "a.md.j2").write_text("{{ told }} {{ forgotten }}")
    with pytest.raises(UndefinedError, match="forgotten"):
        render_markdown("a.md.j2", told="x")


@pytest.mark.parametrize("name", FILES)
def test_every_template_is_called_by_its_kind(name: str) -> None:
    """It parses, lies in a folder ``templates``, and its ending says whether it is escaped."""
    environment: Environment = templates._environment()
    environment.get_template(name)
    assert Path(name).parent.name == "templates"
    assert name.endswith((".html.j2", ".md.j2"))
    assert environment.autoescape(name) == name.endswith(".html.j2")

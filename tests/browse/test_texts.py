"""Texts of strangers on the pages of the browser."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.runs.browsed_run import EVIL
from tracemill.browse import texts
from tracemill.browse.texts import code, plain, rendered, short, value, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**b** `c`", "<strong>b</strong> <code>c</code>"),
        ("$x$ and \\(y\\)", '<math display="inline"><mrow><mi>x</mi></mrow></math>'),
        ("\\[\na\n\\]\n", '<math display="block"><mrow><mi>a</mi></mrow></math>'),
        ("So \\boxed{5}.", "<menclose"),
        ("$5 and $6", "<p>$5 and $6</p>"),
        ("tests:\nassert f() == 1", "tests:<br />\nassert f() == 1"),
        ("```python\nprint(1)\n```", '<span class="nb">print</span>'),
        ('```"><script>\nx\n```', "x\n"),
        ("[a](http://x) ![p](http://y) <http://z>", "[a](http://x) ![p](http://y) &lt;http://z&gt;"),
        ("$\\newcommand{\\a}{b}$", '<code class="latex">$\\newcommand{\\a}{b}$</code>'),
    ],
)
def test_a_text_is_read_as_it_was_meant(text: str, shown: str) -> None:
    """Markdown, formulas and programs are drawn; money is money, and an address is a text."""
    assert shown in rendered(text)


@pytest.mark.parametrize("show", [rendered, plain, value, code])
def test_nothing_of_a_text_becomes_a_page(show: object) -> None:
    """Whatever shows it: no element, attribute or address of the text's own, and no control characters."""
    assert callable(show)
    told = str(show(EVIL))
    assert re.search(r"<(script|img|style|a|iframe)\b", told) is None
    assert re.search(r"<[^>]*(href|src|style|onerror)=", told) is None
    assert not set("\x00\u202e") & set(told)


@pytest.mark.parametrize(
    "text", ["[" * 30_000, ">" * 30_000, "$" * 30_000, "\\[\n" * 10_000, "*a_ " * 7_500, "$x$ " * 7_000]
)
def test_a_text_made_to_take_long_does_not(text: str) -> None:
    """Brackets, quotes, dollars and stars without end take a second or two, formulas what they are allowed."""
    start = time.monotonic()
    rendered(text)
    assert time.monotonic() - start < 5


def test_a_huge_text_is_shown_in_part() -> None:
    """Its beginning, plain, with how much is missing."""
    told = str(rendered("word " * 1_000_000))
    assert len(told) < texts.MOST_PLAIN + 200
    assert "4,800,000 more characters" in told


def test_lone_surrogates_can_be_shown() -> None:
    """A text that no file could hold is shown all the same."""
    assert visible("a\ud800b") == "a�b"
    assert short("a\nb " * 100, 10) == "a b a b a…"

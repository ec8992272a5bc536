"""LaTeX of strangers as MathML."""

from __future__ import annotations

import time

import pytest

from tracemill.browse.mathematics import MOST_CHARS, mathml


@pytest.mark.parametrize(
    ("latex", "drawn"),
    [
        (r"\frac{1}{2}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"),
        (r"x<b>", "<mo>&lt;</mo><mi>b</mi><mo>&gt;</mo>"),
        (r"\boxed{5}", '<menclose notation="box">'),
    ],
)
def test_a_formula_is_drawn(latex: str, drawn: str) -> None:
    """As MathML under its plain names, with texts escaped."""
    told = mathml(latex)
    assert told is not None
    assert drawn in told
    assert told.startswith('<math display="inline">')


@pytest.mark.parametrize(
    "latex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x}",
        r"\class{evil}{x}",
        r"\color{red;background:url(http://x)}x",
        r"\hspace{99999em}x",
    ],
)
def test_what_is_no_mathematics_is_left_out(latex: str) -> None:
    """Links, styles, classes, colours, elements in texts, sizes that would cover the page: the rest is drawn."""
    told = mathml(latex)
    assert told is not None
    assert "<mi>x</mi>" in told
    assert not any(word in told for word in ("javascript", "position", "evil", "url", "99999", "href", "style="))


@pytest.mark.parametrize(
    "latex", [r"\text{<script>}", r"\text{<script>alert(1)</script><a href='x'>b</a>}", r"\text{&x;}"]
)
def test_elements_in_a_text_are_none_of_the_page(latex: str) -> None:
    """What latex2mathml passes on without escaping it is no element, attribute or entity here."""
    assert not any(word in str(mathml(latex)) for word in ("<script", "<a", "href", "&x;"))


@pytest.mark.parametrize(
    "latex",
    [
        "x" * (MOST_CHARS + 1),
        "{" * MOST_CHARS,
        r"\sqrt{" * 300,
        r"\newcommand{\a}{\b\b}\newcommand{\b}{\c\c}\newcommand{\c}{\d\d}\a",
        r"\def\a{\a\a}\a",
        "\x00",
        r"\frac{",
    ],
)
def test_what_cannot_be_drawn_is_said_quickly(latex: str) -> None:
    """Formulas that are long, open, nested too deeply or define macros are left to be shown as they were written."""
    start = time.monotonic()
    assert mathml(latex) is None
    assert time.monotonic() - start < 1

r"""What strangers wrote, as HTML: Markdown, formulas and highlighted code, all of it escaped and none of it endless.

Covered: HTML, scripts and attributes in a text, which come out as text; links and pictures, which are not made, so that
no address of a stranger is ever asked; control characters; texts of many megabytes, of which the beginning is shown.
Not covered: a text that is unpleasant to read.
"""

from __future__ import annotations

import json
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from tracemill.browse.mathematics import mathml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

MOST_RENDERED: Final = 30_000  # characters as Markdown; longer texts are shown plain
MOST_PLAIN: Final = 200_000
MOST_CODE: Final = 8_000  # highlighted; lexers take quadratic time on some texts, 0.7 s on the worst of these
_FORMULA_CHARS: Final = 2_500  # so far a formula's end is looked for
_FORMULAS_S: Final = 1.0  # for all formulas of one text; the others stay as they are written
_LANGUAGE: Final = re.compile(
    r"python3?|py|cpp|c\+\+|c|java|javascript|js|typescript|rust|go|bash|sh|shell|sql|json|yaml|html|css|haskell|ocaml|"
    r"ruby|r|julia|csharp|kotlin|scala|swift|perl|php|lua|matlab|latex|tex|text"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PAIRS: Final = (("$$", "$$", True), (r"\[", r"\]", True), (r"\(", r"\)", False), ("$", "$", False))
_BOXED: Final = r"\boxed{"


def rendered(text: str) -> Markup:
    """Return a text as its author meant it to be read: Markdown, formulas, code."""
    if len(text) > MOST_RENDERED:
        return plain(text)
    try:
        told = _markdown().render(visible(text), {"deadline": time.monotonic() + _FORMULAS_S})
    except RecursionError:
        return plain(text)
    return Markup('<div class="text">{}</div>').format(Markup(told))  # noqa: S704 - markdown-it escapes, html is off


def plain(text: str, most: int = MOST_PLAIN) -> Markup:
    """Return a text as it is."""
    return Markup('<pre class="text">{}</pre>{}').format(visible(text[:most]), _left_out(len(text) - most))


def code(text: str, language: str = "python") -> Markup:
    """Return a program, highlighted where it is not too long."""
    return Markup('<pre class="code">{}</pre>{}').format(
        _highlighted(visible(text[:MOST_PLAIN]), language), _left_out(len(text) - MOST_PLAIN)
    )


def value(found: Any) -> Markup:
    """Return what JSON holds, for a cell: texts as texts, all else as JSON."""
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=1)
    return plain(text, 20_000) if "\n" in text or len(text) > 200 else escape(visible(text))


def visible(text: str) -> str:
    """Return a text without what a browser does not show, or shows in another order than it stands."""
    return _CONTROL.sub("�", text)


def short(text: str, most: int) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(visible(text[: 2 * most]).split())
    return line if len(line) <= most and len(text) <= 2 * most else f"{line[: most - 1]}…"


def _left_out(n_chars: int) -> Markup:
    return Markup('<p class="note">… {:,} more characters</p>').format(n_chars) if n_chars > 0 else Markup("")


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # maxNesting bounds what quotes and lists in one another cost.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20, "highlight": _fenced})
    parser.enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "reference", "html_block", "html_inline", "entity"])
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("escape", "boxed", _boxed)
    parser.block.ruler.before("paragraph", "formula_block", _formula_block, {"alt": ["paragraph"]})
    return parser


def _formula(state: StateInline, silent: bool) -> bool:
    """Take a formula between its marks, and draw it."""
    for opening, closing, block in _PAIRS:
        if state.src.startswith(opening, state.pos):
            start = state.pos + len(opening)
            end = state.src.find(closing, start, start + _FORMULA_CHARS)
            if end <= start or (opening == "$" and not _is_formula(state.src, start, end)):
                continue
            if not silent:
                token = state.push("html_inline", "", 0)
                token.content = str(_drawn(state.src[start:end], opening, closing, block=block, env=state.env))
            state.pos = end + len(closing)
            return True
    return False


def _boxed(state: StateInline, silent: bool) -> bool:
    r"""Take a ``\boxed{…}`` outside of any formula, as many models end with, and draw it."""
    if not state.src.startswith(_BOXED, state.pos):
        return False
    depth, start = 0, state.pos
    for place in range(start, min(start + _FORMULA_CHARS, state.posMax)):
        depth += {"{": 1, "}": -1}.get(state.src[place], 0)
        if depth == 0 and state.src[place] == "}":
            if not silent:
                token = state.push("html_inline", "", 0)
                token.content = str(_drawn(state.src[start : place + 1], "", "", block=False, env=state.env))
            state.pos = place + 1
            return True
    return False


def _formula_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Take lines from a line with an opening mark to one with the closing mark, blank ones among them."""
    first = state.bMarks[start_line] + state.tShift[start_line]
    for opening, closing, block in _PAIRS[:2]:
        if not state.src.startswith(opening, first):
            continue
        end = state.src.find(closing, first + len(opening), min(state.eMarks[end_line - 1], first + _FORMULA_CHARS))
        line = next((n for n in range(start_line, end_line) if 0 <= end <= state.eMarks[n]), None) if end >= 0 else None
        if line is None or state.src[end + len(closing) : state.eMarks[line]].strip():
            return False
        if not silent:
            token = state.push("html_block", "", 0)
            token.content = str(
                _drawn(state.src[first + len(opening) : end], opening, closing, block=block, env=state.env)
            )
            state.line = line + 1
        return True
    return False


def _is_formula(text: str, start: int, end: int) -> bool:
    """Tell a formula from "$5 and $6", as Pandoc does: no blank inside the dollars, no digit behind them."""
    inside = text[start:end]
    after = text[end + 1 : end + 2]
    return not inside[0].isspace() and not inside[-1].isspace() and not after.isdigit() and "\n\n" not in inside


def _drawn(latex: str, opening: str, closing: str, *, block: bool, env: Any) -> Markup:
    drawn = mathml(latex, block=block) if time.monotonic() < env["deadline"] else None
    written = Markup('<code class="latex">{}</code>').format(f"{opening}{latex}{closing}")
    return written if drawn is None else drawn


def _fenced(text: str, language: str, _: str) -> str:
    return str(_highlighted(text, language.lower()))


def _highlighted(text: str, language: str) -> Markup:
    if len(text) > MOST_CODE or _LANGUAGE.fullmatch(language) is None:
        return escape(text)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    lexer = get_lexer_by_name(language, stripnl=False)
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704 - Pygments escapes


def highlight_styles() -> str:
    """Return the style sheet of highlighted code, for light and for dark."""
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs("pre")
    dark = HtmlFormatter(style="github-dark").get_style_defs("pre")
    return f"{_inked(light)}\n@media (prefers-color-scheme: dark) {{\n{_inked(dark)}\n}}\n"


def _inked(rules: str) -> str:
    """Without what colours the ground, which the page's own style does."""
    return "\n".join(line for line in rules.splitlines() if line.startswith("pre ."))


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    """Return a table of values."""
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in headings)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(each) for each in row))
        for row in rows
    )
    return Markup('<div class="wide"><table><tr>{}</tr>{}</table></div>').format(head, body)

"""Rules on what a prompt contains: web addresses, tables, figures, proofs.

The rule on prompts that ask several labelled questions at once: one reference answers one of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tracemill.clean.question import Evidence, Question, mentions, seen

if TYPE_CHECKING:
    from tracemill.recipe.sections.clean import Clean

# "(a)", "(ii)" after a blank; "a)", "1)" only where a sentence or line begins, since formulas are full of "1)".
_LABEL: Final = re.compile(
    r"(?:(?<=[\s。；：？])|\A)(?:\*\*|\\textbf\{|\\text\{)?[(（]\s*([a-h]|[ivx]{1,4}|[IVX]{1,3}|[Ⅰ-Ⅴ]|[1-9])\s*[)）](?:\*\*|\})?"
    r"(?=[\s$\\\u4e00-\u9fffA-Z])"
    r"|(?:\A|(?<=[.?!;:。；：？]\s)|^[ \t]*(?:\*\*)?)([a-h]|[1-9])\)(?:\*\*)?\s"
    r"|(?:\A|(?<=\s))(?:\*\*)?Part\s+\(?([A-Ha-h]|[1-9]|I{1,3})\)?[:.]",
    re.MULTILINE,
)
_CIRCLED: Final = re.compile(r"[①②③④⑤]")
_ROMAN: Final = ("i", "ii", "iii", "iv", "v", "vi")
_PART_ASKS: Final = re.compile(
    r"[?？]|\b(?:find|compute|calculate|determine|what|how|evaluate|solve|express|give|write|prove|show|explain|describe"
    r"|estimate|sketch|state|list|which|derive|simplify|draw|plot|name|identify|indicate|define|discuss|compare|suggest"
    r"|differentiate|verify|deduce|justify)\b"
    r"|求|解|证明|计算|写出|判断|讨论|说明|化为|比较|指出|画出|确定|是否|哪|多少|几",
    re.IGNORECASE,
)

_PARAGRAPH: Final = re.compile(r"\n[ \t\r]*\n")
_QUESTION: Final = re.compile(r"[?？]|\b(?:find|compute|determine)\b", re.IGNORECASE)
_SERIES: Final = ("abcdefgh", _ROMAN, "123456789", "ABCDEFGH", ("I", "II", "III"), "ⅠⅡⅢⅣⅤ", "①②③④⑤")
_SHOWN_CHARS: Final = 60


class Part(NamedTuple):
    """A label, where it begins, and the text up to the next one."""

    label: str
    start: int
    text: str


def multi_part(asked: Question, _settings: Clean) -> Evidence | None:
    """Are there labelled parts, (a) (b) or 1) 2), at least two of which ask something?"""
    if not mentions(asked.lower, (")", "）", "part ", "②")):
        return None
    parts = _parts(asked.prompt)
    if not parts or _is_material(parts[-1]):
        return None
    asking = [part for part in parts if _PART_ASKS.search(part.text)]
    if len(asking) < 2:
        return None
    first = asking[0]
    return {"parts": [part.label for part in asking], "text": first.text.strip()[:_SHOWN_CHARS], "at": first.start}


def _is_material(last: Part) -> bool:
    """Tell whether what is labelled is only material: the question comes after it, in a paragraph of its own."""
    _, *after = _PARAGRAPH.split(last.text, maxsplit=1)
    return bool(after) and _QUESTION.search(after[0]) is not None


def _parts(prompt: str) -> list[Part]:
    """Return the longest run of labels that begins with the first of its kind: a, i, 1 or ①."""
    marks = [(match, next(filter(None, match.groups()))) for match in _LABEL.finditer(prompt)]
    marks += [(match, match.group()) for match in _CIRCLED.finditer(prompt)]
    run = max((_run(marks, series) for series in _SERIES), key=len)
    ends = [*(match.start() for match, _ in run[1:]), len(prompt)][: len(run)]
    return [
        Part(label, match.start(), prompt[match.end() : end]) for (match, label), end in zip(run, ends, strict=True)
    ]


def _run(marks: list[tuple[re.Match[str], str]], series: str | tuple[str, ...]) -> list[tuple[re.Match[str], str]]:
    found: list[tuple[re.Match[str], str]] = []
    for mark in marks:
        if len(found) < len(series) and mark[1] == series[len(found)]:
            found.append(mark)
    return found


_URL: Final = re.compile(
    r"https?://[^\s<>\"'）)\]}]*|(?<![\w@])www\.[a-z0-9-]+\.[a-z]{2,}[^\s<>\"'）)\]}]*", re.IGNORECASE
)

_RULED: Final = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$", re.MULTILINE)
_PIPED: Final = re.compile(r"(?:^[ \t]*\|(?:[^|\n]+\|){2,}[ \t]*(?:\n|\Z)){2,}", re.MULTILINE)
_TABBED: Final = re.compile(r"(?:^[^\t\n]+(?:\t[^\t\n]+){2,}(?:\n|\Z)){2,}", re.MULTILINE)
# An array is a table where its columns are ruled, c|c; without rules it is a matrix, a system or a case distinction.
_TYPESET: Final = re.compile(
    r"<table\b|\\begin\s*\{(?:tabular[x*]?|longtable)\}"
    r"|\\begin\s*\{array\}\s*(?:\[\w\]\s*)?\{(?=[^{}|\n]{0,80}[lcr])[^{}|\n]{0,80}\|",
    re.IGNORECASE,
)

_DRAWN: Final = re.compile(r"\[asy\]|\\begin\s*\{(?:tikzpicture|asy|picture|pspicture)\}|<svg\b", re.IGNORECASE)
_PICTURE: Final = re.compile(
    r"!\[[^\]\n]{0,300}\]\([^)\n]{0,300}\)|<(?:img|image)\b[^>]{0,300}>|\\includegraphics\b"
    r"|\[(?:image|img|figure|picture|diagram)\b[^\]\n]{0,80}\]",
    re.IGNORECASE,
)
_SHOWS: Final = (
    r"(?:figures?|diagrams?|drawings?|illustrations?|graphs?|charts?|pictures?|images?|tables?|maps?|grids?|plots?)"
)
_PLACE: Final = r"(?:below|above|at (?:the )?(?:right|left)|(?:to|on) the (?:right|left))"
_POINTER: Final = re.compile(
    # "in the figure", "on the diagram"; pictures, graphs and tables also stand in stories: they need a place
    r"\b(?:in|from|on|to|by|with|see|using)\s+(?:the|this)\s+(?:\w+\s)?(?:accompanying\s|adjoining\s|adjacent\s)?"
    r"(?:figure|diagram)s?\b(?!\s+(?:of\s+speech|out|skat))"
    r"|\b(?:figure|diagram)s?\s+(?:shows?|illustrates?|depicts?|represents?)\b"
    rf"|\b{_SHOWS}\s+(?:(?:is|are|as)\s+)?(?:(?:shown|given|drawn|pictured|displayed|illustrated)\s*)?{_PLACE}\b"
    rf"|\b{_SHOWS}\s+(?:is|are)\s+(?:shown|drawn|pictured|displayed)\b"
    rf"|\b(?:shown|pictured|illustrated|depicted|drawn|displayed|marked)\s+{_PLACE}\b"
    r"|\b(?:triangle|rectangle|square|circle|hexagon|pentagon|octagon|polygon|quadrilateral|trapezoid|parallelogram|region"
    r"|shape|solid|prism|pyramid|cylinder|cube|spinner)s?\s+(?:is\s+)?shown\b(?!\s+to\b)"
    r"|\bas\s+(?:(?:is|are)\s+)?(?:shown|pictured|illustrated|depicted|drawn)\b(?!\s+by\b)"
    r"|\b(?:in|see|as in)\s+fig(?:ure)?s?\.?\s*\d|\bfig\.\s*\d"
    r"|[如见看](?:上|下|右|左)?图(?![书形像案画])|(?<![地意插地])图(?:\s*\d+\s*)?(?:中|所示)|[下上右左]图(?![书形像])|图\s*[\d①②③④]",
    re.IGNORECASE,
)
_POINTER_WORDS: Final = (
    "figure", "diagram", "drawing", "illustrat", "graph", "chart", "picture", "image", "table", "map", "grid", "plot",
    "shown", "depicted", "drawn", "displayed", "marked", "fig.", "图",
)  # fmt: skip
_SET_OUT: Final = re.compile(
    r"\\begin\s*\{(?:align|array|gather|eqnarray|[pbv]?matrix|verbatim)|```|:\s*\n|\n\s*(?:[-*•]|1[.)])\s"
)

_PROOF: Final = re.compile(
    r"(?:\A|[.?!:;\n)]\s*|[,，]\s+|\b(?:and|then|please|hence)\s+|\buse\s[^.?!]{1,60}\sto\s+)(?:(?:dis)?prove)\s+"
    r"(?:(?:or\s+disprove\s+)?(?:that|the|there|if|your|this|algebraically|geometrically|rigorously|by)\b|[:\\$])"
    r"|(?:\A|[.?!:;\n)]\s*|,\s+then\s+|\band\s+)(?:show|demonstrate|verify|establish|justify)\s+that\b"
    r"|\b(?:give|write|provide|complete|construct)\s+(?:a|the)\s+(?:[a-z]+\s)?proof\b"
    r"|证明(?!书|信|人|材料|文件|了)|求证|试证",
    re.IGNORECASE,
)


def url(asked: Question, _settings: Clean) -> Evidence | None:
    """Is there a web address?"""
    return seen(_URL.search(asked.prompt)) if mentions(asked.lower, ("http", "www.")) else None


def table(asked: Question, _settings: Clean | None = None) -> Evidence | None:
    """Is there a table: Markdown, HTML, LaTeX, or columns set by tabs?"""
    prompt = asked.prompt
    found = None
    if "|" in prompt:
        found = _RULED.search(prompt) or _PIPED.search(prompt)
    if found is None and mentions(asked.lower, ("<table", "{tabular", "{array}", "{longtable")):
        found = _TYPESET.search(prompt)
    if found is None and "\t" in prompt:
        found = _TABBED.search(prompt)
    return seen(found)


def figure(asked: Question, _settings: Clean) -> Evidence | None:
    """Is there a picture, or a pointer to one that is not drawn in the text?"""
    if mentions(asked.lower, ("![", "<im", "\\includegraphics", "[image", "[img", "[figure", "[picture", "[diagram")):
        picture = seen(_PICTURE.search(asked.prompt))
        if picture is not None:
            return picture
    if not mentions(asked.lower, _POINTER_WORDS):
        return None
    pointer = seen(_POINTER.search(asked.prompt))
    return None if pointer is None or _is_there(asked, pointer) else pointer


def _is_there(asked: Question, pointer: Evidence) -> bool:
    """Whether what is pointed to stands in the text: drawn by code, a table, or set out in lines after the pointer."""
    set_out = _SET_OUT.search(asked.prompt, pointer["at"])
    return set_out is not None or drawing(asked) is not None or table(asked) is not None


def drawing(asked: Question, _settings: Clean | None = None) -> Evidence | None:
    """Is a figure drawn by code?"""
    return seen(_DRAWN.search(asked.prompt)) if mentions(asked.lower, ("[asy]", "picture}", "{asy}", "<svg")) else None


def proof(asked: Question, _settings: Clean) -> Evidence | None:
    """Is a proof asked for?"""
    if not mentions(asked.lower, ("prove", "proof", "show", "demonstrate", "verify", "justify", "establish", "证")):
        return None
    return seen(_PROOF.search(asked.prompt))

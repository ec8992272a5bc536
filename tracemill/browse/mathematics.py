r"""LaTeX to MathML, which browsers draw by themselves: of strangers' formulas, so that little is believed of them.

Covered: formulas that are long, nest deeply or define macros (``\newcommand`` alone can ask for 2**30 tokens), which
are shown as they were written; links, styles, classes and colours, which latex2mathml passes on and which are left out;
sizes that would cover the page. Not covered: a formula that says something else than its author meant.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET  # parses what latex2mathml wrote, which has no entities of its own

from latex2mathml.converter import convert
from markupsafe import Markup

MOST_CHARS: Final = 2_000  # of a formula: 20 ms at worst, by trying what nests, repeats and is left open
_MACROS: Final = re.compile(r"\\(?:(?:re|provide)?newcommand|provide|def|edef|gdef|xdef|let|DeclareMathOperator)")
_MATHML: Final = "http://www.w3.org/1998/Math/MathML"
_TAG: Final = re.compile(
    "math|menclose|merror|mfrac|mi|mmultiscripts|mn|mo|mover|mpadded|mphantom|mprescripts|mroot|mrow|ms|mspace|msqrt|"
    "mstyle|msub|msubsup|msup|mtable|mtd|mtext|mtr|munder|munderover|none"
)
# Of each attribute, what it may say.
_ATTRIBUTES: Final = {
    name: re.compile(pattern)
    for pattern, names in {
        "true|false": "accent accentunder displaystyle fence largeop movablelimits separator stretchy symmetric",
        "prefix|infix|postfix": "form",
        "inline|block": "display",
        r"[a-z-]{1,30}": "mathvariant",
        r"[+-]?\d": "scriptlevel",
        r"(?:\d(?:\.\d{1,3})?em ?)+|\d?\d?\dpt": "columnspacing rowspacing width lspace rspace minsize mathsize",
        r"0|\d?\dpt|0?\.\d+em": "linethickness",
        r"(?:left|right|center)(?: (?:left|right|center)){0,20}": "columnalign",
        r"(?:none|solid|dashed)(?: (?:none|solid|dashed)){0,20}": "columnlines rowlines frame",
        r"[a-z ]{1,60}": "notation",
    }.items()
    for name in names.split()
}


def mathml(latex: str, *, block: bool = False) -> Markup | None:
    """Return a formula as MathML, or None where it is to be shown as it was written.

    Args:
        latex: without its dollars.
        block: on a line of its own.
    """
    if len(latex) > MOST_CHARS or _MACROS.search(latex):
        return None
    try:
        root = ET.fromstring(convert(latex, display="block" if block else "inline"))  # noqa: S314 - see above
        _clean(root)
        return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - cleaned, escaped
    except Exception:  # noqa: BLE001 - what a parser of other people's LaTeX raises is not listed anywhere
        return None


def _clean(root: ET.Element) -> None:
    """Leave only elements and attributes of the lists, under their plain names, which HTML wants."""
    for element in root.iter():
        tag = element.tag.removeprefix(f"{{{_MATHML}}}")
        element.tag = tag if _TAG.fullmatch(tag) else "mrow"
        for name, value in list(element.attrib.items()):
            allowed = _ATTRIBUTES.get(name)
            if allowed is None or allowed.fullmatch(value) is None:
                del element.attrib[name]

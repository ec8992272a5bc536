"""IFBench's rules for the form of a response: brackets, quotations, lists, indents, templates."""

from __future__ import annotations

import itertools
import re
from typing import Final

from verifiers.instructions.checks import Undecidable
from verifiers.instructions.ifbench.reading import bare_words, lines, sentences, settled, stripped

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_N_BRACKETS: Final = 5
_N_QUOTES: Final = 3
_PLAIN_QUOTES: Final = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")
_BULLET: Final = re.compile(r"[ \t]*(?:[*•+-]|\d+[.)])\s")
_LETTER_OPTION: Final = re.compile(r"\W*[a-z]\W*", re.IGNORECASE)
_HEADING: Final = re.compile(r"^#{1,6} .*$|^<h\d>.*</h\d>$|^\*\*[^*\n]+\*\*:?$", re.MULTILINE | re.IGNORECASE)
_ITALIC: Final = re.compile(r"<(i|em)>([^<]*)</\1>", re.IGNORECASE)
# Words that titles leave small.
_MINOR: Final = frozenset(
    (
        "a", "an", "the", "and", "but", "or", "nor", "for", "so", "yet", "as", "at", "by", "in", "of", "off", "on",
        "per", "to", "up", "via", "from", "with", "into", "over", "than", "if", "vs", "onto", "upon", "is", "be",
    )
)  # fmt: skip
_STAR: Final = re.compile(r"\s*\*(?!\*|\S[^*]*\*)")  # not one that opens emphasis
_PARTS: Final = ("My Answer:", "My Conclusion:", "Future Outlook:")


def parentheses(text: str) -> bool:
    """Brackets of any kind, closed as they were opened, five deep."""
    opened: list[str] = []
    deepest = 0
    for char in text:
        if char in _PAIRS.values():
            opened.append(char)
            deepest = max(deepest, len(opened))
        elif char in _PAIRS:
            if not opened or opened.pop() != _PAIRS[char]:
                opened, deepest = [], 0
            elif deepest >= _N_BRACKETS:
                return True
    return False


def quotes(text: str) -> bool:
    """Quotations in quotations in quotations, by double and single marks in turn; an apostrophe is none."""
    plain = text.translate(_PLAIN_QUOTES)
    spoken = re.sub(r"(?<=\w)'(?=\w)", "", plain)
    sure, possible = _is_nested(spoken), _is_nested(text)
    return settled(sure and possible, sure or possible, "it depends on which marks are apostrophes")


def _is_nested(text: str) -> bool:
    opened: list[str] = []
    deepest = 0
    for char in text:
        if char not in "\"'":
            continue
        if opened and opened[-1] == char:
            opened.pop()
            if deepest - len(opened) >= _N_QUOTES:
                return True
        else:
            opened.append(char)
            deepest = max(deepest, len(opened))
    return False


def options(text: str, *, options: str) -> bool:
    """Nothing but one of the options; letters with the marks that they are given with."""
    separator = next((mark for mark in ("/", ",") if mark in options), " or ")
    given = [option.strip() for option in options.split(separator) if option.strip()]
    said = re.sub(r"^[*+•-]\s+", "", text.strip())
    loosely = stripped(said).lower() in {stripped(option).lower() for option in given}
    if all(_LETTER_OPTION.fullmatch(option) for option in given):
        return settled(said in given, loosely, "the letter is given otherwise than in the options")
    return loosely


def newline(text: str) -> bool:
    """One word a line."""
    found = [words for line in text.splitlines() if (words := bare_words(line))]
    return bool(found) and all(len(words) == 1 for words in found)


def line_indent(text: str) -> bool:
    """Each line is indented further than the one before it."""
    found = lines(text)
    if len(found) < 2:
        raise Undecidable("there is one line alone")
    indents = [len(line) - len(line.lstrip(" \t")) for line in found]
    return all(one < other for one, other in itertools.pairwise(indents))


def quote_unquote(text: str) -> bool:
    """Behind every quotation words that are in none; marks alone explain nothing."""
    parts = text.translate(str.maketrans("“”", '""')).split('"')
    if len(parts) == 1 or len(parts) % 2 == 0:
        raise Undecidable("there is no quotation" if len(parts) == 1 else "a quotation is never closed")
    between = parts[2::2]
    sure = all(re.search(r"\w", part) for part in between)
    possible = all(part.strip() for part in between[:-1]) and re.search(r"[^\W\d]", between[-1]) is not None
    return settled(sure, possible, "there are marks alone between two quotations")


def special_list(text: str, *, sep: str) -> bool:
    """A list whose items have this mark and no other."""
    items = sum(line.strip().startswith(sep) for line in text.splitlines())
    others = sum(_BULLET.match(line) is not None and not line.strip().startswith(sep) for line in text.splitlines())
    return settled(items > 1 and not others, text.count(sep) > 1, "other marks stand before items, or these elsewhere")


def thesis(text: str) -> bool:
    """Each section begins with a statement in ``<i>`` or ``<em>``; what a section is, is not said."""
    marked = [found for found in _ITALIC.finditer(text) if found.group(2).strip()]
    if not marked or not re.sub(r"<[^>]*>", "", text[marked[0].end() :]).strip():
        return False
    sections = [part.strip() for part in _HEADING.split(text) if part.strip()]
    begun = [(found := _ITALIC.match(part)) is not None and found.end() < len(part) for part in sections]
    return settled(all(begun), True, "not everything that may be a section begins with italics")


def sub_bullets(text: str) -> bool:
    """Bullets that are ``*``, and below each of them one that is ``-``."""
    marks = [line.strip()[:1] for line in lines(text) if _STAR.match(line) or re.match(r"\s*-(?!-)", line)]
    groups = "".join(marks).split("*")
    return len(groups) > 1 and all(groups[1:])


def some_bullets(text: str) -> bool:
    """Two sentences that end in a full stop, and then two bullets that are ``*``."""
    rows = lines(text)
    is_item = [_STAR.match(row) is not None for row in rows]
    if sum(is_item) < 2:
        return False
    before = "\n".join(rows[: is_item.index(True)])
    if sum(sentence.rstrip("\"'”’)*_ ").endswith(".") for sentence in sentences(before)) < 2:
        return False
    return settled(all(is_item[is_item.index(True) :]), True, "there is other text between the bullets or behind them")


def title_case(text: str) -> bool:
    """Every major word begins with a capital; that minor ones do is not asked, nor forbidden."""
    words = [
        word for raw in text.split() if (word := stripped(raw)) and word[0].isalpha() and word.lower() != word.upper()
    ]
    small = [word for word in words if word[0].islower()]
    if any(word.islower() and word not in _MINOR for word in small):
        return False
    return settled(bool(words) and not small, bool(words), "some minor words are in small letters, or mixed ones")


def output_template(text: str) -> bool:
    """The template's three parts in order, each with something in it, and nothing before them."""
    if not all(part in text for part in _PARTS):
        return False
    before, _, rest = text.partition(_PARTS[0])
    answer, _, rest = rest.partition(_PARTS[1])
    conclusion, found, outlook = rest.partition(_PARTS[2])
    said = [re.search(r"[^\W_]", part) is not None for part in (answer, conclusion, outlook)]
    opened = re.search(r"[^\W_]", before) is None
    return settled(bool(found) and opened and all(said), True, "the template is not kept to exactly")


def no_whitespace(text: str) -> bool:
    """No blank, tab or line break."""
    return bool(text) and not any(map(str.isspace, text))
